"""Rows H-01, H-02, H-06: heads that two programs could read differently, or that are too large.

Each gets one answer, which names what is wrong; what follows it on the connection is dropped, so
that it is never a request. Control characters in names that come decoded (`%0d%0a`) stand in
tests/web/test_page_addresses.py.
"""

from collections.abc import Callable

import pytest

from support.raw_http import Wire
from support.servers import ServerProcess

NewWire = Callable[..., Wire]
SMUGGLED = b"GET /+api HTTP/1.1\r\nHost: %HOST%\r\n\r\n"
HOST = b"Host: %HOST%\r\n"


def post(*fields: bytes, body: bytes = b"", host: bytes = HOST) -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST /+login HTTP/1.1\r\n" + host + lines + b"\r\n" + body


def get(*fields: bytes, target: bytes = b"/+api", version: bytes = b"HTTP/1.1") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"GET " + target + b" " + version + b"\r\n" + HOST + lines + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
H01 = {
    "length beside coding": post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "coding beside length": post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2", b"Content-Length: 3", body=b"{}"),
    "two equal lengths": post(b"Content-Length: 2", b"Content-Length: 2", body=b"{}"),
    "a list of lengths": post(b"Content-Length: 2, 2", body=b"{}"),
    "two codings": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "a list of codings": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "no coding": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "a coding with HTTP/1.0": post(CHUNKED, body=b"0\r\n\r\n").replace(b"/1.1", b"/1.0"),
    "a length with a sign": post(b"Content-Length: +3", body=b"{}x"),
    "a negative length": post(b"Content-Length: -1"),
    "a length in hexadecimal": post(b"Content-Length: 0x3", body=b"{}x"),
    "a length with a space in it": post(b"Content-Length:  3 3", body=b"{}x"),
    "a length of nothing": post(b"Content-Length:"),
    "a length with an underscore": post(b"Content-Length: 1_0", body=b"{}x"),
    "a length in digits of another script": post("Content-Length: ٣".encode(), body=b"{}x"),
    "a length of 5,000 digits": post(b"Content-Length: " + b"9" * 5_000),
    "a folded field": get(b"X-A: b", b" c"),
    "a folded length": post(b"Content-Length:", b" 2", body=b"{}"),
    "a first field that is folded": b"GET /+api HTTP/1.1\r\n Host: %HOST%\r\n\r\n",
    "two hosts": get(b"Host: other.example"),
    "no host": b"GET /+api HTTP/1.1\r\n\r\n",
    "LF in the place of CR LF": b"GET /+api HTTP/1.1\nHost: %HOST%\n\n",
    "LF after a field": b"GET /+api HTTP/1.1\r\nHost: %HOST%\nX-A: b\r\n\r\n",
    "LF at the end": b"GET /+api HTTP/1.1\r\nHost: %HOST%\r\n\n",
    "CR in a field": get(b"X-A: b\rX-B: c"),
    "CR at the end of a field": get(b"X-A: b\r"),
    "white space before the colon": post(b"Content-Length : 2", body=b"{}"),
    "a field without a colon": get(b"nonsense"),
    "a field without a name": get(b": b"),
    "a name with a space": get(b"X A: b"),
    "two credentials": get(b"Authorization: Basic eDp4", b"Authorization: Basic eTp5"),
    "another host in the target": get(target=b"http://other.example/+api"),
    "another port in the target": get(target=b"http://localhost:1/+api"),
    "a target without a slash": get(target=b"+api"),
    "a target of one star": get(target=b"*"),
    "a fragment": get(target=b"/+api#x"),
    "two spaces": b"GET  /+api HTTP/1.1\r\nHost: %HOST%\r\n\r\n",
    "no version": b"GET /+api\r\nHost: %HOST%\r\n\r\n",
    "a method in small letters": b"get /+api HTTP/1.1\r\nHost: %HOST%\r\n\r\n",
    "a space before the method": b" GET /+api HTTP/1.1\r\nHost: %HOST%\r\n\r\n",
    "many empty lines": b"\r\n" * 10 + get(),
}
NOT_IMPLEMENTED = {
    "an unknown coding": post(b"Transfer-Encoding: gzip", body=b"x"),
    "identity": post(b"Transfer-Encoding: identity", body=b"x"),
    "an unknown coding before": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "a coding with a vertical space": post(b"Transfer-Encoding: chunked\xa0", body=b"0\r\n\r\n"),
}
VERSIONS = {
    "HTTP/1.2": get(version=b"HTTP/1.2"),
    "HTTP/2.0": get(version=b"HTTP/2.0"),
    "HTTP/0.9": get(version=b"HTTP/0.9"),
}
H02_FIELDS = {
    "300 KB in a field": get(b"X-A: " + b"b" * 300_000),
    "300 KB in fields": get(*[b"X-A: " + b"b" * 3_000] * 100),
    "10,000 fields": get(*[b"A: b"] * 10_000),
    "101 fields": get(*[b"A: b"] * 100),
}
H02_TARGETS = {
    "a target of 64 KB": get(target=b"/" + b"a" * 65_536),
    "a target of 300 KB": get(target=b"/" + b"a" * 300_000),
    "a query of 9 KB": get(target=b"/+api?" + b"a" * 9_000),
}
H06 = {
    "NUL in a value": get(b"X-A: b\0c"),
    "NUL in the target": get(target=b"/+a\0pi"),
    "ESC in a value": get(b"X-A: b\x1bc"),
    "DEL in a value": get(b"X-A: b\x7fc"),
    "a vertical tab in a value": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "TAB in the target": get(target=b"/+a\tpi"),
    "CR in the target": get(target=b"/+api\rX-Evil: 1"),
    "NUL in the host": b"GET /+api HTTP/1.1\r\nHost: %HOST%\0\r\n\r\n",
}
CASES = [
    *[pytest.param(400, raw, id=f"H-01 {what}") for what, raw in H01.items()],
    *[pytest.param(501, raw, id=f"H-01 {what}") for what, raw in NOT_IMPLEMENTED.items()],
    *[pytest.param(505, raw, id=f"H-01 {what}") for what, raw in VERSIONS.items()],
    *[pytest.param(431, raw, id=f"H-02 {what}") for what, raw in H02_FIELDS.items()],
    *[pytest.param(414, raw, id=f"H-02 {what}") for what, raw in H02_TARGETS.items()],
    *[pytest.param(400, raw, id=f"H-06 {what}") for what, raw in H06.items()],
]


@pytest.mark.parametrize(("status", "raw"), CASES)
def test_a_bad_head_gets_one_answer_and_nothing_after_it(
    wire: NewWire, status: int, raw: bytes
) -> None:
    with wire() as client:
        client.send(raw + SMUGGLED)
        answer = client.answer()
        assert answer.status == status
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-devpi-api-version"] == "2"
        assert answer.text.count("\n") == 1
        assert answer.text.strip() == answer.reason
        assert client.rest() == b""


@pytest.mark.parametrize("raw", [H01["LF after a field"], H02_FIELDS["10,000 fields"]])
def test_a_bad_head_is_refused_however_it_is_cut(wire: NewWire, raw: bytes) -> None:
    for size in (1, 7, 1_000):
        with wire() as client:
            head = raw[:20_000] if size == 1 else raw
            for start in range(0, min(len(head), 200 * size), size):
                client.send(head[start : start + size])
            if b"A: b" in raw:
                client.send(b"A: b\r\n" * 20_000 if size != 1 else raw[200:])
            assert client.answer().status in {400, 431}


GOOD = {
    "the absolute form": get(target=b"http://%HOST%/+api"),
    "the absolute form in capital letters": b"GET http://LOCALHOST:1/+api HTTP/1.1\r\n"
    b"Host: localhost:1\r\n\r\n",
    "HTTP/1.0 without a host": b"GET /+api HTTP/1.0\r\n\r\n",
    "an empty line before": b"\r\n" + get(),
    "99 fields more": get(*[b"A: b"] * 99),
    "an empty value": get(b"X-A:"),
    "spaces around a value": get(b"X-A:  \t b c \t "),
    "other characters in a value": get("X-A: é".encode()),
    "a target of 8,000 bytes": get(target=b"/+api?" + b"a" * 8_000),
    "a header with an underscore, which is dropped": get(b"Content_Length: 5"),
    "a method of whatever name": get().replace(b"GET", b"HEAD"),
}


@pytest.mark.parametrize("what", GOOD)
def test_what_is_unusual_and_good_is_served(wire: NewWire, what: str) -> None:
    with wire() as client:
        answer = client.send(GOOD[what]).answer(head="method" in what)
        assert answer.status == 200


def test_requests_one_after_the_other_are_answered_in_order(
    wire: NewWire, server: ServerProcess
) -> None:
    login = post(b"Content-Length: 2", body=b"{}")
    with wire() as client:
        client.send((get() + login + get(target=b"/+live")) * 20)
        statuses = [client.answer().status for _ in range(60)]
        assert statuses == [200, 400, 200] * 20


@pytest.mark.parametrize("options", [b"close", b"close, TE", b"TE , Close"])
def test_a_client_that_says_close_among_other_options_is_closed(
    wire: NewWire, options: bytes
) -> None:
    with wire() as client:
        answer = client.send(get(b"Connection: " + options, b"TE: trailers")).answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.is_closed_within(5)


def test_other_options_of_a_connection_keep_it_open(wire: NewWire) -> None:
    with wire() as client:
        for _ in range(2):
            asked = get(b"Connection: keep-alive, TE, closed", b"TE: trailers")
            assert client.send(asked).answer().status == 200
