"""Rows H-01 (chunks) and H-09: a body is read when it is wanted, and as much of it as may come.

What a form or a JSON body may hold is in tests/web/test_refused_uploads.py and
tests/web/test_json_bodies.py; here it is about what reaches memory and disk at all.
"""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest

from support.distributions import make_wheel
from support.forms import encode, form_of
from support.raw_http import PATIENCE, Wire, spooled_by
from support.servers import ServerProcess

NewWire = Callable[..., Wire]
MAX_FILE = 3 * 1024 * 1024
MAX_FORM = 32 * 1024 * 1024
GIBIBYTE = 1024**3


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"max_file_size": str(MAX_FILE)}


@pytest.fixture
def basic(server: ServerProcess, root: httpx.Client) -> bytes:
    """A header field by which root is known."""
    login = base64.b64encode(f"root:{server.root_password}".encode())
    return b"Authorization: Basic " + login + b"\r\n"


def request(line: bytes, *fields: bytes) -> bytes:
    lines = b"".join(field.rstrip(b"\r\n") + b"\r\n" for field in fields)
    return line + b" HTTP/1.1\r\nHost: %HOST%\r\n" + lines + b"\r\n"


# Refused at the head


def test_a_stranger_cannot_make_the_server_keep_a_body(
    wire: NewWire, server: ServerProcess, root: httpx.Client
) -> None:
    clients = [wire() for _ in range(20)]
    for client in clients:
        client.send(request(b"POST /root/stage/", b"Content-Length: %d" % GIBIBYTE))
        client.send(b"x" * 100_000)
    answers = [client.answer() for client in clients]
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    assert "www-authenticate" in answers[0].headers
    assert spooled_by(server.pid) == 0


LARGE = {
    "H-09 JSON": (b"PUT /root/new", 1024 * 1024 + 1, 413, "body: a JSON body is at most 1 MiB."),
    "H-09 JSON that anybody may send": (b"POST /+login", GIBIBYTE, 413, "1 MiB"),
    "H-09 JSON of a stranger": (b"POST /+login", 100_000, 413, "32 KiB"),
    "H-09 an identity token": (b"POST /_/oidc/mint-token", 100_000, 413, "32 KiB"),
    "a body for a probe": (b"GET /+live", 100_000, 413, "has none"),
    "a body for HEAD": (b"HEAD /+api", 100_000, 413, ""),
    "a body for DELETE": (b"DELETE /root/stage", 100_000, 413, "has none"),
    "H-09 a form": (b"POST /root/stage/", MAX_FILE + MAX_FORM + 1, 413, "max_file_size"),
    "a body for a page": (b"GET /root/stage", 10 * GIBIBYTE, 413, "has none"),
    "a body for nothing": (b"POST /root/absent/", 100_000, 404, "root/absent"),
    "a body for no method": (b"PUT /+api", 100_000, 405, "not possible"),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_body_that_is_not_wanted_is_refused_before_it_comes(
    wire: NewWire, server: ServerProcess, basic: bytes, what: str
) -> None:
    line, length, status, words = LARGE[what]
    sender = b"X-Sender: a stranger" if words == "32 KiB" else basic
    with wire() as client:
        client.send(
            request(line, sender, b"Accept: application/json", b"Content-Length: %d" % length)
        )
        answer = client.answer(head=line.startswith(b"HEAD"))
        assert answer.status == status
        assert words in answer.text
        assert answer.headers["content-type"] == "application/json"
    assert spooled_by(server.pid) == 0


OPEN = (b"GET /+live", b"HEAD /+api", b"POST /+login", b"POST /_/oidc/mint-token")


@pytest.mark.parametrize("line", OPEN)
def test_chunks_of_strangers_reach_no_disk(
    wire: NewWire, server: ServerProcess, line: bytes
) -> None:
    for _ in range(5):
        client = wire().send(request(line, b"Transfer-Encoding: chunked"))
        client.send(b"f0000\r\n" + b"x" * 900_000)
        assert client.answer(head=line.startswith(b"HEAD")).status == 413
        assert spooled_by(server.pid) == 0


def test_a_body_goes_with_its_client(
    wire: NewWire, server: ServerProcess, root: httpx.Client, basic: bytes
) -> None:
    with wire() as client:
        client.send(request(b"POST /root/stage/", basic, b"Content-Length: 3000000"))
        client.send(b"x" * 2_000_000)
        wait_until(lambda: spooled_by(server.pid) > 1_000_000)
    wait_until(lambda: spooled_by(server.pid) == 0)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_writes_on_sees_the_answer_and_no_reset(wire: NewWire, root: httpx.Client) -> None:
    with wire() as client:
        client.send(request(b"POST /root/stage/", b"Content-Length: 20000000"))
        for _ in range(200):
            client.send(b"x" * 100_000)
        assert client.answer().status == 401


def test_a_client_that_waits_is_told_before_it_sends(wire: NewWire, basic: bytes) -> None:
    expects = b"Expect: 100-continue"
    with wire() as client:
        length = b"Content-Length: %d" % GIBIBYTE
        answer = client.send(request(b"POST /root/stage/", expects, length)).answer()
        assert answer.status == 401


@pytest.mark.parametrize("length", [100, 70_000])
def test_a_client_that_waits_is_asked_to_go_on(wire: NewWire, basic: bytes, length: int) -> None:
    body = b'{"title": "' + b"x" * (length - 13) + b'"}'
    fields = (basic, b"Expect: 100-continue", b"Content-Length: %d" % len(body))
    with wire() as client:
        assert client.send(request(b"PATCH /root/stage", *fields)).answer().status == 100
        assert client.send(body).answer().status in {200, 400}


def test_without_room_for_a_body_it_is_refused_at_its_head(
    wire: NewWire, tmp_path, server: ServerProcess
) -> None:
    with (
        ServerProcess(tmp_path / "data", max_file_size=str(10**17)) as roomy,
        closing(roomy.login()) as root,
    ):
        assert root.put("/root/stage", json={}).status_code == 200
        authorization = root.headers["Authorization"].encode()
        with Wire(roomy.url) as client:
            length = b"Content-Length: %d" % 10**16
            authorized = b"Authorization: " + authorization
            client.send(request(b"POST /root/stage/", authorized, length))
            answer = client.answer()
    assert answer.status == 507
    assert "no room" in answer.text
    assert int(answer.headers["retry-after"]) > 0


# Read as it comes


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1_000, 300_000])
def test_uploads_in_chunks_arrive_whole(root: httpx.Client, size: int) -> None:
    wheel = make_wheel("chunked", f"{size}.0", members={"data.bin": bytes(range(256)) * 4_000})
    body, headers = encode(form_of(wheel))
    answer = root.post("/root/stage/", content=chunks(body, size), headers=headers)
    assert answer.status_code == 200, answer.text
    [file] = root.get(
        "/root/stage/simple/chunked/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    ).json()["files"][-1:]
    url = root.base_url.join("/root/stage/simple/chunked/").join(file["url"])
    assert root.get(url).content == wheel.content


def test_a_body_of_unknown_length_ends_at_its_bound(
    wire: NewWire, server: ServerProcess, basic: bytes
) -> None:
    with wire() as client:
        client.send(request(b"PUT /root/new", basic, b"Transfer-Encoding: chunked"))
        for _ in range(40):
            client.send(b"%x\r\n" % 100_000 + b"x" * 100_000 + b"\r\n")
        answer = client.answer()
    assert answer.status == 413
    assert "1 MiB" in answer.text
    assert spooled_by(server.pid) < 2 * 1024 * 1024


def test_a_chunk_over_the_bound_is_refused_before_it_comes(wire: NewWire, basic: bytes) -> None:
    with wire() as client:
        client.send(request(b"PUT /root/new", basic, b"Transfer-Encoding: chunked"))
        assert client.send(b"ffffffff\r\n").answer().status == 413


JUNK = {
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with a space": b"2 \r\n{}\r\n0\r\n\r\n",
    "a space before a size": b" 2\r\n{}\r\n0\r\n\r\n",
    "a size with an underscore": b"0_2\r\n{}\r\n0\r\n\r\n",
    "a size of many digits": b"0" * 40 + b"2\r\n{}\r\n0\r\n\r\n",
    "LF after a size": b"2\n{}\r\n0\r\n\r\n",
    "LF in a size": b"2\n\r\n{}\r\n0\r\n\r\n",
    "LF after a chunk": b"2\r\n{}\n0\r\n\r\n",
    "more than the size": b"2\r\n{}}\r\n0\r\n\r\n",
    "an extension without a name": b"2;\r\n{}\r\n0\r\n\r\n",
    "an extension with LF": b"2;a=\n\r\n{}\r\n0\r\n\r\n",
    "an extension with CR": b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "a long extension": b"2;a=" + b"b" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
    "a trailer that is no field": b"2\r\n{}\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    "LF after a trailer": b"2\r\n{}\r\n0\r\nX-A: b\n\r\n",
    "LF at the end": b"2\r\n{}\r\n0\r\n\n",
}


@pytest.mark.parametrize("what", JUNK)
def test_junk_between_chunks_is_refused_and_ends_the_connection(wire: NewWire, what: str) -> None:
    smuggled = b"GET /+api HTTP/1.1\r\nHost: %HOST%\r\n\r\n"
    with wire() as client:
        client.send(request(b"POST /+login", b"Transfer-Encoding: chunked"))
        client.send(JUNK[what] + smuggled)
        answer = client.answer()
        assert answer.status == 400
        assert answer.text.startswith("body: ")
        assert client.rest() == b""


def test_a_trailer_has_a_bound(wire: NewWire) -> None:
    with wire() as client:
        client.send(request(b"POST /+login", b"Transfer-Encoding: chunked"))
        client.send(b"2\r\n{}\r\n0\r\n" + b"A: bcdefgh\r\n" * 1_000)
        assert client.answer().status == 431


GOOD = {
    "one chunk": b"2\r\n{}\r\n0\r\n\r\n",
    "two chunks": b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "zeros before a size": b"0002\r\n{}\r\n000\r\n\r\n",
    "extensions": b'2;a;b=c ; d="e\\"f"\r\n{}\r\n0\r\n\r\n',
    "a trailer": b"2\r\n{}\r\n0\r\nX-A: b\r\nX-B:\r\n\r\n",
}


@pytest.mark.parametrize("what", GOOD)
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_chunks_are_put_together_and_the_connection_goes_on(
    wire: NewWire, what: str, size: int
) -> None:
    raw = request(b"POST /+login", b"Transfer-Encoding: chunked") + GOOD[what]
    with wire() as client:
        for part in chunks(raw.replace(b"%HOST%", client.host.encode()), size):
            client.send(part)
        answer = client.answer()
        assert (answer.status, "user" in answer.text) == (400, True)
        client.send(b"GET /+live HTTP/1.1\r\nHost: %HOST%\r\n\r\n")
        assert client.answer().status == 200


def test_large_and_small_requests_follow_each_other_on_a_connection(
    server: ServerProcess, basic: bytes
) -> None:
    # Too large for a title: what is wrong is told when the whole body is here.
    large = b'{"title": "' + b"x" * 100_000 + b'\\u0000"}'
    head = request(b"PATCH /root/stage", basic, b"Content-Length: %d" % len(large))
    small = request(b"GET /+live")

    def talk(_number: int) -> list[int]:
        with Wire(server.url) as client:
            client.send((small + head + large + small + small) * 10)
            return [client.answer().status for _ in range(40)]

    with ThreadPoolExecutor(10) as pool:
        for statuses in pool.map(talk, range(20)):
            assert statuses == [200, 400, 200, 200] * 10


# What it costs


def test_small_requests_are_answered_while_bodies_are_asked_about(
    server: ServerProcess, root: httpx.Client
) -> None:
    ended = threading.Event()

    def ask_for_ever() -> int:
        asked = 0
        while not ended.is_set():
            with Wire(server.url) as client:
                head = request(b"POST /root/stage/", b"Content-Length: %d" % GIBIBYTE)
                assert client.send(head).answer().status == 401
                asked += 1
        return asked

    with ThreadPoolExecutor() as pool:
        askers = [pool.submit(ask_for_ever) for _ in range(4)]
        began = time.monotonic()
        for _ in range(50):
            assert httpx.get(f"{server.url}/+live").status_code == 200
        seconds = time.monotonic() - began
        ended.set()
        assert sum(asker.result() for asker in askers) > 0
    assert seconds < 20
