"""An HTTP/1.1 server on loopback that misbehaves on demand, below HTTP as well.

It is made of real sockets, because most of what goes wrong between servers goes wrong there.
"""

import contextlib
import fnmatch
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Request:
    """What was asked for. `path` is as it was on the wire; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    def matches(self, pattern: str) -> bool:
        """Whether its path is of that shell-style pattern."""
        return fnmatch.fnmatchcase(urlsplit(self.path).path, pattern)


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def head(self) -> bytes:
        """The status line and the headers; the length of the body is added unless it is said."""
        headers = dict(self.headers)
        if self.status != 304 and "Transfer-Encoding" not in headers:
            headers.setdefault("Content-Length", str(len(self.body)))
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass
class Fault:
    """What goes wrong with the answers to a path, `times` times or for ever.

    `status`, `headers` and `body` replace or add to what would be answered. The answer waits for
    `hold` to be set and for `delay` seconds; with `drip` its bytes come one by one, that many
    seconds apart. With `then` it ends after so many bytes of the body, `after`, or before its
    first byte if that is None: `stall` says no more, `close` hangs up, `reset` does so rudely.
    """

    pattern: str
    times: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    hold: threading.Event | None = None
    delay: float = 0.0
    drip: float | None = None
    then: Literal["stall", "close", "reset"] | None = None
    after: int | None = None

    def spoil(self, reply: Reply) -> Reply:
        """The answer that is given in the place of that one."""
        return Reply(
            status=reply.status if self.status is None else self.status,
            headers={**reply.headers, **self.headers},
            body=reply.body if self.body is None else self.body,
        )

    def cut(self, reply: Reply) -> bytes:
        """The bytes that are sent of an answer."""
        if self.then is None:
            return reply.head() + reply.body
        return b"" if self.after is None else reply.head() + reply.body[: self.after]


class HttpServer:
    """Answers requests on a port of 127.0.0.1 that stays the same over `stop` and `start`.

    `requests` are all requests so far, `connections` how many connections they came on. With a
    certificate it speaks TLS.
    """

    def __init__(self, *, certificate: Path | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._faults: list[Fault] = []
        self._changed = threading.Condition()
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
        self._sockets: _Sockets | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def root(self) -> str:
        """The URL of the server, without a slash at its end."""
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths of all requests so far."""
        with self._changed:
            return [request.path for request in self.requests]

    def respond(self, request: Request) -> Reply:
        """The answer if nothing goes wrong; subclasses have more to say."""
        return Reply(404, body=f"there is no {request.path}\n".encode())

    def handle(self, request: Request) -> tuple[Reply, Fault]:
        """Note a request; its answer, and what goes wrong with that."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            fault = self._next_fault(request)
        return fault.spoil(self.respond(request)), fault

    def fault(self, pattern: str, **what: object) -> Fault:
        """Let something go wrong for paths of a shell-style pattern; see `Fault`.

        Of several faults for a path, the oldest that is not used up happens.
        """
        fault = Fault(pattern, **what)
        with self._changed:
            self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """Let nothing more go wrong."""
        with self._changed:
            self._faults.clear()

    def wait_for(self, pattern: str, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until so many requests for paths of a pattern have arrived."""

        def arrived() -> bool:
            return sum(request.matches(pattern) for request in self.requests) >= count

        with self._changed:
            assert self._changed.wait_for(arrived, timeout), f"no {count} requests for {pattern}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        assert self._sockets is None, "it is running"
        self._sockets = _Sockets(self, self.port, self._tls)
        self.port = self._sockets.server_port
        self._thread = threading.Thread(
            target=self._sockets.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everyone and refuse connections."""
        if self._sockets is None:
            return
        self._sockets.hang_up()
        self._thread.join()
        self._sockets = self._thread = None

    def _next_fault(self, request: Request) -> Fault:
        for fault in self._faults:
            if fault.times != 0 and request.matches(fault.pattern):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return Fault("")


class _Sockets(ThreadingHTTPServer):
    """The listening socket and those of the clients, each with its thread."""

    daemon_threads = False  # so that closing waits for the threads
    request_queue_size = 128  # the default, 5, makes many clients at once wait for a second

    def __init__(self, owner: HttpServer, port: int, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self.stopping = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:
        if self._tls is None:
            self._serve(request, client_address)
        else:
            # The handshake comes with the first read, in the thread of this client.
            wrapped = self._tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
            self._serve(wrapped, client_address)

    def _serve(self, client: socket.socket, address: tuple[str, int]) -> None:
        with client:
            with self._lock:
                if self.stopping.is_set():
                    return
                self._clients.add(client)
                self.owner.connections += 1
            try:
                _Handler(client, address, self)
            finally:
                with self._lock:
                    self._clients.discard(client)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that left: that is what is tested."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        with self._lock:
            self.stopping.set()
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Sockets

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, fault = self.server.owner.handle(Request(self.command, self.path, headers))
        if self._wait(fault):
            self._send(fault.cut(reply), fault.drip)
            self._end(fault)

    def log_message(self, *args: object) -> None:
        """Say nothing; `requests` has it all."""

    def _wait(self, fault: Fault) -> bool:
        stopping = self.server.stopping
        while fault.hold is not None and not fault.hold.wait(0.01):
            if stopping.is_set():
                break
        if stopping.wait(fault.delay):
            self.close_connection = True
            return False
        return True

    def _send(self, data: bytes, drip: float | None) -> None:
        if drip is None:
            self.wfile.write(data)
            return
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(drip):
                return

    def _end(self, fault: Fault) -> None:
        if fault.then is None:
            return
        self.close_connection = True
        if fault.then == "stall":
            self.server.stopping.wait()
        elif fault.then == "reset":
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
