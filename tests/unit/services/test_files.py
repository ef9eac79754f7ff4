"""Files by their URL."""

from datetime import timedelta

import pytest

from stillroom_server.domain.errors import Forbidden, NotFound, StorageBusy, UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import KeptFile
from stillroom_server.services.files import Address, Redirect
from support.downloads import wait_for_the_end
from support.fake_archives import an_archive
from support.use_cases import DEV, ROOT, UseCases

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
ARCHIVE = an_archive(wheel=True)


@pytest.fixture(autouse=True)
def _lineage(cases: UseCases):
    cases.index("dev/base", "root/pypi")
    cases.index("dev/top", "dev/base")


def _content(cases, archive=ARCHIVE, *, index="dev/top", digest=None, suffix="", **options):
    address = Address.of(DEMO, digest or archive.sha256, archive.filename + suffix)
    return cases.files.content(cases.lineage(index), address, **options)


def _whole(content):
    blob = content.open()
    if blob is None:
        whole = b"".join(content.follow(0, content.size))
        wait_for_the_end()
        return whole
    with blob:
        return blob.read()


def _kept(cases):
    mirror = cases.lineage("root/pypi").asked
    with cases.reading() as unit:
        return unit.mirror_pages.kept(mirror, DEMO)


def _fetches(cases):
    return [asked for asked in cases.upstream.asked if asked.startswith("file ")]


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
            cases.lineage("dev/base"),
            Address(ProjectName("other"), ARCHIVE.sha256, ARCHIVE.filename),
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


@pytest.mark.parametrize("suffix", ["", ".metadata"])
def test_a_file_of_a_quarantined_project_is_not_handed_out(cases: UseCases, suffix):
    cases.upload("dev/base", ARCHIVE)
    _quarantine(cases, "dev/base")
    with pytest.raises(Forbidden, match=r"demo is quarantined, .*: it is malware"):
        _content(cases, suffix=suffix)


def test_where_the_first_index_is_quarantined_no_other_index_hands_out_any(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    cases.upload("dev/top", an_archive("demo", "2.0"))
    _quarantine(cases, "dev/top")
    with pytest.raises(Forbidden):
        _content(cases)
    assert _whole(_content(cases, index="dev/base")) == ARCHIVE.content


def test_where_a_later_index_is_quarantined_only_its_own_files_are_out_of_reach(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    mine = an_archive("demo", "2.0")
    cases.upload("dev/top", mine)
    _quarantine(cases, "dev/base")
    assert _whole(_content(cases, mine)) == mine.content
    with pytest.raises(Forbidden):
        _content(cases)


def test_what_a_quarantined_index_would_hide_is_found_in_the_next_one(cases: UseCases):
    cases.index("dev/root")
    cases.indexes.change(DEV, IndexName.parse("dev/base"), {"bases": ["dev/root"]})
    cases.upload("dev/root", ARCHIVE)
    cases.upload("dev/base", ARCHIVE)
    cases.upload("dev/top", an_archive("demo", "2.0"))
    _quarantine(cases, "dev/base")
    assert _whole(_content(cases)) == ARCHIVE.content


def _quarantine(cases, index):
    status = ProjectStatus(Status.QUARANTINED, "it is malware")
    cases.statuses.set(DEV, IndexName.parse(index), DEMO, status)


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
    assert (first.is_lasting, second.is_lasting) == (True, True)
    assert len(_fetches(cases)) == 1


@pytest.mark.parametrize("size", [len(ARCHIVE.content), None], ids=["listed", "not listed"])
def test_a_question_for_the_size_alone_keeps_nothing(cases: UseCases, size):
    cases.listed(ARCHIVE, size=size)
    content = _content(cases, fetch=False)
    assert (content.size, content.sha256) == (len(ARCHIVE.content), ARCHIVE.sha256)
    assert len(_fetches(cases)) == (1 if size is None else 0)
    wait_for_the_end()
    assert list(cases.store.walk()) == []


def test_a_fetch_that_fails_at_once_is_told_before_anything_is_sent(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.filenames("root/pypi")
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        _content(cases)
    wait_for_the_end()


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
    cases.mirrors.page(cases.lineage("root/pypi").asked, DEMO, refresh=True)
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


@pytest.mark.parametrize("suffix", ["", ".metadata", ".provenance"])
@pytest.mark.parametrize("digest", ["0" * 64, "-"])
def test_a_mirrored_file_is_found_by_the_digest_that_is_listed(cases: UseCases, digest, suffix):
    cases.listed(ARCHIVE)
    with pytest.raises(NotFound, match="with this digest"):
        _content(cases, digest=digest, suffix=suffix)


def test_a_file_without_a_listed_digest_is_found_by_a_dash_for_ever(cases: UseCases):
    cases.listed(ARCHIVE, hashes={})
    content = _content(cases, digest="-")
    assert content.sha256 is None
    assert _whole(content) == ARCHIVE.content
    for digest in ("-", ARCHIVE.sha256):
        learned = _content(cases, digest=digest)
        assert learned.sha256 == ARCHIVE.sha256
        assert learned.is_lasting is (digest != "-")


def test_an_equivalent_upstream_has_what_the_first_one_lost(cases: UseCases):
    twin = "http://twin.test/simple/"
    cases.indexes.change(ROOT, PYPI, {"mirror_fallback_urls": [twin]})
    file = cases.listed(ARCHIVE)
    cases.filenames("root/pypi")
    elsewhere = cases.listed(ARCHIVE, url="http://twin.test/files/demo.whl")
    cases.upstream.remove_url(file.url)
    assert _whole(_content(cases)) == ARCHIVE.content
    assert _fetches(cases) == [f"file {file.url}", f"file {elsewhere.url}"]
    assert cases.upstream.bases[-1] == twin


def test_a_mirrored_project_that_is_quarantined_hands_out_no_file(cases: UseCases):
    file = cases.listed(ARCHIVE)
    _whole(_content(cases))
    cases.upstream.offer("demo", file, status=ProjectStatus(Status.QUARANTINED, "malware"))
    cases.clock.advance(seconds=600)
    cases.filenames("root/pypi")
    for suffix in ("", ".metadata"):
        with pytest.raises(Forbidden, match="malware"):
            _content(cases, suffix=suffix)


def test_a_later_mirror_that_is_quarantined_hides_no_file_of_another(cases: UseCases):
    # The stage has the project and lets mirrors add to it; so the mirror is not the first.
    cases.upload("dev/base", ARCHIVE)
    cases.indexes.change(DEV, IndexName.parse("dev/base"), {"mirror_whitelist": ["demo"]})
    public = an_archive("demo", "9.0", wheel=True)
    cases.upstream.offer("demo", status=ProjectStatus(Status.QUARANTINED))
    assert _whole(_content(cases)) == ARCHIVE.content
    with pytest.raises(Forbidden):
        _content(cases, public)


@pytest.fixture
def mirrors_say(cases: UseCases):
    """dev/all inherits from three mirrors; each says what is given, in their order."""
    urls = [cases.lineage("root/pypi").asked.upstream_urls[0]]
    for name in ("second", "third"):
        urls.append(f"http://{name}.test/simple/")
        options = {"type": "mirror", "mirror_url": urls[-1]}
        cases.indexes.create(ROOT, IndexName.parse(f"root/{name}"), options)
    cases.index("dev/all", "root/pypi", "root/second", "root/third")

    def say(*said):
        for url, (file, status) in zip(urls, said, strict=False):
            cases.upstream.offer("demo", file, base=url, status=ProjectStatus(status))

    return say


def test_where_the_first_mirror_is_quarantined_the_next_hands_out_nothing(cases, mirrors_say):
    file = cases.listed(ARCHIVE)
    cases.upstream.withdraw("demo")
    mirrors_say((file, Status.QUARANTINED), (file, Status.ACTIVE))
    with pytest.raises(Forbidden):
        _content(cases, index="dev/all")
    assert _whole(_content(cases, index="root/second")) == ARCHIVE.content


def test_where_a_later_mirror_is_quarantined_the_one_after_it_hands_out_its_own(
    cases, mirrors_say
):
    first = cases.listed(an_archive("demo", "0.5"))
    file = cases.listed(ARCHIVE)
    cases.upstream.withdraw("demo")
    mirrors_say((first, Status.ACTIVE), (file, Status.QUARANTINED), (file, Status.ACTIVE))
    assert _whole(_content(cases, index="dev/all")) == ARCHIVE.content


# Mirrors that keep no files


def test_a_client_is_sent_to_the_upstream_where_the_index_says_so(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"mirror_use_external_urls": True})
    file = cases.listed(ARCHIVE)
    for fetch in (True, False):
        assert _content(cases, fetch=fetch) == Redirect(PYPI, file.url)
    assert _fetches(cases) == []


def test_what_is_kept_already_is_served_from_here_all_the_same(cases: UseCases):
    cases.listed(ARCHIVE)
    _whole(_content(cases))
    cases.indexes.change(ROOT, PYPI, {"mirror_use_external_urls": True})
    assert _whole(_content(cases)) == ARCHIVE.content


def test_a_mirror_of_metadata_passes_files_through(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"mirror_metadata_only": True})
    cases.listed(ARCHIVE)
    for _ in range(2):
        assert _whole(_content(cases)) == ARCHIVE.content
    assert len(_fetches(cases)) == 2
    assert [file.filename for file in _kept(cases)] == [f"{ARCHIVE.filename}.metadata"]


# Uses


def test_a_use_is_noted_in_memory_and_written_later_without_a_serial(cases: UseCases):
    cases.listed(ARCHIVE)
    _whole(_content(cases))
    before = _used(cases)
    cases.clock.advance(hours=2)
    serial = cases.database.serial()
    _whole(_content(cases))
    assert _used(cases) == before
    assert cases.file_uses.flush() == 1
    assert _used(cases) == before + timedelta(hours=2)
    assert cases.file_uses.flush() == 0
    assert cases.database.serial() == serial


def test_a_use_soon_after_the_last_one_is_not_written(cases: UseCases):
    cases.listed(ARCHIVE)
    _whole(_content(cases))
    cases.clock.advance(minutes=59)
    _whole(_content(cases))
    assert cases.file_uses.flush() == 0


def _used(cases):
    return next(file.used for file in _kept(cases) if file.filename == ARCHIVE.filename)


# Hidden and reserved names


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


@pytest.fixture
def outlived(cases: UseCases):
    """Other content is kept under the name of the file than its page lists."""
    cases.listed(ARCHIVE)
    mirror = cases.lineage("root/pypi").asked
    cases.mirrors.page(mirror, DEMO)
    with cases.store.receive() as writer:
        writer.write(b"another")
        sha256 = writer.keep()
    now = cases.clock()
    with cases.database.writing() as unit:
        kept = KeptFile(ARCHIVE.filename, sha256, 7, fetched=now, used=now)
        unit.mirror_pages.keep(mirror, DEMO, kept)
    return mirror


def test_what_has_another_digest_than_the_page_lists_is_not_served(cases: UseCases, outlived):
    content = _content(cases)
    assert (content.sha256, content.size) == (ARCHIVE.sha256, len(ARCHIVE.content))
    assert _whole(content) == ARCHIVE.content
    assert _content(cases).open().read() == ARCHIVE.content
    assert len(_fetches(cases)) == 1


def test_nor_is_it_taken_for_the_file_by_others(cases: UseCases, outlived):
    assert not cases.files.is_here(outlived, DEMO, ARCHIVE.filename)
    assert cases.files.fetch(outlived, DEMO, ARCHIVE.filename).sha256 == ARCHIVE.sha256
    wait_for_the_end()
    assert cases.files.is_here(outlived, DEMO, ARCHIVE.filename)


SIGNED = "http://127.0.0.1:9/files/signed?until="


@pytest.mark.parametrize("fetch", [True, False], ids=["GET", "HEAD"])
def test_a_file_whose_url_has_expired_with_its_page_is_asked_for_at_the_new_one(cases, fetch):
    cases.listed(ARCHIVE, url=f"{SIGNED}1", size=None)
    cases.mirrors.page(cases.lineage("root/pypi").asked, DEMO)
    cases.clock.advance(seconds=600)
    cases.upstream.remove_url(f"{SIGNED}1")
    cases.listed(ARCHIVE, url=f"{SIGNED}2", size=None)
    content = _content(cases, fetch=fetch)
    assert content.size == len(ARCHIVE.content)
    assert not fetch or _whole(content) == ARCHIVE.content
    assert _fetches(cases) == [f"file {SIGNED}1", f"file {SIGNED}2"]


def test_the_size_is_that_at_an_equivalent_upstream_where_the_first_one_fails(cases: UseCases):
    twin = "http://twin.example/simple/"
    cases.indexes.change(ROOT, PYPI, {"mirror_fallback_urls": [twin]})
    mirror = cases.lineage("root/pypi").asked
    cases.listed(ARCHIVE, size=None)
    cases.mirrors.page(mirror, DEMO)
    cases.upstream.troubles[mirror.upstream_urls[0]] = UpstreamFailed("down")
    assert _content(cases, fetch=False).size == len(ARCHIVE.content)
    cases.upstream.troubles[twin] = UpstreamFailed("down as well")
    with pytest.raises(UpstreamFailed, match=r"down$"):
        _content(cases, fetch=False)


# For others than clients


def test_fetching_waits_until_a_file_is_here(cases: UseCases):
    cases.listed(ARCHIVE)
    mirror = cases.lineage("root/pypi").asked
    for _ in range(2):
        kept = cases.files.fetch(mirror, DEMO, ARCHIVE.filename)
        assert (kept.sha256, kept.size) == (ARCHIVE.sha256, len(ARCHIVE.content))
        wait_for_the_end()
    assert len(_fetches(cases)) == 1


def test_a_file_that_shall_not_be_kept_can_be_fetched_for_a_stage(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.indexes.change(ROOT, PYPI, {"mirror_metadata_only": True})
    mirror = cases.lineage("root/pypi").asked
    kept = cases.files.fetch(mirror, DEMO, ARCHIVE.filename)
    wait_for_the_end()
    assert cases.store.open(kept.sha256).read() == ARCHIVE.content
    assert kept.size == len(ARCHIVE.content)


def test_what_a_mirror_does_not_list_cannot_be_fetched(cases: UseCases):
    mirror = cases.lineage("root/pypi").asked
    with pytest.raises(NotFound, match=r"root/pypi has no file demo-1\.0"):
        cases.files.fetch(mirror, DEMO, ARCHIVE.filename)
