"""Files by their URL."""

import pytest

from stillroom_server.domain.errors import NotFound, StorageBusy, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from support.fake_archives import an_archive
from support.rows import sha256_of
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
ARCHIVE = an_archive(wheel=True)


@pytest.fixture(autouse=True)
def _lineage(cases: UseCases):
    cases.index("dev/base", "root/pypi")
    cases.index("dev/top", "dev/base")


def _content(cases, archive=ARCHIVE, *, index="dev/top", digest=None, suffix="", **options):
    return cases.files.content(
        cases.lineage(index), DEMO, digest or archive.sha256, archive.filename + suffix, **options
    )


def _whole(content):
    blob = content.open()
    if blob is None:
        return b"".join(content.follow(0, content.size))
    with blob:
        return blob.read()


# Stages


def test_a_file_of_a_base_is_found_under_the_heir(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    content = _content(cases)
    assert _whole(content) == ARCHIVE.content
    assert (content.filename, content.sha256) == (ARCHIVE.filename, ARCHIVE.sha256)
    assert (content.size, content.modified) == (len(ARCHIVE.content), cases.clock())


def test_a_file_that_another_of_its_name_hides_is_not_found_there(cases: UseCases):
    hidden = an_archive(wheel=True, note="hidden")
    cases.upload("dev/base", hidden)
    cases.upload("dev/top", ARCHIVE)
    assert _whole(_content(cases)) == ARCHIVE.content
    with pytest.raises(NotFound):
        _content(cases, hidden)
    assert _whole(_content(cases, hidden, index="dev/base")) == hidden.content


@pytest.mark.parametrize(
    "wrong", [{"digest": "0" * 64}, {"digest": "-"}, {"archive": an_archive("demo", "2.0")}]
)
def test_a_file_is_found_by_its_whole_address(cases: UseCases, wrong):
    cases.upload("dev/base", ARCHIVE)
    with pytest.raises(NotFound, match=r"There is no file .* with this digest in dev/top"):
        _content(cases, **wrong)


def test_a_file_is_not_found_under_another_project(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    with pytest.raises(NotFound):
        cases.files.content(
            cases.lineage("dev/base"), ProjectName("other"), ARCHIVE.sha256, ARCHIVE.filename
        )


def test_the_metadata_of_a_wheel_has_its_own_digest(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    content = _content(cases, suffix=".metadata")
    assert _whole(content) == ARCHIVE.metadata
    assert content.filename == f"{ARCHIVE.filename}.metadata"
    assert content.size == len(ARCHIVE.metadata)


def test_metadata_that_is_not_served_is_not_found(cases: UseCases):
    dynamic = an_archive("demo", "1.0", "Dynamic: Requires-Dist")
    cases.upload("dev/base", dynamic)
    with pytest.raises(NotFound):
        _content(cases, dynamic, suffix=".metadata")


def test_content_that_the_store_lost_is_our_trouble_and_not_absence(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    cases.clock.advance(days=1)
    cases.store.delete(ARCHIVE.sha256, cases.clock())
    with pytest.raises(StorageBusy, match="is missing in the store"):
        _content(cases).open()


# Mirrors


def test_a_mirrored_file_is_fetched_when_it_is_asked_for_and_kept(cases: UseCases):
    cases.listed(ARCHIVE)
    first = _content(cases)
    assert first.open() is None
    assert (first.sha256, first.size, first.modified) == (
        ARCHIVE.sha256, len(ARCHIVE.content), None,
    )  # fmt: skip
    assert _whole(first) == ARCHIVE.content
    second = _content(cases)
    assert _whole(second) == ARCHIVE.content
    assert second.modified == cases.clock()
    assert len([asked for asked in cases.upstream.asked if asked.startswith("file")]) == 1


def test_a_question_for_the_size_alone_fetches_nothing(cases: UseCases):
    cases.listed(ARCHIVE)
    content = _content(cases, fetch=False)
    assert (content.size, content.sha256) == (len(ARCHIVE.content), ARCHIVE.sha256)
    assert cases.upstream.asked == ["page demo"]


def test_a_size_that_is_not_listed_is_found_out_by_fetching(cases: UseCases):
    cases.listed(ARCHIVE, size=None)
    assert _content(cases, fetch=False).size == len(ARCHIVE.content)


def test_a_fetch_that_fails_at_once_is_told_before_anything_is_sent(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.filenames("root/pypi")
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        _content(cases)


def test_what_is_kept_is_served_without_the_upstream(cases: UseCases):
    cases.listed(ARCHIVE)
    _whole(_content(cases))
    cases.clock.advance(days=30)
    cases.upstream.trouble = UpstreamFailed("down")
    asked = len(cases.upstream.asked)
    assert _whole(_content(cases)) == ARCHIVE.content
    assert len(cases.upstream.asked) == asked


def test_a_kept_file_that_is_listed_no_more_is_still_served(cases: UseCases):
    cases.listed(ARCHIVE)
    _whole(_content(cases))
    cases.upstream.withdraw("demo")
    cases.clock.advance(days=30)
    assert _whole(_content(cases)) == ARCHIVE.content


def test_a_file_that_a_kept_page_lists_is_found_without_asking_for_the_page(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.filenames("root/pypi")
    cases.clock.advance(days=30)
    assert _whole(_content(cases)) == ARCHIVE.content
    assert cases.upstream.asked.count("page demo") == 1


def test_a_file_that_is_new_upstream_is_found_by_asking_for_the_page(cases: UseCases):
    cases.listed(an_archive("demo", "0.9"))
    cases.filenames("root/pypi")
    cases.clock.advance(seconds=600)
    cases.listed(ARCHIVE)
    assert _whole(_content(cases)) == ARCHIVE.content


@pytest.mark.parametrize("digest", ["0" * 64, "-"])
def test_a_mirrored_file_is_found_by_the_digest_that_is_listed(cases: UseCases, digest):
    cases.listed(ARCHIVE)
    with pytest.raises(NotFound):
        _content(cases, digest=digest)


def test_a_file_without_a_listed_digest_is_found_by_a_dash(cases: UseCases):
    cases.listed(ARCHIVE, hashes={})
    content = _content(cases, digest="-")
    assert content.sha256 is None
    assert _whole(content) == ARCHIVE.content
    assert _content(cases, digest="-").sha256 == ARCHIVE.sha256


def test_mirrored_metadata_is_fetched_from_beside_its_file(cases: UseCases):
    said = {"sha256": sha256_of("the metadata")}
    file = cases.listed(ARCHIVE, core_metadata=said, url="http://up.test/f.whl?x=1")
    beside = an_upstream_file(url="http://up.test/f.whl.metadata?x=1")
    cases.upstream.put(beside, b"the metadata")
    for _ in range(2):
        content = _content(cases, suffix=".metadata")
        assert _whole(content) == b"the metadata"
        assert content.sha256 == said["sha256"]
    assert cases.upstream.asked == ["page demo", f"file {beside.url}"]
    assert file.url != beside.url


def test_mirrored_metadata_with_another_digest_is_refused(cases: UseCases):
    cases.listed(ARCHIVE, core_metadata={"sha256": "0" * 64}, url="http://up.test/f.whl")
    cases.upstream.put(an_upstream_file(url="http://up.test/f.whl.metadata"), b"other")
    with pytest.raises(UpstreamFailed, match="with another sha256"):
        _content(cases, suffix=".metadata")


def test_metadata_that_the_upstream_does_not_offer_is_not_found(cases: UseCases):
    cases.listed(ARCHIVE)
    with pytest.raises(NotFound, match="has no metadata"):
        _content(cases, suffix=".metadata")
    assert not any(asked.startswith("file") for asked in cases.upstream.asked)


def test_a_hidden_public_file_is_neither_found_nor_asked_for(cases: UseCases):
    public = an_archive("demo", "9.0", wheel=True)
    cases.listed(public)
    cases.upload("dev/base", ARCHIVE)
    with pytest.raises(NotFound):
        _content(cases, public)
    assert cases.upstream.asked == []


def test_a_hidden_public_file_that_is_kept_is_not_found_either(cases: UseCases):
    public = an_archive("demo", "9.0", wheel=True)
    cases.listed(public)
    _whole(_content(cases, public))
    cases.upload("dev/base", ARCHIVE)
    with pytest.raises(NotFound):
        _content(cases, public)
    assert _whole(_content(cases, public, index="root/pypi")) == public.content


def test_a_file_of_a_reserved_name_is_not_asked_for(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.indexes.change(ROOT, PYPI, {"reserved": ["demo"]})
    with pytest.raises(NotFound):
        _content(cases)
    assert cases.upstream.asked == []


def test_fetching_waits_until_a_file_is_here(cases: UseCases):
    file = cases.listed(ARCHIVE)
    mirror = cases.lineage("root/pypi").asked
    for _ in range(2):
        kept = cases.files.fetch(mirror, DEMO, file)
        assert (kept.sha256, kept.size) == (ARCHIVE.sha256, len(ARCHIVE.content))
    assert len(cases.upstream.asked) == 1
