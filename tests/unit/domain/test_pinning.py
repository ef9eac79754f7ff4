"""What becomes of a kept page when its upstream says something new."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.pinning import (
    PageSaid,
    completed,
    contradiction,
    learned,
    page_after,
    page_after_absence,
    shows_the_same,
)
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from stillroom_server.domain.upstream import (
    CachedPage,
    Seen,
    TimeSource,
    UpstreamFile,
    Validators,
)
from support.rows import NOW
from support.values import an_upstream_file

DEMO = ProjectName("demo")
A, B = {"sha256": "a" * 64}, {"sha256": "b" * 64}
LATER = NOW + timedelta(days=1)
DAY_BEFORE = NOW - timedelta(days=1)
FILE = an_upstream_file("demo-1.0.tar.gz", hashes=A)
OTHER = an_upstream_file("demo-2.0.tar.gz", hashes=B)
ARCHIVED = ProjectStatus(Status.ARCHIVED, "moved")


def _after(kept, *files, now=NOW, **values):
    return page_after(kept, DEMO, PageSaid(files, Validators("e"), **values), now)


def _first(*files):
    return _after(None, *files)


# What was said first


def test_a_first_page_is_kept_as_it_was_said():
    page = _after(None, FILE, status=ARCHIVED, source="http://one.example/")
    assert page == CachedPage(
        project=DEMO,
        files=(FILE,),
        exists=True,
        validators=Validators("e"),
        checked=NOW,
        seen={FILE.filename: Seen(NOW, A)},
        status=ARCHIVED,
        source="http://one.example/",
    )


@pytest.mark.parametrize(
    ("first", "now", "contradicting"),
    [
        (A, A, None),
        (A, B, f"sha256={'b' * 64}"),
        (A, {}, None),
        ({}, B, None),
        (A, {"md5": "1" * 32}, None),
        ({**A, "md5": "1" * 32}, {**A, "md5": "2" * 32}, f"md5={'2' * 32}"),
        ({"md5": "1" * 32}, {"md5": "1" * 32, **B}, None),
    ],
    ids=["same", "another", "said no more", "said later", "other algorithm", "md5", "one more"],
)
def test_digests_contradict_each_other_where_they_say_different_things(first, now, contradicting):
    assert contradiction(first, now) == contradicting


def test_a_second_digest_is_refused_and_the_file_stays_as_it_was():
    changed = replace(FILE, hashes=B, url="http://evil.test/", size=7, yanked=True)
    page = _after(_first(FILE), changed, now=LATER)
    assert page.files == (replace(FILE, refused=f"sha256={'b' * 64}"),)
    assert page.seen == {FILE.filename: Seen(NOW, A)}


def test_it_stays_so_while_the_second_one_is_said_and_ends_with_the_first():
    page = _after(_first(FILE), replace(FILE, hashes=B))
    again = _after(page, replace(FILE, hashes=B))
    assert again.files == page.files
    assert _after(again, replace(FILE, yanked=True)).files == (replace(FILE, yanked=True),)


def test_a_file_that_is_known_by_its_digest_alone_is_left_out():
    page = replace(_first(FILE), files=())
    assert _after(page, replace(FILE, hashes=B), OTHER).files == (OTHER,)


def test_more_digests_are_added_and_none_is_replaced():
    page = _after(_first(replace(FILE, hashes={"md5": "1" * 32})), FILE, now=LATER)
    page = _after(page, replace(FILE, hashes={}), now=LATER)
    assert page.seen[FILE.filename] == Seen(NOW, {"md5": "1" * 32, **A})


ONE, TWO, THREE = (f"http://{name}.example/" for name in ("one", "two", "three"))
MD5 = {"md5": "1" * 32}


@pytest.mark.parametrize("order", [(ONE, TWO), (TWO, ONE)], ids=["fallback", "first"])
def test_of_several_upstreams_a_digest_that_cannot_be_compared_is_left_out(order):
    """One of them may have other bytes under the name: no file at all would match both."""
    page = _after(None, replace(FILE, hashes=MD5), source=ONE, upstreams=order)
    elsewhere = replace(FILE, url="http://two.example/file")
    for _ in range(2):
        page = _after(page, elsewhere, source=TWO, upstreams=order)
        assert page.files == (replace(elsewhere, hashes={}),)
        assert completed(page.files[0], page).hashes == MD5
    both = replace(FILE, hashes={**MD5, **A})
    page = _after(page, both, source=TWO, upstreams=order)
    assert page.files == (both,)
    assert page.seen[FILE.filename].hashes == {**MD5, **A}


def test_of_several_upstreams_a_file_that_had_no_digest_gets_none():
    page = _after(None, replace(FILE, hashes={}), source=ONE, upstreams=(ONE, TWO))
    page = _after(page, FILE, OTHER, source=TWO, upstreams=(ONE, TWO))
    assert [completed(file, page).hashes for file in page.files] == [{}, B]


# A quarantine

QUARANTINED = ProjectStatus(Status.QUARANTINED, "malware")


def _quarantined(source):
    return _after(_first(FILE), FILE, status=QUARANTINED, source=source, upstreams=(ONE, TWO))


def test_a_fallback_does_not_lift_what_an_upstream_before_it_said():
    page = _quarantined(ONE)
    after = _after(page, FILE, OTHER, now=LATER, source=TWO, upstreams=(ONE, TWO, THREE))
    assert after == replace(page, checked=LATER)
    again = _after(after, FILE, source=THREE, upstreams=(ONE, TWO, THREE))
    assert again.status == QUARANTINED


def test_nor_does_it_once_the_project_is_gone_there():
    gone = page_after_absence(_quarantined(ONE), LATER)
    after = _after(gone, FILE, source=TWO, upstreams=(ONE, TWO))
    assert (after.status, after.files, after.exists) == (QUARANTINED, (), False)


@pytest.mark.parametrize(
    ("quarantined_by", "said_by", "upstreams"),
    [
        (ONE, ONE, (ONE, TWO)),
        (TWO, ONE, (ONE, TWO)),
        (ONE, TWO, (TWO,)),
        (ONE, THREE, (TWO, THREE)),
    ],
    ids=["the same", "one before it", "the new one", "a new fallback"],
)
def test_a_quarantine_is_lifted_by(quarantined_by, said_by, upstreams):
    page = _after(_quarantined(quarantined_by), FILE, source=said_by, upstreams=upstreams)
    assert (page.status, page.files, page.source) == (ACTIVE, (FILE,), said_by)


def test_whether_files_can_be_read_in_parts_is_known_of_one_upstream():
    page = replace(_after(None, WHEEL, source=ONE), ranges=True)
    assert _after(page, WHEEL, source=ONE).ranges is True
    assert _after(page, WHEEL, source=TWO).ranges is None


# What is said no more


def test_a_file_that_is_listed_no_more_is_delisted_and_may_come_back():
    page = _after(_first(FILE, OTHER), OTHER)
    assert (page.files, page.delisted) == ((OTHER,), (FILE,))
    assert set(page.seen) == {FILE.filename, OTHER.filename}
    back = _after(page, FILE, OTHER, now=LATER)
    assert (back.files, back.delisted) == ((FILE, OTHER), ())
    assert back.seen[FILE.filename].first_seen == NOW


def test_a_project_that_is_gone_has_its_files_delisted_and_keeps_its_status():
    page = replace(_after(_first(FILE, OTHER), OTHER, status=ARCHIVED), ranges=True)
    gone = page_after_absence(page, LATER)
    assert (gone.files, gone.delisted, gone.exists) == ((), (FILE, OTHER), False)
    assert (gone.checked, gone.validators) == (LATER, Validators())
    assert (gone.seen, gone.status, gone.ranges) == (page.seen, ARCHIVED, True)
    assert _after(gone, FILE).exists


_DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
_HASHES = st.one_of(
    st.just({}),
    st.builds(lambda digest: {"sha256": digest}, _DIGESTS),
    st.builds(lambda digest: {"md5": digest[:32]}, _DIGESTS),
    st.builds(lambda one, two: {"sha256": one, "md5": two[:32]}, _DIGESTS, _DIGESTS),
)
_FILES = st.lists(
    st.builds(lambda n, h: UpstreamFile(f"demo-{n}.0.tar.gz", f"http://x/{n}", h),
              st.integers(1, 3), _HASHES),
    unique_by=lambda file: file.filename, max_size=3,
).map(tuple)  # fmt: skip


@given(st.lists(st.one_of(st.none(), _FILES), max_size=6))
def test_whatever_an_upstream_says_a_name_stands_for_one_content_and_is_never_forgotten(history):
    kept, first = None, {}
    for said in history:
        if said is not None:
            kept = _after(kept, *said)
        elif kept is None:
            continue
        else:
            kept = page_after_absence(kept, NOW)
        for file in (*kept.files, *kept.delisted):
            for algorithm, digest in completed(file, kept).hashes.items():
                assert first.setdefault((file.filename, algorithm), digest) == digest
        names = [file.filename for file in (*kept.files, *kept.delisted)]
        assert sorted(names) == sorted(kept.seen)
        if said is not None:
            assert [file.filename for file in kept.files] == [file.filename for file in said]


# What is learned, and how it completes a file


def test_what_is_learned_first_stays():
    page = learned(_first(FILE), FILE.filename, now=LATER, size=1, metadata_sha256="m")
    page = learned(page, FILE.filename, now=LATER, sha256="x", size=2, modified=DAY_BEFORE,
                   metadata_sha256="n")  # fmt: skip
    assert page.seen == {FILE.filename: Seen(NOW, A, 1, DAY_BEFORE, "m")}
    assert page.files == (FILE,)


def test_of_a_file_that_was_never_listed_something_can_be_learned_too():
    page = learned(_first(), "demo-9.tar.gz", now=LATER, sha256="x")
    assert page.seen == {"demo-9.tar.gz": Seen(LATER, {"sha256": "x"})}


WHEEL = UpstreamFile("demo-1.0-py3-none-any.whl", "http://x/", {"md5": "1" * 32})


def _completed(file, seen, **values):
    page = replace(_first(file), seen={file.filename: seen}, **values)
    return completed(file, page)


def test_a_file_is_completed_with_what_was_learned():
    seen = Seen(NOW, {**A, "md5": "1" * 32}, 7, DAY_BEFORE, "m")
    assert _completed(WHEEL, seen) == replace(
        WHEEL,
        hashes={**A, "md5": "1" * 32},
        size=7,
        uploaded=DAY_BEFORE,
        time_source=TimeSource.LAST_MODIFIED,
        core_metadata={"sha256": "m"},
    )


@pytest.mark.parametrize(
    "missing", [{"hashes": {}}, {"size": None}, {"uploaded": None}, {"core_metadata": None}]
)
def test_a_file_that_lacks_a_single_thing_is_completed_too(missing):
    whole = replace(WHEEL, hashes=A, size=7, uploaded=NOW, core_metadata={"sha256": "m"})
    file = _completed(replace(whole, **missing), Seen(NOW, A, 7, None, "m"))
    assert replace(file, time_source=TimeSource.UPSTREAM) == whole


def test_what_the_upstream_says_itself_comes_first():
    said = replace(WHEEL, hashes=A, size=1, uploaded=DAY_BEFORE, core_metadata={"sha256": "u"})
    assert _completed(said, Seen(NOW, A, 7, NOW, "m"), ranges=True) == said


@pytest.mark.parametrize("modified", [None, LATER, NOW], ids=["unknown", "later", "then"])
def test_without_any_earlier_time_it_is_that_of_the_first_look(modified):
    file = _completed(WHEEL, Seen(NOW, {}, None, modified))
    assert (file.uploaded, file.time_source) == (NOW, TimeSource.FIRST_SEEN)


@pytest.mark.parametrize(
    ("file", "ranges", "metadata"),
    [
        (WHEEL, True, {}),
        (WHEEL, False, None),
        (WHEEL, None, None),
        (FILE, True, None),
        (replace(WHEEL, core_metadata={}), False, {}),
    ],
    ids=["ranges", "no ranges", "not tried", "sdist", "upstream's own"],
)
def test_metadata_is_promised_where_it_can_be_had(file, ranges, metadata):
    assert _completed(file, Seen(NOW), ranges=ranges).core_metadata == metadata


def test_a_file_that_was_never_seen_is_what_it_is():
    assert completed(WHEEL, replace(_first(), ranges=True)) == WHEEL


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"checked": LATER}, True),
        ({"validators": Validators("other")}, True),
        ({"source": "http://two.example/"}, True),
        ({"seen": {FILE.filename: Seen(NOW, A), "x": Seen(NOW)}}, True),
        ({"ranges": True}, True),
        ({"exists": False}, False),
        ({"status": ARCHIVED}, False),
        ({"files": ()}, False),
        ({"delisted": (OTHER,)}, False),
        ({"files": (replace(FILE, yanked=True),)}, False),
        ({"files": (replace(FILE, refused="sha256=b"),)}, False),
        ({"seen": {FILE.filename: Seen(LATER, A)}}, False),
    ],
    ids=["checked", "validators", "source", "seen elsewhere", "ranges", "gone", "status",
         "no files", "delisted", "yanked", "refused", "time"],
)  # fmt: skip
def test_two_pages_show_the_same_when_an_installer_sees_no_difference(change, same):
    page = _first(FILE)
    assert shows_the_same(page, replace(page, **change)) is same


def test_that_wheels_can_be_read_in_parts_is_a_difference():
    page = _first(WHEEL)
    assert not shows_the_same(page, replace(page, ranges=True))
