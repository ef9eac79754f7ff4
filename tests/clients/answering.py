"""A small index on loopback that answers as a test says, and writes down when it was asked."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from clients.world import Source

PAGE = "application/vnd.pypi.simple.v1+html"


@dataclass(frozen=True)
class Answer:
    """One answer. The sentence is said as our server says it: as reason phrase and in the body."""

    status: int
    sentence: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def error(cls, status: int, sentence: str, **headers: str) -> Self:
        """An error as our server tells it to publishing tools."""
        told = {"message": sentence, "code": f"{status} {sentence}", "title": sentence}
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        sent["Content-Type"] = "application/json"
        return cls(status, sentence, sent, json.dumps(told).encode())

    @classmethod
    def page(cls, *links: str, **headers: str) -> Self:
        """A page of a project with these links."""
        anchors = "".join(f'<a href="{link}">{link.rpartition("/")[2]}</a>' for link in links)
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        sent["Content-Type"] = PAGE
        return cls(200, "OK", sent, f"<!DOCTYPE html><html><body>{anchors}".encode())


@dataclass(frozen=True)
class Asked:
    """One request, at a monotonic time; the names of headers are in lower case."""

    method: str
    path: str
    at: float
    headers: Mapping[str, str]


class Answering:
    """Answers each path as `answers` says, with one after the other and then the last again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self._asked: list[Asked] = []
        self._lock = threading.Lock()
        self._server = _Sockets(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def source(self) -> Source:
        """The index team/index with a login."""
        return Source(f"http://localhost:{self._server.server_port}", "team/index")

    def asked(self, method: str, path: str) -> list[Asked]:
        """The requests of a method for a path."""
        with self._lock:
            return [one for one in self._asked if (one.method, one.path) == (method, path)]

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request; 404 for what no test speaks of."""
        with self._lock:
            self._asked.append(asked)
            answers = self.answers.get(asked.path, [Answer.error(404, "There is no such page")])
            return answers.pop(0) if len(answers) > 1 else answers[0]


class _Sockets(ThreadingHTTPServer):
    daemon_threads = True  # clients keep connections open that nobody will use again
    block_on_close = False

    def __init__(self, index: Answering) -> None:
        self.index = index
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request, client_address) -> None:
        """Say nothing of clients that leave."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Sockets

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(headers.get("content-length", 0)))
        answer = self.server.index.answer(
            Asked(self.command, self.path, time.monotonic(), headers)
        )
        self.send_response(answer.status, answer.sentence)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="stillroom"')
        body = b"" if answer.status == 304 or self.command == "HEAD" else answer.body
        if answer.status != 304:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(body)

    # The names that http.server looks for.
    do_GET = do_HEAD = do_POST = _handle  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        """Say nothing; `asked` has it all."""
