"""A real HTTP server on loopback that gives scripted answers and remembers what it was asked."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request. The path is unquoted; the names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer; the version of the API is among its headers unless that is None."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    api_version: str | None = "2"


Answering = Callable[[Asked], Reply]


def json_reply(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def result_reply(result: Any, type_: str = "", status: int = 200) -> Reply:
    """An answer in the envelope of `{"type", "result"}`."""
    return json_reply({"type": type_, "result": result}, status)


def message_reply(message: str, status: int = 200) -> Reply:
    """An answer that is a sentence."""
    return json_reply({"message": message}, status)


class StubServer(AbstractContextManager["StubServer"]):
    """Answers as scripted, everything else with 404, and keeps every request in `asked`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._script: dict[tuple[str, str], Answering] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The root URL, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, method: str, path: str, reply: Reply | Answering) -> None:
        """Say what to answer from now on."""
        self._script[method, path] = reply if callable(reply) else lambda _asked: reply

    def answer(self, asked: Asked) -> Reply:
        """The scripted answer to a request."""
        self.asked.append(asked)
        answering = self._script.get((asked.method, asked.path))
        if answering is None:
            return message_reply(f"nothing is scripted for {asked.method} {asked.path}", 404)
        return answering(asked)

    def last(self, method: str, path: str) -> Asked:
        """The last request of this method and path."""
        return next(
            asked for asked in reversed(self.asked) if (asked.method, asked.path) == (method, path)
        )

    def methods(self) -> list[str]:
        """The methods and paths of all requests, in order."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    stub: StubServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A client that keeps its connection would otherwise keep the thread.
    timeout = 5
    server: _Server

    def _handle(self) -> None:
        url = urlsplit(self.path)
        asked = Asked(
            method=self.command,
            path=unquote(url.path),
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        reply = self.server.stub.answer(asked)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.api_version is not None:
            self.send_header("X-DEVPI-API-VERSION", reply.api_version)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    # The base class looks for these names.
    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Say nothing; `asked` has it all."""
