"""Requests and replies of the test server, as they are on the wire."""

import fnmatch
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import responses
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
    """What is answered.

    A `body` that is not bytes is sent piece by piece as it is made, in HTTP's chunked coding
    unless `headers` say its Content-Length.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""

    def head(self) -> bytes:
        """The status line and the headers; the framing of the body is added unless it is said."""
        headers = dict(self.headers)
        if self._is_chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif isinstance(self.body, bytes) and not (
            self.status == 304 or "Transfer-Encoding" in headers
        ):
            headers.setdefault("Content-Length", str(len(self.body)))
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def pieces(self) -> Iterator[bytes]:
        """The body as it is on the wire."""
        if isinstance(self.body, bytes):
            yield self.body
        elif self._is_chunked:
            for piece in self.body:
                if piece:
                    yield b"%x\r\n%b\r\n" % (len(piece), piece)
            yield b"0\r\n\r\n"
        else:
            yield from self.body

    @property
    def _is_chunked(self) -> bool:
        return not isinstance(self.body, bytes) and "Content-Length" not in self.headers
