"""What installers read, merged over a lineage."""

import pytest

from stillroom_server.domain.distributions import FileType
from stillroom_server.domain.files import File
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.pages import PageFile, merge
from support.rows import NOW

DEMO = ProjectName("demo")
TOP, BASE = IndexName.parse("dev/top"), IndexName.parse("dev/base")


def _file(filename, index=TOP, **values):
    return PageFile(filename=filename, index=index, **values)


def test_the_first_index_that_has_a_file_name_wins():
    mine = _file("demo-1.0.tar.gz", TOP)
    theirs = _file("demo-1.0.tar.gz", BASE)
    other = _file("demo-2.0.tar.gz", BASE)
    assert merge(DEMO, [[mine], [theirs, other]]).files == (mine, other)


def test_the_order_of_indexes_and_of_their_files_is_kept():
    parts = [["demo-2.0.tar.gz", "demo-1.0.tar.gz"], ["demo-3.0.tar.gz"]]
    page = merge(DEMO, [[_file(name) for name in part] for part in parts])
    assert [file.filename for file in page.files] == [*parts[0], *parts[1]]


def test_versions_are_canonical_and_each_stands_once():
    names = ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl", "demo-v2.tar.gz", "demo-doc.zip"]
    assert merge(DEMO, [[_file(name) for name in names]]).versions == ("1.0", "2")


@pytest.mark.parametrize("parts", [[], [[]], [[], []]])
def test_a_page_of_nothing_is_empty(parts):
    page = merge(DEMO, parts)
    assert (page.name, page.files, page.versions) == (DEMO, (), ())


def _stage_file(**values):
    given = {
        "id": 1, "index": TOP, "project": DEMO, "version": "1.0", "filename": "demo-1.0.tar.gz",
        "key": "demo-1.0.tar.gz", "filetype": FileType.SDIST, "python_tag": "source",
        "sha256": "a" * 64, "size": 7, "requires_python": ">=3.9", "metadata_sha256": "b" * 64,
        "metadata_size": 3, "uploaded": NOW, "uploader": None, "yanked": "broken",
    }  # fmt: skip
    return File(**given | values)


def test_a_file_of_a_stage_stands_on_the_page_with_all_that_is_known_of_it():
    assert PageFile.of_stage(_stage_file()) == PageFile(
        filename="demo-1.0.tar.gz",
        index=TOP,
        hashes={"sha256": "a" * 64},
        size=7,
        uploaded=NOW,
        requires_python=">=3.9",
        yanked="broken",
        core_metadata={"sha256": "b" * 64},
    )


def test_a_file_without_metadata_says_so():
    file = PageFile.of_stage(_stage_file(metadata_sha256=None, metadata_size=None))
    assert file.core_metadata is None


@pytest.mark.parametrize(
    ("hashes", "digest"), [({"sha256": "a" * 64}, "a" * 64), ({"md5": "c" * 32}, "-"), ({}, "-")]
)
def test_the_digest_in_a_url_is_the_sha256_or_a_dash(hashes, digest):
    assert _file("demo-1.0.tar.gz", hashes=hashes).url_digest == digest
