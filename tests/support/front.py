"""A reverse proxy on loopback that writes down what passes, ends TLS, and cuts answers short.

with Front("http://127.0.0.1:3141", prefix="/team", tls=context) as front:
    …                                   # front.url is https://localhost:…/team
    assert front.asked("*/simple/*") == [("GET", "/team/…/simple/example/")]
"""

import fnmatch
import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

BLOCK = 64 * 1024
SECONDS = 60
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


@dataclass(frozen=True)
class Passed:
    """A request that passed. The path is as it was on the wire; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def filename(self) -> str:
        """The last component of the path."""
        return urlsplit(self.path).path.rpartition("/")[2]


class Front:
    """Passes requests on to `target` and tells it by X-Forwarded-* what its own URL is.

    With a TLS context it speaks https. With a prefix its paths begin with that, which is cut off.
    """

    def __init__(
        self, target: str, *, prefix: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self.target = urlsplit(target)
        self.prefix = prefix
        self.tls = tls
        self._lock = threading.Lock()
        self._requests: list[Passed] = []
        self._cuts: list[tuple[str, int]] = []
        self._sockets = _Sockets(self)
        self._thread = threading.Thread(
            target=self._sockets.serve_forever, kwargs={"poll_interval": 0.01}
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._sockets.shutdown()
        self._sockets.server_close()
        self._thread.join()

    @property
    def scheme(self) -> str:
        """`https` with a TLS context, else `http`."""
        return "https" if self.tls else "http"

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"localhost:{self._sockets.server_port}"

    @property
    def url(self) -> str:
        """What clients are given in the place of the target's URL."""
        return f"{self.scheme}://{self.authority}{self.prefix}"

    @property
    def requests(self) -> list[Passed]:
        """All requests so far."""
        with self._lock:
            return list(self._requests)

    def passed(self, pattern: str) -> list[Passed]:
        """The requests for paths of a shell-style pattern."""
        return [
            request
            for request in self.requests
            if fnmatch.fnmatchcase(urlsplit(request.path).path, pattern)
        ]

    def forget(self) -> None:
        """Begin to write down anew."""
        with self._lock:
            self._requests.clear()

    def cut(self, pattern: str, after: int) -> None:
        """Hang up after so many bytes of the body of the next answer for a path of a pattern."""
        with self._lock:
            self._cuts.append((pattern, after))

    def note(self, request: Passed) -> int | None:
        """Write a request down; after how many bytes its answer is cut, if it is."""
        path = urlsplit(request.path).path
        with self._lock:
            self._requests.append(request)
            for cut in self._cuts:
                if fnmatch.fnmatchcase(path, cut[0]):
                    self._cuts.remove(cut)
                    return cut[1]
        return None


class _Sockets(ThreadingHTTPServer):
    daemon_threads = True  # clients keep connections open that nobody will use again
    block_on_close = False
    request_queue_size = 128

    def __init__(self, front: Front) -> None:
        self.front = front
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request, client_address) -> None:
        if self.front.tls is None:
            super().finish_request(request, client_address)
            return
        # The handshake comes with the first read, in the thread of this client.
        with self.front.tls.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        ) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request, client_address) -> None:
        """Say nothing of clients that leave; what matters to a test, it sees from the client."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Sockets

    def _pass_on(self) -> None:
        front = self.server.front
        headers = {name.lower(): value for name, value in self.headers.items()}
        cut = front.note(Passed(self.command, self.path, headers))
        if not self.path.startswith(f"{front.prefix}/"):
            self.send_error(404)
            return
        secure = front.target.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        target = connect(front.target.netloc, timeout=SECONDS)
        try:
            self._send_request(target, headers)
            answer = target.getresponse()
            self._send_answer(answer, cut)
        finally:
            target.close()

    # The names that http.server looks for.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def _send_request(
        self, target: http.client.HTTPConnection, headers: Mapping[str, str]
    ) -> None:
        front = self.server.front
        path = front.target.path.rstrip("/") + self.path.removeprefix(front.prefix)
        target.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                target.putheader(name, value)
        target.putheader("X-Forwarded-For", self.client_address[0])
        target.putheader("X-Forwarded-Proto", front.scheme)
        target.putheader("X-Forwarded-Host", front.authority)
        if front.prefix:
            target.putheader("X-Forwarded-Prefix", front.prefix)
        target.endheaders()
        left = int(headers.get("content-length", 0))
        while left:
            block = self.rfile.read(min(left, BLOCK))
            if not block:
                raise ConnectionError("the client left")
            target.send(block)
            left -= len(block)

    def _send_answer(self, answer: http.client.HTTPResponse, cut: int | None) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.headers["Content-Length"] is None and answer.status not in {204, 304}:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        sent = 0
        while block := answer.read(BLOCK if cut is None else min(BLOCK, cut - sent)):
            self.wfile.write(block)
            sent += len(block)
        if cut is not None:
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing; `requests` has it all."""
