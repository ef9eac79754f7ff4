"""Rows H-08 and H-10: clients that send or take next to nothing, and many of them.

The server has few threads and connections here, and little patience. That it answers others
promptly is judged generously: what is tested is that nobody waits for a slow client.
"""

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.raw_http import PATIENCE, Wire, memory_of, spooled_by
from support.servers import ServerProcess

NewWire = Callable[..., Wire]
HEAD_SECONDS, SLOW_SECONDS = 3, 3
LIMIT = 300
THREADS = 8
LINKS = 20_000
FILE_SIZE = 24 * 1024 * 1024
PROMPT = 5.0
"""Seconds; what waits for slow clients takes longer than all their deadlines together."""

LIVE = b"GET /+live HTTP/1.1\r\nHost: %HOST%\r\n\r\n"
PAGE = "/root/pypi/simple/large/"
GET_PAGE = f"GET {PAGE} HTTP/1.1\r\nHost: %HOST%\r\nAccept: text/html\r\n".encode()


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "threads": str(THREADS),
        "connections": str(LIMIT),
        "head_seconds": str(HEAD_SECONDS),
        "slow_seconds": str(SLOW_SECONDS),
    }


@pytest.fixture(scope="module")
def max_growth() -> int:
    """To read and to render a page of so many links takes some."""
    return 256 * 1024 * 1024


@pytest.fixture(scope="module")
def large_page(upstream: LocalUpstream, root: httpx.Client) -> int:
    """The length of the page of the project `large`, which everyone may read."""
    wheel = make_wheel("large")
    for number in range(LINKS):
        name = f"large-1.{number}-py3-none-any.whl"
        upstream.add(dataclasses.replace(wheel, filename=name), core_metadata=False)
    headers = {"Accept": "text/html", "Accept-Encoding": "identity"}
    for _ in range(3):  # fetched, built, in memory
        answer = root.get(PAGE, headers=headers)
        assert answer.status_code == 200
    return len(answer.content)


@contextmanager
def others_are_served_promptly(server: ServerProcess, seconds: float = 4.0) -> Iterator[None]:
    """While the block's clients do their worst, which goes on for some seconds after it."""
    yield
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        began = time.monotonic()
        assert httpx.get(f"{server.url}/+live", timeout=PATIENCE).status_code == 200
        assert time.monotonic() - began < PROMPT
        time.sleep(0.05)


def drip(clients: list[Wire], data: bytes, pause: float) -> None:
    """Send a byte at a time to all who have not been closed."""
    for number in range(len(data)):
        for client in list(clients):
            try:
                client.send(data[number : number + 1])
            except OSError:
                clients.remove(client)
        time.sleep(pause)


# Heads


def test_half_open_connections_hold_up_nobody_and_end(
    server: ServerProcess, wire: NewWire
) -> None:
    clients = [wire() for _ in range(200)]
    dripping = threading.Thread(
        target=drip, args=(list(clients), b"GET /+live HTTP/1.1\r\nX-A: " + b"b" * 20, 0.3)
    )
    with others_are_served_promptly(server):
        dripping.start()
    dripping.join()
    statuses = [client.answer().status for client in clients]
    assert set(statuses) == {408}
    assert all(client.rest() == b"" for client in clients)


def test_who_says_nothing_at_all_is_not_waited_for(wire: NewWire) -> None:
    client = wire()
    assert client.is_closed_within(HEAD_SECONDS + 5)


def test_more_connections_than_there_may_be_leave_room_for_others(
    server: ServerProcess, wire: NewWire
) -> None:
    clients = []
    for _ in range(LIMIT + 200):
        client = wire()
        client.send(b"GET /+live HTTP/1.1\r\n")
        clients.append(client)
    with others_are_served_promptly(server, 2.0):
        pass


def test_a_connection_that_was_used_may_rest(wire: NewWire) -> None:
    client = wire()
    assert client.send(LIVE).answer().status == 200
    time.sleep(HEAD_SECONDS + 2.5)
    assert client.send(LIVE).answer().status == 200


# Bodies


@pytest.mark.parametrize(
    "head",
    [
        b"POST /+login HTTP/1.1\r\nHost: %HOST%\r\nContent-Length: 1000\r\n\r\n",
        b"PATCH /root/stage HTTP/1.1\r\nHost: %HOST%\r\n%WHO%Content-Length: 100000\r\n\r\n",
        b"POST /+login HTTP/1.1\r\nHost: %HOST%\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    ],
    ids=["small", "large", "chunked"],
)
def test_a_body_that_hardly_comes_is_given_up(
    wire: NewWire, root: httpx.Client, head: bytes
) -> None:
    client = wire()
    who = f"Authorization: {root.headers['Authorization']}\r\n"
    client.send(head.replace(b"%WHO%", who.encode()))
    drip([client], b"x" * 20, 0.5)
    answer = client.answer()
    assert answer.status == 408
    assert answer.text.startswith("body: ")


def test_stalled_bodies_hold_up_nobody(server: ServerProcess, wire: NewWire) -> None:
    with others_are_served_promptly(server):
        for _ in range(100):
            wire().send(b"POST /+login HTTP/1.1\r\nHost: %HOST%\r\nContent-Length: 60000\r\n\r\n{")


# Answers


def test_slow_readers_of_a_large_page_hold_no_thread_and_little_memory(
    server: ServerProcess, wire: NewWire, root: httpx.Client, large_page: int
) -> None:
    request = GET_PAGE + f"Authorization: {root.headers['Authorization']}\r\n\r\n".encode()
    before = memory_of(server.pid)
    clients = [wire(receive_buffer=4096) for _ in range(60)]
    with others_are_served_promptly(server):
        for client in clients:
            client.send(request)
    assert memory_of(server.pid) - before < 3 * large_page + 32 * 1024 * 1024
    assert spooled_by(server.pid) == 0
    time.sleep(3 * SLOW_SECONDS)
    assert all(len(client.rest()) < large_page for client in clients)


def test_many_requests_without_reading_the_answers_hold_no_thread(
    server: ServerProcess, wire: NewWire, root: httpx.Client, large_page: int
) -> None:
    request = GET_PAGE + f"Authorization: {root.headers['Authorization']}\r\n\r\n".encode()
    with others_are_served_promptly(server):
        for _ in range(3 * THREADS):
            wire(receive_buffer=4096).send(request * 50)


def test_a_reader_that_takes_its_time_gets_all(
    server: ServerProcess, wire: NewWire, root: httpx.Client, large_page: int
) -> None:
    client = wire(receive_buffer=4096)
    client.send(GET_PAGE + f"Authorization: {root.headers['Authorization']}\r\n".encode())
    client.send(b"Connection: close\r\n\r\n")
    came = 0
    began = time.monotonic()
    while data := client.take(large_page // 200 + 1):
        came += len(data)
        if time.monotonic() - began < 3 * SLOW_SECONDS:
            time.sleep(0.05)
    assert came > large_page


@pytest.mark.parametrize("wanted", ["", "Range: bytes=1-\r\n"], ids=["whole", "part"])
def test_slow_readers_of_files_hold_no_thread(
    server: ServerProcess, wire: NewWire, root: httpx.Client, upstream: LocalUpstream, wanted: str
) -> None:
    path = file_of_mirror(upstream, root, f"kept{len(wanted)}")
    assert len(root.get(path).content) > FILE_SIZE
    request = get_file(root, path, wanted)
    with others_are_served_promptly(server):
        for _ in range(3 * THREADS):
            wire(receive_buffer=4096).send(request)


def test_slow_readers_of_what_is_being_fetched_leave_threads_for_others(
    server: ServerProcess, wire: NewWire, root: httpx.Client, upstream: LocalUpstream
) -> None:
    path = file_of_mirror(upstream, root, "fetched")
    digest = path.split("/")[-2]
    request = get_file(root, path)
    hold = threading.Event()
    upstream.fault(f"/files/{digest}/*.whl", hold=hold)
    clients = [wire(receive_buffer=4096) for _ in range(3 * THREADS)]
    for client in clients:
        client.send(request)
    upstream.wait_for(f"/files/{digest}/*.whl")
    time.sleep(0.5)
    with others_are_served_promptly(server):
        hold.set()
    assert len(root.get(path).content) > FILE_SIZE
    time.sleep(3 * SLOW_SECONDS)
    assert all(len(client.rest()) < FILE_SIZE for client in clients[:THREADS])


def file_of_mirror(upstream: LocalUpstream, root: httpx.Client, project: str) -> str:
    """The address at our server of a large file that the upstream has."""
    noise = random.Random(project).randbytes(FILE_SIZE)
    upstream.add(make_wheel(project, members={"data.bin": noise}))
    page = root.get(
        f"/root/pypi/simple/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    [file] = page.json()["files"]
    return str(page.url.join(file["url"]).path)


def get_file(root: httpx.Client, path: str, fields: str = "") -> bytes:
    authorization = f"Authorization: {root.headers['Authorization']}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: %HOST%\r\n{authorization}{fields}\r\n".encode()


def test_a_hundred_clients_that_come_and_go_are_all_served(server: ServerProcess) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Wire(server.url)) for _ in range(100)]
        for _ in range(3):
            for client in clients:
                client.send(LIVE)
            assert {client.answer().status for client in clients} == {200}
