"""Row H-10: connections that are all taken by clients who let the server wait.

Who is known is waited for; of strangers, whoever began first goes when somebody new comes.
"""

import http.client
import random
import time
from collections.abc import Callable

import httpx
import pytest

from support.distributions import make_wheel
from support.forms import encode, form_of
from support.raw_http import Wire
from support.servers import ServerProcess

NewWire = Callable[..., Wire]
LIMIT = 20
PROMPT = 5.0
"""Seconds; a newcomer who is not let in waits longer."""

HEADS = {
    "a small body that does not come": b"Content-Length: 10\r\n\r\n",
    "a body in chunks that does not come": b"Transfer-Encoding: chunked\r\n\r\n",
    "half a head": b"",
}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    # A head or a body may take as long as it likes here: only the crowd ends it.
    return {"connections": str(LIMIT), "head_seconds": "300", "slow_seconds": "300"}


def is_served(server: ServerProcess) -> bool:
    """Whether somebody new is answered, on a connection of their own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PROMPT)
    try:
        connection.request("GET", "/+live")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def crowd_in(wire: NewWire, fields: bytes) -> None:
    """Have more strangers than there is room for begin a request, one after the other."""
    for _ in range(3 * LIMIT):
        wire().send(b"POST /+login HTTP/1.1\r\nHost: %HOST%\r\n" + fields)
        time.sleep(0.01)  # until it has been read


def upload_of(root: httpx.Client) -> tuple[bytes, bytes]:
    """The head and the body of an upload by root."""
    noise = random.Random(1).randbytes(200_000)
    body, headers = encode(form_of(make_wheel("crowd", members={"data.bin": noise})))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        "POST /root/stage/ HTTP/1.1\r\nHost: %HOST%\r\n"
        f"Authorization: {root.headers['Authorization']}\r\n"
        f"Content-Length: {len(body)}\r\n{lines}\r\n"
    )
    return head.encode(), body


@pytest.mark.parametrize("what", HEADS)
def test_strangers_who_let_the_server_wait_keep_nobody_out(
    server: ServerProcess, wire: NewWire, what: str
) -> None:
    crowd_in(wire, HEADS[what])
    for _ in range(5):
        assert is_served(server)


def test_an_upload_goes_on_while_strangers_crowd_in(
    server: ServerProcess, wire: NewWire, root: httpx.Client
) -> None:
    head, body = upload_of(root)
    with wire() as uploader:
        uploader.send(head).send(body[:100_000])
        crowd_in(wire, b"Content-Length: 10\r\n\r\n")
        assert is_served(server)
        assert uploader.send(body[100_000:]).answer().status == 200


def test_as_many_may_be_connected_as_the_setting_says(
    server: ServerProcess, wire: NewWire, root: httpx.Client
) -> None:
    # Uploads whose sender is known are never closed for others.
    head, _body = upload_of(root)
    head = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    for _ in range(LIMIT - 1):
        assert wire().send(head).answer().status == 100
    for _ in range(3):
        assert is_served(server)
