"""Laws 2 and 10 while the journal forgets: pages, ETags and listeners need its old rows.

Two servers work on one database, as two processes do; each keeps pages in its own memory.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from stillroom_server.domain.events import JournalEntry
from stillroom_server.plugin.api import hookimpl
from stillroom_server.services.audit import PruneReport
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.clock import SetClock
from support.distributions import make_sdist, make_wheel
from support.site import JSON, Site, new_index, new_site, upload

WHEEL, SDIST, NEXT = (
    make_wheel("demo", "1.0"),
    make_sdist("demo", "1.0"),
    make_wheel("demo", "2.0"),
)
PAGE = "/dev/heir/simple/demo/"
LIST = "/dev/heir/simple/"


class Recorder:
    """A plugin that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[JournalEntry] = []

    @hookimpl
    def stillroom_event(self, entry: JournalEntry) -> None:
        self.told.append(entry)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    clock = SetClock()
    monkeypatch.setattr("stillroom_server.app.assembly.utc_now", clock)
    return clock


@pytest.fixture
def sites(
    database_url: str, blob_store: DiskBlobStore, clock: SetClock, recorder: Recorder
) -> Iterator[list[Site]]:
    """Two processes on each kind of database, with dev/heir that inherits from dev/stage."""
    with ExitStack() as stack:
        found: list[Site] = []
        for _ in range(2):
            database = SqlDatabase(database_url, clock=clock)
            stack.callback(database.close)
            plugins = {"recorder": recorder}
            site = new_site(database, blob_store, extra_plugins=plugins, audit_days=1)
            found.append(stack.enter_context(site))
        dev = found[0].new_user("dev")
        new_index(dev, "dev/stage")
        new_index(dev, "dev/heir", bases="dev/stage")
        yield found


@pytest.fixture
def dev(sites: list[Site]) -> list[httpx.Client]:
    """The user `dev`, as a client of each process."""
    return [site.user("dev") for site in sites]


@pytest.fixture
def prune(sites: list[Site], clock: SetClock) -> Callable[[], PruneReport]:
    """Lets all become too old, and the second process prune; it must have something to do."""

    def prune() -> PruneReport:
        for site in sites:
            site.server.events.tell_all()
        clock.advance(days=2)
        report = sites[1].server.pruning.run()
        assert report.deleted > 0
        return report

    return prune


def get(client: httpx.Client, url: str = PAGE, etag: str | None = None) -> httpx.Response:
    headers = {"Accept": JSON} | ({"If-None-Match": etag} if etag else {})
    return client.get(url, headers=headers)


@pytest.mark.parametrize("url", [PAGE, LIST])
def test_what_did_not_change_is_the_same_after_pruning(
    dev: list[httpx.Client], prune: Callable[[], PruneReport], url: str
) -> None:
    upload(dev[0], "dev/stage", WHEEL, SDIST)
    before = [get(client, url) for client in dev]
    assert {answer.status_code for answer in before} == {200}
    prune()
    for client, old in zip(dev, before, strict=True):
        assert get(client, url, old.headers["ETag"]).status_code == 304
        assert get(client, url).content == old.content


@pytest.mark.parametrize("url", [PAGE, LIST])
def test_a_change_is_seen_although_its_row_is_old(
    dev: list[httpx.Client], prune: Callable[[], PruneReport], url: str
) -> None:
    upload(dev[0], "dev/stage", WHEEL)
    before = [get(client, url) for client in dev]
    upload(dev[0], "dev/stage", SDIST, NEXT, make_wheel("other"))
    prune()
    for client, old in zip(dev, before, strict=True):
        answer = get(client, url, old.headers["ETag"])
        assert answer.status_code == 200
        assert answer.content != old.content


def test_the_end_of_a_project_is_seen_although_its_row_is_old(
    dev: list[httpx.Client], prune: Callable[[], PruneReport]
) -> None:
    upload(dev[0], "dev/stage", WHEEL)
    assert [get(client).status_code for client in dev] == [200, 200]
    assert dev[0].delete("/dev/stage/demo").status_code == 200
    prune()
    assert "demo" not in {p["name"] for p in get(dev[1], LIST).json()["projects"]}
    # root/pypi is no base, so that nobody has it now.
    assert [get(client).status_code for client in dev] == [404, 404]


def test_a_change_of_options_is_seen_although_its_row_is_old(
    dev: list[httpx.Client], prune: Callable[[], PruneReport]
) -> None:
    upload(dev[0], "dev/stage", WHEEL)
    assert [get(client).status_code for client in dev] == [200, 200]
    for bases in ("root/pypi", ""):
        assert dev[0].patch("/dev/heir", json=[f"bases={bases}"]).status_code == 200
    prune()
    assert [get(client).status_code for client in dev] == [404, 404]


def test_a_change_after_pruning_is_seen_by_both(
    dev: list[httpx.Client], prune: Callable[[], PruneReport]
) -> None:
    upload(dev[0], "dev/stage", WHEEL, SDIST)
    prune()
    before = [get(client) for client in dev]
    upload(dev[0], "dev/stage", NEXT)
    for client, old in zip(dev, before, strict=True):
        assert len(get(client, etag=old.headers["ETag"]).json()["files"]) == 3


def test_pruning_takes_no_serial_and_leaves_no_names(
    sites: list[Site], dev: list[httpx.Client], prune: Callable[[], PruneReport]
) -> None:
    upload(dev[0], "dev/stage", WHEEL, SDIST)
    before = sites[0].database.serial()
    prune()
    assert sites[0].database.serial() == before
    with sites[0].database.reading() as unit:
        entries = unit.journal.since(0, 1_000)
    assert entries
    for entry in entries:
        event = entry.event
        assert (event.actor, event.user, event.token, event.address, event.request) == (None,) * 5
        assert event.details == {}


def test_a_listener_is_told_all_that_was_pruned_around_it(
    sites: list[Site],
    dev: list[httpx.Client],
    clock: SetClock,
    recorder: Recorder,
) -> None:
    upload(dev[0], "dev/stage", WHEEL)
    sites[0].server.events.tell_all()
    recorder.told.clear()
    upload(dev[0], "dev/stage", SDIST, NEXT)
    clock.advance(days=2)
    assert sites[1].server.pruning.run().deleted > 0
    sites[1].server.events.tell_all()
    told = [(entry.event.actor, entry.event.details["filename"]) for entry in recorder.told]
    assert told == [("dev", SDIST.filename), ("dev", NEXT.filename)]


def test_two_prune_at_the_same_time(
    sites: list[Site], dev: list[httpx.Client], prune: Callable[[], PruneReport]
) -> None:
    upload(dev[0], "dev/stage", WHEEL, SDIST)
    prune()
    assert sites[0].server.pruning.run() == PruneReport()
    assert len(get(dev[0]).json()["files"]) == 2
