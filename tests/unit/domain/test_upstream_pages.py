"""What a mirror remembers of its upstream, and how fresh that is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import (
    CachedPage,
    Freshness,
    Seen,
    Validators,
    freshness,
    remember,
)
from support.rows import NOW
from support.values import an_upstream_file

MINUTE = timedelta(minutes=1)
PAGE = CachedPage(ProjectName("demo"), (an_upstream_file(),), True, Validators("e"), NOW)


@pytest.mark.parametrize(
    ("age", "expiry", "expected"),
    [
        (timedelta(0), MINUTE, Freshness.FRESH),
        (MINUTE - timedelta(microseconds=1), MINUTE, Freshness.FRESH),
        (MINUTE, MINUTE, Freshness.EXPIRED),
        (timedelta(days=900), MINUTE, Freshness.EXPIRED),
        (timedelta(0), timedelta(0), Freshness.EXPIRED),
        (-timedelta(microseconds=1), MINUTE, Freshness.EXPIRED),
        (-timedelta(days=900), MINUTE, Freshness.EXPIRED),
    ],
    ids=["now", "almost", "over", "long over", "never fresh", "clock set back", "from the future"],
)
def test_a_page_is_fresh_while_it_is_younger_than_its_expiry(age, expiry, expected):
    assert freshness(PAGE, expiry, NOW + age) is expected


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"checked": NOW + MINUTE}, True),
        ({"validators": Validators("other")}, True),
        ({"seen": {"x": Seen(None, NOW)}}, True),
        ({"exists": False}, False),
        ({"files": ()}, False),
        ({"files": (an_upstream_file(yanked=True),)}, False),
    ],
    ids=["checked", "validators", "seen", "gone", "no files", "yanked"],
)
def test_two_pages_say_the_same_when_an_installer_sees_no_difference(change, same):
    assert PAGE.says_the_same(replace(PAGE, **change)) is same


def test_a_new_file_is_remembered_with_its_digest_and_time():
    file = an_upstream_file("demo-1.0.tar.gz", hashes={"sha256": "a"})
    assert remember((file,), {}, NOW) == {"demo-1.0.tar.gz": Seen("a", NOW)}


@pytest.mark.parametrize(
    ("seen", "digest", "remembered"),
    [
        (Seen("a", NOW), "a", Seen("a", NOW)),
        (Seen("a", NOW), "b", Seen("a", NOW)),
        (Seen("a", NOW), None, Seen("a", NOW)),
        (Seen(None, NOW), "b", Seen("b", NOW)),
        (Seen(None, NOW), None, Seen(None, NOW)),
    ],
    ids=["same", "changed", "no longer said", "said later", "never said"],
)
def test_what_was_seen_first_of_a_file_stays(seen, digest, remembered):
    hashes = {} if digest is None else {"sha256": digest}
    file = an_upstream_file("demo-1.0.tar.gz", hashes=hashes)
    later = NOW + MINUTE
    assert remember((file,), {file.filename: seen}, later) == {file.filename: remembered}


def test_a_file_that_is_listed_no_more_is_still_remembered():
    seen = {"old-1.0.tar.gz": Seen("a", NOW)}
    both = remember((an_upstream_file("new-1.0.tar.gz"),), seen, NOW)
    assert set(both) == {"old-1.0.tar.gz", "new-1.0.tar.gz"}
    assert set(seen) == {"old-1.0.tar.gz"}
