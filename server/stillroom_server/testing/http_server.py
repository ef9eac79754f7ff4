"""An HTTP/1.1 server on loopback that misbehaves on demand, below HTTP as well.

It is made of real sockets, because most of what goes wrong between servers goes wrong there.
"""

import base64
import contextlib
import socket
import ssl
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from .faults import Fault
from .messages import Reply, Request

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A key, and its self-signed certificate for localhost: clients trust it once SSL_CERT_FILE names
it. Everybody has this key, so nothing but a test may trust it."""


def basic_authorization(user: str, password: str) -> str:
    """The value of an Authorization header of the scheme Basic (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def bearer_authorization(token: str) -> str:
    """The value of an Authorization header of the scheme Bearer (RFC 6750)."""
    return f"Bearer {token}"


class HttpServer:
    """Answers GET and HEAD on a port of 127.0.0.1 that stays the same over `stop` and `start`.

    `requests` are all requests so far, `connections` how many connections they came on. With a
    `certificate` (a PEM file that holds the key as well) it speaks TLS; another one that is set
    counts from the next `start`. Where `authorization` is set, a request whose Authorization
    header differs gets 401 and nothing else.
    """

    def __init__(
        self, *, certificate: Path | None = None, authorization: str | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.certificate = certificate
        self.authorization = authorization
        self._faults: list[Fault] = []
        self._changed = threading.Condition()
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
        if self.certificate is not None:
            return f"https://localhost:{self.port}"
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths of all requests so far."""
        with self._changed:
            return [request.path for request in self.requests]

    def respond(self, request: Request) -> Reply:
        """The answer if nothing goes wrong; subclasses have more to say."""
        return Reply(404, body=f"there is no {request.path}\n".encode())

    def note(self, request: Request) -> Fault:
        """Note a request; what goes wrong with its answer."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            for fault in self._faults:
                if fault.happens_to(request):
                    return fault
        return Fault("")

    def answer(self, request: Request, fault: Fault) -> Reply:
        """What is said to a request if that goes wrong."""
        if self.authorization not in {None, request.headers.get("authorization")}:
            challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
            return fault.spoil(Reply(401, challenge, b"log in\n"))
        return fault.spoil(self.respond(request))

    def fault(self, pattern: str, **what: Any) -> Fault:
        """Let something go wrong for paths of a shell-style pattern; `what` are fields of `Fault`.

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
        """Wait until so many requests for paths of a pattern have arrived.

        Raises TimeoutError if that takes more than `timeout` seconds.
        """

        def arrived() -> bool:
            return sum(request.matches(pattern) for request in self.requests) >= count

        with self._changed:
            if not self._changed.wait_for(arrived, timeout):
                raise TimeoutError(f"no {count} requests for {pattern} in {timeout} s")

    def start(self) -> None:
        """Listen, on the same port as before. Raises RuntimeError if it does already."""
        if self._sockets is not None:
            raise RuntimeError("the server is running")
        self._sockets = _Sockets(self, self.port, _tls_context(self.certificate))
        self.port = self._sockets.server_port
        self._thread = threading.Thread(
            target=self._sockets.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everyone and refuse connections."""
        if self._sockets is None or self._thread is None:
            return
        self._sockets.hang_up()
        self._thread.join()
        self._sockets = self._thread = None


def _tls_context(certificate: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


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

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a client, in its own thread."""
        if self._tls is None:
            self._serve(request, client_address)
        else:
            # The handshake comes with the first read, in the thread of this client.
            wrapped = self._tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
            self._serve(wrapped, client_address)

    def _serve(self, client: socket.socket, address: Any) -> None:
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left: that is what is tested."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End all connections and stop listening."""
        with self._lock:
            self.stopping.set()
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the head and the body are sent one after the other
    server: _Sockets

    def do_GET(self) -> None:
        """Answer a request."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner, request = self.server.owner, Request(self.command, self.path, headers)
        fault = owner.note(request)
        if self._wait(fault):
            reply = owner.answer(request, fault)
            for piece in fault.cut(reply, head_only=self.command == "HEAD"):
                if not self._send(piece, fault.drip):
                    break
            self._end(fault)

    def do_HEAD(self) -> None:
        """Answer a request without the body."""
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has
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

    def _send(self, data: bytes, drip: float | None) -> bool:
        """Whether it was sent and more can be."""
        if drip is None:
            self.wfile.write(data)
            return True
        for byte in data:
            self.wfile.write(bytes([byte]))
            if self.server.stopping.wait(drip):
                return False
        return True

    def _end(self, fault: Fault) -> None:
        if not fault.hangs_up:
            return
        self.close_connection = True
        if fault.then == "stall":
            self.server.stopping.wait()
        elif fault.then == "reset":
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
