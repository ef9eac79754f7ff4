"""The rows of blobs: linked, doomed, deleted."""

import pytest

from stillroom_server.domain.files import Blob
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile
from stillroom_server.services.ports import Database
from support.rows import DAY, NOW, a_new_file, add_mirror, add_project, add_stage, sha256_of

A, B = sha256_of("a"), sha256_of("b")


def test_adding_a_file_links_its_blobs(database: Database) -> None:
    new = a_new_file(sha256=A, size=3, metadata_sha256=B, metadata_size=2)
    with database.writing() as unit:
        unit.files.add(add_project(unit, add_stage(unit)), new)
    with database.reading() as unit:
        assert unit.blobs.get(A) == Blob(A, 3)
        assert unit.blobs.get(B) == Blob(B, 2)
        assert unit.blobs.get(sha256_of("c")) is None


def test_only_what_nothing_refers_to_is_doomed_and_only_once(database: Database) -> None:
    with database.writing() as unit:
        project = add_project(unit, add_stage(unit))
        unit.files.add(project, a_new_file(sha256=A, metadata_sha256=B, metadata_size=2))
        kept = KeptFile("x.whl", sha256_of("kept"), 4, NOW, NOW)
        unit.mirror_pages.keep(add_mirror(unit), ProjectName("x"), kept)
        unit.blobs.link(sha256_of("loose"), 5)
        assert len(unit.blobs.unreferenced()) == 1
        assert unit.blobs.doom_unreferenced(NOW) == 1
        assert unit.blobs.doom_unreferenced(NOW + DAY) == 0
        assert unit.blobs.unreferenced() == []
    with database.reading() as unit:
        assert unit.blobs.get(sha256_of("loose")) == Blob(sha256_of("loose"), 5, doomed=NOW)
        for referred in (A, B, sha256_of("kept")):
            blob = unit.blobs.get(referred)
            assert blob is not None
            assert blob.doomed is None


def test_content_is_doomed_when_the_last_file_that_refers_to_it_goes(database: Database) -> None:
    with database.writing() as unit:
        project = add_project(unit, add_stage(unit))
        files = [
            unit.files.add(project, a_new_file(f"demo-{n}.tar.gz", sha256=A)) for n in range(2)
        ]
        unit.files.delete(files[0], NOW)
        assert unit.blobs.doom_unreferenced(NOW) == 0
        unit.files.delete(files[1], NOW)
        assert unit.blobs.doom_unreferenced(NOW) == 1


def test_doomed_blobs_come_once_they_waited_long_enough(database: Database) -> None:
    with database.writing() as unit:
        unit.blobs.link(A, 1)
        unit.blobs.doom_unreferenced(NOW)
        unit.blobs.link(B, 1)
        unit.blobs.doom_unreferenced(NOW + DAY)
        assert unit.blobs.doomed(NOW) == []
        assert [blob.sha256 for blob in unit.blobs.doomed(NOW + DAY)] == [A]
        assert [blob.sha256 for blob in unit.blobs.doomed(NOW + 2 * DAY)] == [A, B]


def test_linking_clears_the_mark(database: Database) -> None:
    with database.writing() as unit:
        unit.blobs.link(A, 1)
        unit.blobs.doom_unreferenced(NOW)
        unit.blobs.link(A, 1)
        assert unit.blobs.get(A) == Blob(A, 1)
        assert unit.blobs.doomed(NOW + DAY) == []
        assert unit.blobs.delete(A) is False


def test_a_row_is_deleted_only_if_doomed_and_unreferenced(database: Database) -> None:
    with database.writing() as unit:
        unit.blobs.link(A, 1)
        assert unit.blobs.delete(A) is False
        unit.blobs.doom_unreferenced(NOW)
        assert unit.blobs.delete(A) is True
        assert unit.blobs.delete(A) is False
        assert unit.blobs.get(A) is None


@pytest.mark.parametrize("referrer", ["file", "metadata", "mirror"])
def test_what_is_referred_to_again_is_neither_listed_nor_deleted(
    database: Database, referrer: str
) -> None:
    with database.writing() as unit:
        unit.blobs.link(A, 1)
        unit.blobs.doom_unreferenced(NOW)
        project = add_project(unit, add_stage(unit))
        if referrer == "file":
            unit.files.add(project, a_new_file(sha256=A))
        elif referrer == "metadata":
            unit.files.add(project, a_new_file(metadata_sha256=A, metadata_size=1))
        else:
            kept = KeptFile("x.whl", A, 1, NOW, NOW)
            unit.mirror_pages.keep(add_mirror(unit), ProjectName("x"), kept)
        assert unit.blobs.doomed(NOW + DAY) == []
        assert unit.blobs.delete(A) is False
        assert unit.blobs.get(A) == Blob(A, 1)


def test_content_without_a_row_gets_a_doomed_one(database: Database) -> None:
    with database.writing() as unit:
        assert unit.blobs.doom_unknown(A, 9, NOW) is True
        assert unit.blobs.get(A) == Blob(A, 9, doomed=NOW)
        assert unit.blobs.doom_unknown(A, 9, NOW + DAY) is False
        unit.blobs.link(A, 9)
        assert unit.blobs.doom_unknown(A, 9, NOW) is False
        assert unit.blobs.get(A) == Blob(A, 9)
