"""A fetch that a database refuses does not keep the others from being written."""

import random
import string

import pytest

from stillroom_server.domain.identity import NOBODY
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.fetches import FetchCounter
from stillroom_server.services.files import Address
from stillroom_server.services.ports import Database, FetchQuery
from support.rows import NOW

INDEX = IndexName.parse("dev/base")
DEMO = ProjectName("demo")
# No database makes it shorter; Postgres takes no more than a third of a page into an index.
ENDLESS = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=8_000))


@pytest.mark.parametrize("filename", [f"demo-{ENDLESS}.zip", "demo-1\0.zip"], ids=["long", "NUL"])
def test_one_refused_fetch_harms_no_other(database: Database, filename: str) -> None:
    counter = FetchCounter(database, lambda: NOW)
    names = ["demo-1.zip", filename, "demo-2.zip"]
    for name in names:
        counter.note(NOBODY, INDEX, Address(DEMO, "a" * 64, name), INDEX, None)
    assert counter.flush() >= 2
    with database.reading() as unit:
        found = unit.fetches.find(FetchQuery(), 10)
    assert {"demo-1.zip", "demo-2.zip"} <= {fetch.key.filename for fetch in found}
    assert counter.flush() == 0
