"""Who is dropped where threads wait for too many clients, and who is too slow."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stillroom_server.app.engine.channel import Pace
from stillroom_server.app.engine.limits import Limits
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
