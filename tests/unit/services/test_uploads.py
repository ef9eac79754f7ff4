"""Uploads: received, verified, kept, and only then made known."""

import base64
import hashlib

import pytest

from stillroom_server.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, TooLarge
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.linking import Outcome
from support.distributions import Distribution
from support.fake_archives import an_archive
from support.use_cases import DEV, UseCases

DEMO = ProjectName("demo")


@pytest.fixture
def stage(cases: UseCases):
    return cases.index("dev/base")


@pytest.fixture
def firm(cases: UseCases):
    return cases.index("dev/firm", volatile=False)


def _file(cases, index, filename):
    with cases.reading() as unit:
        return unit.files.get(index, filename)


def _release(cases, index, version="1.0"):
    with cases.reading() as unit:
        project = unit.projects.get(index, DEMO)
        return {r.version: r for r in unit.projects.releases(project)}[version]


def test_an_upload_is_kept_with_all_that_its_archive_says(cases: UseCases, stage):
    archive = an_archive("demo", "1.0", "Requires-Python: >=3.9", wheel=True)
    with cases.recorded() as events:
        assert cases.upload("dev/base", archive) is Outcome.ADDED
    file = _file(cases, stage, archive.filename)
    assert (file.project, file.version, file.filetype) == ("demo", "1.0", "bdist_wheel")
    assert (file.sha256, file.size) == (archive.sha256, len(archive.content))
    assert (file.requires_python, file.uploader) == (">=3.9", "dev")
    assert file.uploaded == cases.clock()
    assert file.metadata_sha256 == hashlib.sha256(archive.metadata).hexdigest()
    assert cases.content("dev/base", archive) == archive.content
    assert cases.content("dev/base", archive, suffix=".metadata") == archive.metadata
    assert _release(cases, stage).metadata["name"] == "demo"
    assert events == ["file-added"]


@pytest.mark.parametrize(
    ("lines", "served"),
    [(["Dynamic: Requires-Dist"], False), (["Dynamic: Keywords"], True)],
)
def test_the_metadata_of_an_sdist_is_served_if_a_build_cannot_change_it(
    cases: UseCases, stage, lines, served
):
    archive = an_archive("demo", "1.0", *lines)
    cases.upload("dev/base", archive)
    assert (_file(cases, stage, archive.filename).metadata_sha256 is not None) is served


def test_the_same_bytes_again_change_nothing(cases: UseCases, firm):
    archive = an_archive()
    cases.upload("dev/firm", archive)
    with cases.recorded() as events:
        assert cases.upload("dev/firm", archive) is Outcome.UNCHANGED
    assert events == []


def test_other_bytes_under_the_name_are_refused_where_nothing_is_replaced(cases: UseCases, firm):
    first = an_archive(note="first")
    cases.upload("dev/firm", first)
    with pytest.raises(Conflict, match="File already exists") as caught:
        cases.upload("dev/firm", an_archive(note="second"))
    assert first.sha256 in caught.value.message
    assert cases.content("dev/firm", first) == first.content


def test_another_spelling_of_the_name_is_the_same_artefact(cases: UseCases, firm):
    first = an_archive("demo-app", note="first")
    second = an_archive("demo_app", note="second")
    cases.upload("dev/firm", first)
    with pytest.raises(Conflict, match=r"File already exists \('demo-app-1.0.tar.gz'"):
        cases.upload("dev/firm", second)


def test_other_bytes_replace_the_file_on_a_volatile_index(cases: UseCases, stage):
    first, second = an_archive(note="first"), an_archive(note="second")
    cases.upload("dev/base", first)
    with cases.recorded() as events:
        assert cases.upload("dev/base", second) is Outcome.REPLACED
    assert cases.content("dev/base", second) == second.content
    with pytest.raises(NotFound):
        cases.content("dev/base", first)
    assert _release(cases, stage).metadata["summary"] == "second"
    assert events == ["file-replaced"]


def test_a_second_file_of_a_release_leaves_its_metadata(cases: UseCases, stage):
    cases.upload("dev/base", an_archive(note="sdist"))
    cases.upload("dev/base", an_archive(note="wheel", wheel=True))
    assert _release(cases, stage).metadata["summary"] == "sdist"


def test_the_name_of_a_deleted_file_is_not_used_again_where_nothing_is_replaced(cases, firm):
    archive = an_archive()
    cases.upload("dev/firm", archive)
    name = IndexName.parse("dev/firm")
    cases.releases.remove_file(DEV, name, DEMO, archive.sha256, archive.filename, force=True)
    with pytest.raises(Conflict, match=r"File already existed .* and was deleted"):
        cases.upload("dev/firm", archive)


def test_a_mirror_takes_no_uploads(cases: UseCases):
    with pytest.raises(Forbidden, match="root/pypi is a mirror and takes no uploads"):
        cases.upload("root/pypi", an_archive())


def test_an_index_that_vanished_meanwhile_is_not_found(cases: UseCases):
    with pytest.raises(NotFound, match="There is no index dev/gone"):
        cases.upload("dev/gone", an_archive())


ARCHIVE = an_archive(note="the one of the table")
CONTENT = ARCHIVE.content
DIGESTS = {
    "sha256": ARCHIVE.sha256,
    "md5": hashlib.md5(CONTENT).hexdigest(),
    "blake2_256": hashlib.blake2b(CONTENT, digest_size=32).hexdigest(),
}


@pytest.mark.parametrize(
    "digests",
    [
        {},
        {"sha256": ""},
        DIGESTS,
        {"sha256": ARCHIVE.sha256.upper()},
        {"md5": base64.urlsafe_b64encode(hashlib.md5(CONTENT).digest()).decode().rstrip("=")},
    ],
    ids=["none", "empty", "all", "capitals", "base64"],
)
def test_digests_that_agree_in_any_form_that_clients_send(cases: UseCases, stage, digests):
    assert cases.upload("dev/base", ARCHIVE, digests=digests) is Outcome.ADDED


@pytest.mark.parametrize("algorithm", DIGESTS)
@pytest.mark.parametrize("wrong", ["0" * 64, "0" * 32, "nonsense!", "x", "é" * 64])
def test_a_digest_that_does_not_agree_is_refused(cases: UseCases, stage, algorithm, wrong):
    with pytest.raises(InvalidRequest) as caught:
        cases.upload("dev/base", ARCHIVE, digests={algorithm: wrong})
    [fault] = caught.value.faults
    assert fault.field == f"{algorithm}_digest"
    assert DIGESTS[algorithm] in fault.rule


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"filename": "demo-1.0.zip"}, "content"),
        ({"filename": ""}, "content"),
        ({"name": "other"}, "name"),
        ({"version": "2.0"}, "version"),
        ({"filetype": "bdist_wheel"}, "filetype"),
        ({"requires_python": ">=3"}, "requires_python"),
    ],
)
def test_a_form_that_contradicts_the_archive_is_refused(cases: UseCases, stage, changes, field):
    with pytest.raises(InvalidRequest) as caught:
        cases.upload("dev/base", ARCHIVE, **changes)
    assert [fault.field for fault in caught.value.faults] == [field]


def test_every_fault_is_named_at_once(cases: UseCases, stage):
    with pytest.raises(InvalidRequest) as caught:
        cases.upload("dev/base", ARCHIVE, name="x", version="2", digests={"md5": "0" * 32})
    assert [f.field for f in caught.value.faults] == ["md5_digest", "name", "version"]


def test_an_empty_file_is_refused_as_such(cases: UseCases, stage):
    empty = Distribution("demo-1.0.tar.gz", b"", b"")
    with pytest.raises(InvalidRequest, match="content: the file is empty"):
        cases.upload("dev/base", empty, digests={})


def test_what_is_refused_leaves_nothing_behind(cases: UseCases, stage):
    with pytest.raises(InvalidRequest):
        cases.upload("dev/base", ARCHIVE, name="other")
    assert list(cases.store.walk()) == []
    with cases.reading() as unit:
        assert unit.projects.names([stage]) == []


def test_a_file_over_the_limit_is_refused_as_soon_as_it_is_over(cases: UseCases, stage):
    with cases.uploads.receive() as incoming:
        incoming.write(b"x" * 100_000)
        with pytest.raises(TooLarge, match="larger than the 100,000 bytes"):
            incoming.write(b"x")


def test_two_indexes_share_the_content_of_one_file(cases: UseCases, stage):
    cases.index("dev/other")
    for index in ("dev/base", "dev/other"):
        cases.upload(index, ARCHIVE)
    assert sum(1 for sha256, _ in cases.store.walk() if sha256 == ARCHIVE.sha256) == 1
