"""The use cases on fakes, and time that stands still."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from stillroom_server.domain.indexes import Index
from stillroom_server.services import caching
from support.clock import SetClock
from support.fake_upstream import PATIENCE
from support.use_cases import UseCases


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """The time of all services, also that of their memories."""
    clock = SetClock()
    modules = (
        "accounts", "breakers", "companions", "downloads", "eviction", "memberships", "mirrors",
        "name_lists", "page_memory", "page_requests", "passwords", "transfers",
    )  # fmt: skip
    for module in modules:
        monkeypatch.setattr(f"stillroom_server.services.{module}.time", clock)
    return clock


@pytest.fixture
def cases(clock: SetClock) -> UseCases:
    return UseCases(clock=clock)


@pytest.fixture
def mirror(cases: UseCases) -> Index:
    """The mirror root/pypi."""
    return cases.lineage("root/pypi").asked


@pytest.fixture
def wait_for_followers(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Waits until so many have joined work that somebody else is doing."""
    joined = threading.Semaphore(0)

    class WatchedFuture(Future):
        def result(self, timeout: float | None = None) -> object:
            joined.release()
            return super().result(timeout)

    def wait(number: int) -> None:
        for _ in range(number):
            assert joined.acquire(timeout=PATIENCE), "nobody joins"

    monkeypatch.setattr(caching, "Future", WatchedFuture)
    return wait
