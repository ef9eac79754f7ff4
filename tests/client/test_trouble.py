"""What a person reads when the server is not there, is another thing, or has trouble."""

import socket
from pathlib import Path

import pytest

from stillroom_client import connection
from stillroom_server.testing import CERTIFICATE, HttpServer
from stillroom_server.testing import Reply as RawReply
from support.command_line import Stillroom
from support.stub_server import Reply, StubServer, message_reply


def sentence(err: str) -> str:
    """The only line of talk."""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def test_no_server_at_the_address(stillroom: Stillroom) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = stillroom("use", url)
    assert result.status == 1
    assert f"no server answers at {url}: check the address" in sentence(result.err)


def test_a_host_that_does_not_exist(stillroom: Stillroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result = stillroom("use", "http://stillroom.invalid:3141")
    assert result.status == 1
    assert "no server answers at http://stillroom.invalid:3141" in sentence(result.err)


def test_a_server_that_does_not_answer_in_time(
    stillroom: Stillroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.2)
    with HttpServer() as server:
        server.fault("*", then="stall")
        result = stillroom("use", server.root)
    assert result.status == 1
    assert "does not answer in time" in sentence(result.err)


def test_a_server_that_hangs_up(stillroom: Stillroom) -> None:
    with HttpServer() as server:
        server.fault("*", then="reset")
        result = stillroom("use", server.root)
    assert result.status == 1
    assert "broke: try again" in sentence(result.err)


def test_a_certificate_that_this_machine_does_not_trust(stillroom: Stillroom) -> None:
    with HttpServer(certificate=CERTIFICATE) as server:
        result = stillroom("use", server.root)
    assert result.status == 1
    assert f"does not trust the certificate of {server.root}" in sentence(result.err)


def test_https_where_http_is_spoken(stillroom: Stillroom, stub: StubServer) -> None:
    result = stillroom("use", stub.url.replace("http://", "https://"))
    assert result.status == 1
    assert "does not speak https" in sentence(result.err)


def test_something_that_does_not_speak_http(stillroom: Stillroom) -> None:
    class Gibberish(RawReply):
        def head(self) -> bytes:
            return b"SSH-2.0-OpenSSH_9.6\r\n\r\n"

    class Ssh(HttpServer):
        def respond(self, request: object) -> RawReply:
            return Gibberish()

    with Ssh() as server:
        server.fault("*", then="close", after=0)
        result = stillroom("use", server.root)
    assert result.status == 1
    assert server.root in sentence(result.err)


def test_a_redirect_circle(stillroom: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+api", Reply(302, headers={"Location": "/+api"}))
    result = stillroom("use", stub.url)
    assert result.status == 1
    assert "redirects in a circle" in sentence(result.err)


def test_another_version_of_the_api(stillroom: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+api", Reply(200, b"{}", api_version="3"))
    result = stillroom("use", stub.url)
    assert result.status == 1
    assert "upgrade the older one" in sentence(result.err)


def test_an_answer_that_is_no_json(stillroom: Stillroom, stub: StubServer) -> None:
    for body in (b"<html>", b"[]", b"\xff"):
        stub.script("GET", "/+api", Reply(200, body))
        result = stillroom("use", stub.url)
        assert result.status == 1
        assert "answers 200 without JSON" in sentence(result.err)


def test_a_proxy_whose_server_is_down(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/", Reply(502, b"<html>Bad Gateway", api_version=None))
    result = logged_in("user", "list")
    assert result.status == 1
    assert "502 Bad Gateway: the server behind it may be down" in sentence(result.err)


def test_trouble_of_the_server_is_told_in_its_words(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/", message_reply("the database is busy", 503))
    result = logged_in("user", "list")
    assert result.status == 1
    assert "try again later: the database is busy" in sentence(result.err)


def test_a_post_is_never_redirected(logged_in: Stillroom, stub: StubServer) -> None:
    stub.script("POST", "/dev/sandbox", Reply(302, headers={"Location": "/elsewhere?a=b"}))
    result = logged_in("push", "demo==1.0", "dev/release")
    assert result.status == 1
    assert "has moved to /elsewhere: use that address" in sentence(result.err)
    assert stub.methods() == ["POST /dev/sandbox"]


def test_a_folder_that_cannot_be_written(
    stillroom: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "client")
    result = stillroom("use", stub.url, environ={"STILLROOM_CLIENT_DIR": folder})
    assert result.status == 1
    assert folder in sentence(result.err)


def test_a_bug_is_one_sentence_and_debug_shows_where(
    stillroom: Stillroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> None:
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr("stillroom_client.state.load", broken)
    result = stillroom("use")
    assert result.status == 1
    assert "a bug in stillroom: ZeroDivisionError: by hand" in sentence(result.err)
    assert "Traceback" in stillroom("--debug", "use").err


def test_debug_tells_what_was_asked(logged_in: Stillroom, stub: StubServer) -> None:
    result = logged_in("--debug", "whoami")
    assert f"debug: GET {stub.url}/+api 200 " in result.err
    assert result.out == "dev\n"
