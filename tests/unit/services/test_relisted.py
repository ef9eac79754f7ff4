"""Files whose URL does not work any more: looked up anew, where the page that listed it is old."""

import pytest

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from support.rows import NOW
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
FIRST, TWIN = "http://first.example/simple/", "http://twin.example/simple/"
OLD = an_upstream_file("demo-1.0.tar.gz", url="http://first.example/1?until=1", uploaded=NOW)
NEW = an_upstream_file("demo-1.0.tar.gz", url="http://first.example/1?until=2", uploaded=NOW)
AT_TWIN = an_upstream_file("demo-1.0.tar.gz", url="http://twin.example/1", uploaded=NOW)
EXPIRY = 600


@pytest.fixture
def mirror(cases: UseCases):
    """A mirror with an equivalent upstream."""
    options = {"type": "mirror", "mirror_url": FIRST, "mirror_fallback_urls": [TWIN]}
    return cases.indexes.create(ROOT, IndexName.parse("root/two"), options)


@pytest.fixture
def listed(cases: UseCases, mirror):
    """The file with the URL that an old page gives it."""
    cases.upstream.offer("demo", OLD, base=FIRST)
    cases.upstream.offer("demo", AT_TWIN, base=TWIN)
    cases.mirrors.page(mirror, DEMO)
    listed = cases.mirrors.listed(mirror, DEMO, OLD.filename)
    cases.upstream.offer("demo", NEW, base=FIRST)
    cases.upstream.bases.clear()
    return listed


def _elsewhere(cases, mirror, listed):
    return [(at.source, at.said.url) for at in cases.mirrors.elsewhere(mirror, DEMO, listed)]


def test_it_is_first_looked_for_on_its_own_page(cases: UseCases, clock, mirror, listed):
    clock.advance(seconds=EXPIRY)
    first = next(cases.mirrors.elsewhere(mirror, DEMO, listed))
    assert (first.source, first.said.url, first.file.url) == (FIRST, NEW.url, NEW.url)
    assert cases.upstream.bases == [FIRST]
    # The page is fresh now, and says it to whoever else comes with the old URL.
    assert _elsewhere(cases, mirror, listed) == [(FIRST, NEW.url), (TWIN, AT_TWIN.url)]
    assert cases.upstream.bases == [FIRST, TWIN]


def test_a_fresh_page_is_believed(cases: UseCases, mirror, listed):
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]
    assert cases.upstream.bases == [TWIN]


def test_where_the_url_is_still_the_same_it_is_not_tried_again(cases, clock, mirror, listed):
    clock.advance(seconds=EXPIRY)
    cases.upstream.offer("demo", OLD, base=FIRST)
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]


def test_a_page_that_cannot_be_had_is_not_asked_for_with_each_file(cases, clock, mirror, listed):
    clock.advance(seconds=EXPIRY)
    cases.upstream.trouble = UpstreamFailed("down")
    assert _elsewhere(cases, mirror, listed) == []
    cases.upstream.trouble = None
    cases.upstream.bases.clear()
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]
    assert cases.upstream.bases == [TWIN]


def test_what_another_upstream_says_in_its_place_is_tried_once(cases, clock, mirror, listed):
    clock.advance(seconds=EXPIRY)
    cases.upstream.troubles[FIRST] = UpstreamFailed("down")
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]


def test_what_is_quarantined_meanwhile_is_nowhere(cases: UseCases, clock, mirror, listed):
    clock.advance(seconds=EXPIRY)
    cases.upstream.offer("demo", NEW, base=FIRST, status=ProjectStatus(Status.QUARANTINED))
    assert _elsewhere(cases, mirror, listed) == []
    assert cases.upstream.bases == [FIRST]


def test_what_was_deleted_meanwhile_stays_forgotten(cases: UseCases, mirror, listed):
    with cases.database.writing() as unit:
        unit.mirror_pages.delete(mirror, DEMO)
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]
    with cases.reading() as unit:
        assert unit.mirror_pages.get(mirror, DEMO) is None


def test_what_came_back_as_another_file_is_not_the_same(cases: UseCases, mirror, listed):
    with cases.database.writing() as unit:
        unit.mirror_pages.delete(mirror, DEMO)
    other = an_upstream_file(OLD.filename, url=NEW.url, hashes={"sha256": "f" * 64})
    cases.upstream.offer("demo", other, base=FIRST)
    cases.mirrors.page(mirror, DEMO)
    assert _elsewhere(cases, mirror, listed) == [(TWIN, AT_TWIN.url)]
