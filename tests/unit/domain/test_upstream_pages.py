"""How fresh a mirror's page is."""

from datetime import timedelta

import pytest

from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import CachedPage, Freshness, Validators, freshness
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
