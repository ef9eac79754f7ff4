"""How many connections there may be; who is dropped for others, and who is too slow."""

import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stillroom_server.app.engine.channel import Pace
from stillroom_server.app.engine.limits import UNASKED_BYTES, Limits
from stillroom_server.app.engine.request import Request
from stillroom_server.app.engine.running import allowed
from stillroom_server.app.engine.server import Server


class Client:
    """A connection that has taken so many bytes lately."""

    def __init__(self, taken: int) -> None:
        self.connected = True
        self._taken = taken

    def taken_lately(self) -> int:
        return self._taken

    def handle_close(self) -> None:
        self.connected = False


@pytest.fixture
def server() -> Iterator[Server]:
    """One of whose eight threads four may wait."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        made = Server(None, bound, threads=8, limits=Limits(), sockets={})
        yield made
        made.task_dispatcher.shutdown()
        made.close()


def test_half_of_the_threads_may_wait_and_of_more_the_slowest_client_is_dropped(
    server: Server,
) -> None:
    clients = [Client(taken) for taken in (500, 20, 300, 400, 100)]
    with ExitStack() as stack:
        for client in clients[:4]:
            stack.enter_context(server.waiting(client))  # type: ignore[arg-type]
        server.tidy()
        assert all(client.connected for client in clients)
        stack.enter_context(server.waiting(clients[4]))  # type: ignore[arg-type]
        server.tidy()
        assert [client.connected for client in clients] == [True, False, True, True, True]


def test_a_body_that_nobody_is_asked_about_reaches_no_disk(server: Server) -> None:
    request = Request(server.adj)
    request.received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % UNASKED_BYTES)
    for _ in range(UNASKED_BYTES // 1024):
        request.received(b"x" * 1024)
    assert (request.asks, request.completed) == (False, True)
    assert not request.body_rcv.getbuf().overflowed


def test_who_has_waited_counts_no_more(server: Server) -> None:
    clients = [Client(0) for _ in range(20)]
    for client in clients:
        with server.waiting(client):  # type: ignore[arg-type]
            server.tidy()
    assert all(client.connected for client in clients)


def test_a_rate_is_judged_over_whole_stretches_of_time() -> None:
    pace = Pace(100.0, 1_000)
    assert not pace.is_too_slow(109.0, 1_000, seconds=10, rate=5)
    assert not pace.is_too_slow(110.0, 1_050, seconds=10, rate=5)
    # A burst before does not count for the next stretch.
    assert not pace.is_too_slow(119.9, 1_050, seconds=10, rate=5)
    assert pace.is_too_slow(120.0, 1_099, seconds=10, rate=5)


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "possible"),
    [
        (1024, 100_000, 1000, 1000),
        (200, 200, 1000, 33),
        (1024, 1024, 1000, 256),
        (1024, 4096, 1000, 1000),
        (1024, resource.RLIM_INFINITY, 1000, 1000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, 1000),
        (3, 3, 1000, 1),
    ],
)
def test_no_more_connections_than_files_allow(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    wanted: int,
    possible: int,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: asked.append(limits[0]))
    with caplog.at_level(logging.WARNING):
        assert allowed(wanted) == possible
    assert all(hard in {resource.RLIM_INFINITY} or files <= hard for files in asked)
    assert len(caplog.records) == (possible < wanted)
