"""Requests byte by byte, for what no client library would send."""

import contextlib
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds after which whoever still waits for an answer has found a bug."""


@dataclass(frozen=True)
class Answer:
    """An answer as it came; header names are in lower case."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Wire:
    """A connection to a server."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.host = parts.netloc
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        try:
            self._socket.connect(("127.0.0.1", parts.port or 80))
        except OSError:
            self.close()
            raise
        self._came = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, data: bytes) -> Self:
        """Send all; `%HOST%` stands for the host of the server."""
        self._socket.sendall(data.replace(b"%HOST%", self.host.encode()))
        return self

    def answer(self, *, head: bool = False) -> Answer:
        """The next answer, of a Content-Length or up to the end; `head`: it has no body."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status, _, reason = lines[0].partition(" ")[2].partition(" ")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if head or int(status) in {100, 204, 304}:
            return Answer(int(status), reason, headers)
        if "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return Answer(int(status), reason, headers, body)

    def take(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        return self._socket.recv(size)

    def rest(self) -> bytes:
        """All that comes until the server closes its side; a reset is an end, too."""
        with contextlib.suppress(ConnectionResetError):
            while data := self._socket.recv(65536):
                self._came += data
        came, self._came = self._came, b""
        return came

    def is_closed_within(self, seconds: float) -> bool:
        """Whether the server closes the connection in that time; what it sends is dropped."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(65536):
                    return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        return False

    def _until(self, end: bytes) -> bytes:
        while end not in self._came:
            data = self._socket.recv(65536)
            assert data, f"the server hung up after {self._came!r}"
            self._came += data
        found, _, self._came = self._came.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._came) < size:
            data = self._socket.recv(65536)
            assert data, f"the server hung up {size - len(self._came)} bytes early"
            self._came += data
        found, self._came = self._came[:size], self._came[size:]
        return found


def memory_of(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def spooled_by(pid: int) -> int:
    """How many bytes of deleted files a process holds open: bodies that it keeps on disk."""
    size = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "(deleted)" in str(entry.readlink()):
                size += entry.stat().st_size
    return size
