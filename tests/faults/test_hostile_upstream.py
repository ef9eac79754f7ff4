"""The hostile upstream itself does what it says, as a plain client sees it.

What is proved here is what the other tests of this folder rest on.
"""

import gzip
import hashlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillroom_server.testing import (
    CERTIFICATE,
    LAST_MODIFIED,
    UPLOAD_TIME,
    Distribution,
    HttpServer,
    LocalUpstream,
    basic_authorization,
    bearer_authorization,
    generated_name,
)
from support.distributions import make_wheel

WHEEL = make_wheel("example", "1.0")
PAGE = "/simple/example/"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
HTML = {"Accept": "text/html"}


@pytest.fixture
def up() -> Iterator[LocalUpstream]:
    with LocalUpstream() as running:
        running.add(WHEEL)
        yield running


class Answer:
    """Status, headers and body of an answer that was read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def ask(up: HttpServer, path: str, method: str = "GET", **headers: str) -> Answer:
    """Ask on a connection of its own; raises what breaks off."""
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def page(up: LocalUpstream) -> dict:
    return json.loads(ask(up, PAGE, **JSON).body)


def file_path(up: LocalUpstream, wheel: Distribution = WHEEL) -> str:
    return up.file_url(wheel).removeprefix(up.root)


# What goes wrong


def test_a_fault_happens_as_often_as_is_said_and_to_one_in_so_many(up: LocalUpstream) -> None:
    up.fault(PAGE, status=503, times=2)
    up.fault("/simple/*", status=500, every=3)
    assert [ask(up, PAGE).status for _ in range(8)] == [503, 503, 200, 200, 500, 200, 200, 500]
    up.heal()
    assert {ask(up, PAGE).status for _ in range(3)} == {200}


def test_corrupt_content_has_the_right_length_and_another_last_byte(up: LocalUpstream) -> None:
    up.fault("/files/*", corrupt=True)
    body = ask(up, file_path(up)).body
    assert body[:-1] == WHEEL.content[:-1]
    assert body[-1] != WHEEL.content[-1]


def test_a_streamed_body_can_be_corrupt_and_cut(up: LocalUpstream) -> None:
    up.generated_names = 100
    whole = ask(up, "/simple/", **JSON).body
    up.fault("/simple/", corrupt=True, times=1)
    assert ask(up, "/simple/", **JSON).body == whole[:-1] + bytes([whole[-1] ^ 0xFF])
    up.fault("/simple/", then="close", after=50)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(up, "/simple/", **JSON)
    assert whole.startswith(caught.value.partial)


@pytest.mark.parametrize("off", [-5, 5])
def test_a_length_that_is_said_is_not_the_true_one(up: LocalUpstream, off: int) -> None:
    up.fault("/files/*", length=len(WHEEL.content) + off)
    if off > 0:
        with pytest.raises(http.client.IncompleteRead):
            ask(up, file_path(up))
    else:
        assert ask(up, file_path(up)).body == WHEEL.content[:off]


def test_a_bomb_is_small_and_unpacks_to_its_size(up: LocalUpstream) -> None:
    up.fault(PAGE, bomb=30_000_001)
    answer = ask(up, PAGE)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 100_000
    assert gzip.decompress(answer.body) == bytes(30_000_001)


@pytest.mark.parametrize("status", [None, 307])
def test_a_redirect_leads_where_it_is_told(up: LocalUpstream, status: int | None) -> None:
    up.fault(PAGE, redirect="file:///etc/passwd", status=status)
    answer = ask(up, PAGE)
    assert (answer.status, answer.headers["Location"]) == (status or 302, "file:///etc/passwd")


def test_garbage_need_not_be_http(up: LocalUpstream) -> None:
    up.fault(PAGE, raw=b"\x00\x01 good morning\r\n\r\n")
    with pytest.raises(http.client.BadStatusLine):
        ask(up, PAGE)


def received(up: LocalUpstream, path: str, seconds: float) -> tuple[bytes, str]:
    """What a raw connection gets, and how it ended: closed, reset or silence."""
    with socket.create_connection(("127.0.0.1", up.port)) as client:
        client.settimeout(seconds)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while True:
            try:
                part = client.recv(65536)
            except TimeoutError:
                return data, "silence"
            except ConnectionResetError:
                return data, "reset"
            if not part:
                return data, "closed"
            data += part


@pytest.mark.parametrize(
    ("then", "ending"), [("stall", "silence"), ("close", "closed"), ("reset", "reset")]
)
@pytest.mark.parametrize("after", [None, 0, 10])
def test_an_answer_ends_as_it_is_told(
    up: LocalUpstream, then: str, ending: str, after: int | None
) -> None:
    up.fault("/files/*", then=then, after=after)
    data, ended = received(up, file_path(up), 0.3)
    assert ended == ending
    if then != "reset":  # that takes with it what was not read yet
        assert data.partition(b"\r\n\r\n")[2] == WHEEL.content[: after or 0]
        assert data.startswith(b"HTTP/1.1 200 OK") == (after is not None)


def test_an_answer_waits_for_what_it_is_told(up: LocalUpstream) -> None:
    hold, answers = threading.Event(), []
    up.fault(PAGE, hold=hold)
    asking = threading.Thread(target=lambda: answers.append(ask(up, PAGE).status))
    asking.start()
    up.wait_for(PAGE)
    assert answers == []
    hold.set()
    asking.join()
    assert answers == [200]


def test_an_answer_comes_late_or_byte_by_byte(up: LocalUpstream) -> None:
    up.fault(PAGE, delay=0.3, times=1)
    up.fault(PAGE, drip=0.002)
    for _ in range(2):
        begun = time.monotonic()
        assert ask(up, PAGE).status == 200
        assert time.monotonic() - begun > 0.25


def test_who_is_waited_for_and_does_not_come_is_an_error(up: LocalUpstream) -> None:
    ask(up, PAGE)
    up.wait_for(PAGE)
    with pytest.raises(TimeoutError, match="no 2 requests for /simple"):
        up.wait_for(PAGE, 2, timeout=0.05)


def test_it_stops_and_starts_on_the_same_port(up: LocalUpstream) -> None:
    port = up.port
    with pytest.raises(RuntimeError, match="is running"):
        up.start()
    up.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(up, PAGE)
    up.start()
    assert (ask(up, PAGE).status, up.port) == (200, port)


# Files


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-10", -10, None),
     ("bytes=5-999999999", 5, None), ("bytes=-999999999", 0, None)],
)  # fmt: skip
def test_a_part_of_a_file_is_had_by_range(
    up: LocalUpstream, wanted: str, start: int, stop: int | None
) -> None:
    answer = ask(up, file_path(up), Range=wanted)
    part = WHEEL.content[start:stop]
    first = WHEEL.content.index(part)
    assert (answer.status, answer.body) == (206, part)
    said = f"bytes {first}-{first + len(part) - 1}/{len(WHEEL.content)}"
    assert answer.headers["Content-Range"] == said


@pytest.mark.parametrize("wanted", ["bytes=999999999-", "bytes=-0"])
def test_a_part_that_is_not_there_is_416(up: LocalUpstream, wanted: str) -> None:
    answer = ask(up, file_path(up), Range=wanted)
    assert (answer.status, answer.body) == (416, b"")
    assert answer.headers["Content-Range"] == f"bytes */{len(WHEEL.content)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "bytes=-", "bytes=9-3", "lines=1-2"])
def test_a_range_that_is_none_is_ignored(up: LocalUpstream, wanted: str) -> None:
    answer = ask(up, file_path(up), Range=wanted)
    assert (answer.status, answer.body) == (200, WHEEL.content)


def test_a_part_is_sent_only_if_the_file_is_still_the_same(up: LocalUpstream) -> None:
    etag = ask(up, file_path(up)).headers["ETag"]

    def status(condition: str) -> int:
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        return ask(up, file_path(up), **headers).status

    assert [status(etag), status(LAST_MODIFIED), status('"another"')] == [206, 206, 200]
    up.replace_content(WHEEL, b"x" * 50)
    assert status(etag) == 200
    assert ask(up, file_path(up)).body == b"x" * 50


def test_ranges_dates_and_etags_can_be_switched_off(up: LocalUpstream) -> None:
    head = ask(up, file_path(up), "HEAD")
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(WHEEL.content))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert head.headers["Last-Modified"] == LAST_MODIFIED
    up.ranges, up.last_modified, up.file_etags = False, None, False
    plain = ask(up, file_path(up), Range="bytes=0-9")
    assert (plain.status, plain.body) == (200, WHEEL.content)
    assert not {"Accept-Ranges", "Last-Modified", "ETag"} & set(plain.headers)


def test_a_wheel_is_read_from_a_folder(tmp_path: Path) -> None:
    assert Distribution.from_wheel(WHEEL.write_to(tmp_path)) == WHEEL
    twice = make_wheel(members={"other-1.0.dist-info/METADATA": b"Name: other\n"})
    with pytest.raises(ValueError, match="holds 2 METADATA files"):
        Distribution.from_wheel(twice.write_to(tmp_path))


# Pages


def test_everything_that_an_index_can_say_is_said_in_json(up: LocalUpstream) -> None:
    up.api_version = "1.4"
    up.set_status("Example", "archived", "use another")
    up.add(WHEEL, yanked="broken", hashes=["md5"], provenance={"version": 1})
    said = page(up)
    [row] = said["files"]
    assert said["meta"] == {"api-version": "1.4"}
    assert said["project-status"] == {"status": "archived", "reason": "use another"}
    assert row["hashes"] == {"md5": hashlib.md5(WHEEL.content).hexdigest()}
    assert (row["yanked"], row["upload-time"]) == ("broken", UPLOAD_TIME)
    provenance = ask(up, row["provenance"].removeprefix(up.root))
    assert row["provenance"].startswith(up.root)
    assert provenance.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    assert json.loads(provenance.body) == {"version": 1}


def test_everything_that_an_index_can_say_is_said_in_html(up: LocalUpstream) -> None:
    up.html_upload_times = True
    up.set_status("example", "archived", "use another")
    up.add(WHEEL, yanked="broken", hashes=[], provenance={}, row={"core-metadata": True})
    text = ask(up, PAGE, **HTML).body.decode()
    for said in (
        '<meta name="pypi:repository-version" content="1.1">',
        '<meta name="pypi:project-status" content="archived">',
        '<meta name="pypi:project-status-reason" content="use another">',
        f'href="../..{file_path(up)}"',
        'data-yanked="broken"',
        'data-core-metadata="true"',
        f'data-upload-time="{UPLOAD_TIME}"',
        f'data-provenance="{up.file_url(WHEEL)}.provenance"',
    ):
        assert said in text


def test_a_project_that_is_removed_is_not_there(up: LocalUpstream) -> None:
    up.remove_project("Example")
    assert ask(up, PAGE).status == 404
    assert ask(up, file_path(up)).status == 200


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_list_of_generated_names_is_streamed_in_both_forms(
    up: LocalUpstream, coding: str
) -> None:
    up.generated_names = 25_001
    names = ["example", *(generated_name(number) for number in range(25_001))]
    headers = {"Accept-Encoding": coding}
    answers = [ask(up, "/simple/", **headers, **form) for form in (JSON, HTML)]
    assert {answer.headers["Transfer-Encoding"] for answer in answers} == {"chunked"}
    as_json, as_html = (
        gzip.decompress(answer.body) if coding == "gzip" else answer.body for answer in answers
    )
    assert [project["name"] for project in json.loads(as_json)["projects"]] == names
    assert as_html.decode().count("<a href=") == len(names)
    assert f'<a href="{names[-1]}/">{names[-1]}</a>' in as_html.decode()


# Who may ask, and over what


@pytest.mark.parametrize(
    "authorization", [basic_authorization("user", "secret"), bearer_authorization("token")]
)
def test_who_does_not_log_in_gets_nothing(up: LocalUpstream, authorization: str) -> None:
    up.authorization = authorization
    for path in (PAGE, file_path(up), "/simple/"):
        refused = ask(up, path, Authorization=basic_authorization("user", "wrong"))
        assert (refused.status, refused.body) == (401, b"log in\n")
        assert "WWW-Authenticate" in ask(up, path).headers
        assert ask(up, path, Authorization=authorization).status == 200


def test_it_speaks_tls_with_its_certificate() -> None:
    with LocalUpstream(certificate=CERTIFICATE) as up:
        up.add(WHEEL)
        trusting = ssl.create_default_context(cafile=CERTIFICATE)
        connection = http.client.HTTPSConnection("localhost", up.port, context=trusting)
        connection.request("GET", PAGE)
        assert connection.getresponse().status == 200
        connection.close()
        assert up.root == f"https://localhost:{up.port}"
