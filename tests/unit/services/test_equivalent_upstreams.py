"""Several equivalent upstreams of one mirror: asked in order, the next when one fails."""

from dataclasses import replace

import pytest

from stillroom_server.domain.errors import (
    Forbidden,
    UpstreamFailed,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.services.breakers import FAILURES, FIRST_PAUSE
from support.rows import NOW
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
A, B, C = "http://a.example/simple/", "http://b.example/simple/", "http://c.example/simple/"
ONE = an_upstream_file("demo-1.0.tar.gz", uploaded=NOW)
TWO = an_upstream_file("demo-2.0.tar.gz", uploaded=NOW)
QUARANTINED = ProjectStatus(Status.QUARANTINED, "malware")
EXPIRY = 600


@pytest.fixture
def mirror(cases: UseCases):
    """A mirror with three upstreams."""
    options = {"type": "mirror", "mirror_url": A, "mirror_fallback_urls": [B, C]}
    return cases.indexes.create(ROOT, IndexName.parse("root/three"), options)


def _page(cases, mirror, **options):
    return cases.mirrors.page(mirror, DEMO, **options)


def _down(cases, *urls):
    for url in urls:
        cases.upstream.troubles[url] = UpstreamFailed(f"{url} is down")


def _up(cases, *urls):
    for url in urls:
        del cases.upstream.troubles[url]


def _source(cases, mirror):
    with cases.reading() as unit:
        return unit.mirror_pages.get(mirror, DEMO).source


def test_while_the_first_one_answers_no_other_is_asked(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    assert _page(cases, mirror).files == (ONE,)
    assert cases.upstream.bases == [A]
    assert _source(cases, mirror) == A


@pytest.mark.parametrize("trouble", [UpstreamFailed("down"), UpstreamTimeout("late")])
def test_the_next_one_is_asked_when_one_fails(cases: UseCases, mirror, trouble):
    cases.upstream.offer("demo", ONE)
    cases.upstream.troubles[A] = cases.upstream.troubles[B] = trouble
    page = _page(cases, mirror)
    assert (page.files, page.stale) == ((ONE,), False)
    assert cases.upstream.bases == [A, B, C]
    assert _source(cases, mirror) == C


def test_if_all_fail_the_first_trouble_is_told(cases: UseCases, mirror):
    _down(cases, A, B, C)
    with pytest.raises(UpstreamFailed, match=f"{A} is down"):
        _page(cases, mirror)


def test_if_all_fail_what_is_kept_is_served_stale(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    _down(cases, A, B, C)
    page = _page(cases, mirror)
    assert (page.files, page.stale) == ((ONE,), True)


def test_that_a_working_one_does_not_have_it_is_an_answer(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, base=B)
    assert not _page(cases, mirror).exists
    assert cases.upstream.bases == [A]
    _down(cases, A)
    assert _page(cases, mirror, refresh=True).exists


def test_while_the_one_that_said_a_page_fails_another_cannot_make_it_vanish(cases, mirror):
    cases.upstream.offer("demo", ONE, base=A)
    _page(cases, mirror)
    _down(cases, A)
    page = _page(cases, mirror, refresh=True)
    assert (page.files, page.stale) == ((ONE,), True)
    # But that one itself can.
    _up(cases, A)
    cases.upstream.withdraw("demo", base=A)
    assert not _page(cases, mirror, refresh=True).exists


def test_the_one_that_said_a_page_can_make_it_vanish_while_others_fail(cases, mirror):
    cases.upstream.offer("demo", ONE, base=B)
    _down(cases, A)
    assert _page(cases, mirror).exists
    cases.upstream.withdraw("demo", base=B)
    assert not _page(cases, mirror, refresh=True).exists


@pytest.mark.parametrize("kept", [False, True])
def test_while_one_fails_another_is_not_believed_that_there_is_no_such_project(
    cases: UseCases, mirror, kept
):
    if kept:
        _expired_of_unknown_source(cases, mirror)
    _down(cases, A)
    if kept:
        page = _page(cases, mirror)
        assert (page.files, page.stale) == ((ONE,), True)
    else:
        with pytest.raises(UpstreamFailed, match=f"{A} is down"):
            _page(cases, mirror)
    assert cases.upstream.bases[-3:] == [A, B, C]
    _up(cases, A)
    assert not _page(cases, mirror, refresh=True).exists


def _expired_of_unknown_source(cases, mirror):
    """A page is kept of which is not known which upstream said it."""
    cases.upstream.offer("demo", ONE)
    _page(cases, mirror)
    cases.upstream.withdraw("demo")
    cases.clock.advance(seconds=EXPIRY)
    with cases.database.writing() as unit:
        page = unit.mirror_pages.get(mirror, DEMO)
        unit.mirror_pages.put(mirror, replace(page, source=None))


def test_nor_is_one_that_has_just_been_configured(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, base=A)
    _page(cases, mirror)
    mirror = cases.indexes.change(ROOT, mirror.name, {"mirror_url": "http://new.example/simple/"})
    _down(cases, "http://new.example/simple/")
    page = _page(cases, mirror)
    assert (page.files, page.stale) == ((ONE,), True)


def test_nor_while_one_is_left_alone_and_then_the_others_get_a_pause(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, base=A)
    _page(cases, mirror)
    cases.clock.advance(seconds=EXPIRY)
    _leave_alone(cases, A)
    cases.upstream.bases.clear()
    for _ in range(3):
        page = _page(cases, mirror)
        assert (page.files, page.stale) == ((ONE,), True)
    assert cases.upstream.bases == [B, C]


def _leave_alone(cases, url):
    """The upstream has failed again and again."""
    for number in range(FAILURES):
        with pytest.raises(UpstreamFailed), cases.breakers.asking(url, f"page {number}"):
            raise UpstreamFailed("it is down")


def test_a_fallback_does_not_lift_a_quarantine(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, base=A, etag="a", status=QUARANTINED)
    cases.upstream.offer("demo", ONE, base=B, etag="b")
    _page(cases, mirror)
    _down(cases, A)
    page = _page(cases, mirror, refresh=True)
    assert (page.exists, page.files, page.status) == (True, (), QUARANTINED)
    with pytest.raises(Forbidden, match="malware"):
        cases.mirrors.listed(mirror, DEMO, ONE.filename)
    _up(cases, A)
    cases.upstream.offer("demo", ONE, base=A, etag="c")
    assert _page(cases, mirror, refresh=True).files == (ONE,)


def test_validators_are_sent_only_to_the_one_that_gave_them(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, etag="same", base=A)
    cases.upstream.offer("demo", ONE, TWO, etag="same", base=B)
    _page(cases, mirror)
    _down(cases, A)
    assert _page(cases, mirror, refresh=True).files == (ONE, TWO)
    assert _page(cases, mirror, refresh=True).files == (ONE, TWO)
    _up(cases, A)
    assert _page(cases, mirror, refresh=True).files == (ONE,)
    asked = list(zip(cases.upstream.bases, (k.etag for k in cases.upstream.known), strict=True))
    assert asked == [(A, None), (A, "same"), (B, None), (A, None), (B, "same"), (A, None)]


def test_one_that_is_left_alone_is_passed_over(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE)
    _down(cases, A)
    _leave_alone(cases, A)
    assert _page(cases, mirror).files == (ONE,)
    assert cases.upstream.bases == [B]
    cases.clock.advance(seconds=FIRST_PAUSE)
    _up(cases, A)
    _page(cases, mirror, refresh=True)
    assert cases.upstream.bases == [B, A]


def test_if_none_is_left_to_ask_that_is_said_at_once(cases: UseCases, mirror):
    _down(cases, A, B, C)
    for number in range(FAILURES):
        with pytest.raises(UpstreamFailed):
            cases.mirrors.page(mirror, ProjectName(f"other-{number}"))
    cases.upstream.bases.clear()
    with pytest.raises(UpstreamLeftAlone):
        _page(cases, mirror)
    assert cases.upstream.bases == []


def test_digests_are_pinned_over_all_of_them(cases: UseCases, mirror):
    changed = an_upstream_file("demo-1.0.tar.gz", hashes={"sha256": "f" * 64}, uploaded=NOW)
    cases.upstream.offer("demo", ONE, base=A)
    cases.upstream.offer("demo", changed, base=B)
    _page(cases, mirror)
    _down(cases, A)
    [file] = _page(cases, mirror, refresh=True).files
    assert (file.hashes, file.refused) == (ONE.hashes, f"sha256={'f' * 64}")


def test_a_digest_of_another_one_is_not_put_beside_one_that_it_cannot_be_compared_with(
    cases: UseCases, mirror
):
    md5 = an_upstream_file("demo-1.0.tar.gz", hashes={"md5": "1" * 32}, uploaded=NOW)
    cases.upstream.offer("demo", md5, base=A)
    cases.upstream.offer("demo", ONE, base=B)
    _page(cases, mirror)
    _down(cases, A)
    for _ in range(2):
        [file] = _page(cases, mirror, refresh=True).files
        assert (file.hashes, file.url) == (md5.hashes, ONE.url)
    _up(cases, A)
    assert _page(cases, mirror, refresh=True).files == (md5,)


# The same file elsewhere


def _elsewhere(cases, mirror):
    listed = cases.mirrors.listed(mirror, DEMO, ONE.filename)
    cases.upstream.bases.clear()
    return cases.mirrors.elsewhere(mirror, DEMO, listed)


def test_the_same_file_is_found_at_the_others_one_after_the_other(cases: UseCases, mirror):
    at_b = an_upstream_file("demo-1.0.tar.gz", url="http://b.example/1", hashes={"md5": "1" * 32})
    at_c = an_upstream_file("demo-1.0.tar.gz", url="http://c.example/1", hashes=ONE.hashes)
    cases.upstream.offer("demo", ONE, base=A)
    cases.upstream.offer("demo", TWO, at_b, base=B)
    cases.upstream.offer("demo", at_c, base=C)
    others = _elsewhere(cases, mirror)
    first = next(others)
    assert cases.upstream.bases == [B]
    assert (first.source, first.file.url, first.said) == (B, at_b.url, at_b)
    assert first.file.hashes == {**ONE.hashes, "md5": "1" * 32}
    assert [(other.source, other.file.url) for other in others] == [(C, at_c.url)]
    assert cases.upstream.bases == [B, C]


def test_another_file_of_that_name_is_not_the_same(cases: UseCases, mirror):
    other = an_upstream_file("demo-1.0.tar.gz", hashes={"sha256": "f" * 64})
    cases.upstream.offer("demo", ONE, base=A)
    cases.upstream.offer("demo", other, base=B)
    assert list(_elsewhere(cases, mirror)) == []


def test_those_that_fail_have_nothing_or_quarantine_it_are_passed_over(cases: UseCases, mirror):
    cases.upstream.offer("demo", ONE, base=A)
    cases.upstream.offer("demo", ONE, base=C, status=ProjectStatus(Status.QUARANTINED))
    _down(cases, B)
    assert list(_elsewhere(cases, mirror)) == []
    assert cases.upstream.bases == [B, C]
