"""What can go wrong with an answer."""

import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from .messages import Reply, Request

_STEP = 1 << 20


@dataclass
class Fault:
    """What goes wrong with the answers to the paths of a shell-style `pattern`.

    It happens `times` times or for ever, to each request or to one in `every`.

    What is said: `status`, `headers` and `body` replace or add to what would be answered;
    `redirect` is a Location to go to instead (302 unless `status` says another); `corrupt` flips
    the last byte of the body; `bomb` is a body of so many zero bytes, in gzip; `length` is the
    Content-Length that is said whatever the body is; `raw` is sent in the place of an answer in
    HTTP.

    When it is said: the answer is made after `hold` has been set and `delay` seconds have passed;
    with `drip` its bytes come one by one, that many seconds apart.

    How it ends: with `then` after so many bytes of the body, `after`, or before the first byte of
    the answer if that is None. `stall` says no more, `close` hangs up, `reset` does so rudely.
    """

    pattern: str
    times: int | None = None
    every: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    redirect: str | None = None
    corrupt: bool = False
    bomb: int | None = None
    length: int | None = None
    raw: bytes | None = None
    hold: threading.Event | None = None
    delay: float = 0.0
    drip: float | None = None
    then: Literal["stall", "close", "reset"] | None = None
    after: int | None = None
    _asked: int = field(default=0, init=False, repr=False)

    def happens_to(self, request: Request) -> bool:
        """Whether it happens to this request, which is counted."""
        if self.times == 0 or not request.matches(self.pattern):
            return False
        self._asked += 1
        if self._asked % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    @property
    def hangs_up(self) -> bool:
        """Whether no other request can follow on the connection."""
        return self.then is not None or self.length is not None or self.raw is not None

    def spoil(self, reply: Reply) -> Reply:
        """The answer that is given in the place of that one."""
        if self.redirect is not None:
            reply = Reply(302, {"Location": self.redirect})
        if self.bomb is not None:
            reply = replace(
                reply, headers={**reply.headers, "Content-Encoding": "gzip"}, body=_bomb(self.bomb)
            )
        if self.body is not None:
            reply = replace(reply, body=self.body)
        if self.corrupt:
            reply = replace(reply, body=_corrupted(reply.body))
        said = {} if self.length is None else {"Content-Length": str(self.length)}
        return replace(
            reply,
            status=reply.status if self.status is None else self.status,
            headers={**reply.headers, **said, **self.headers},
        )

    def cut(self, reply: Reply, *, head_only: bool = False) -> Iterator[bytes]:
        """The bytes that are sent of an answer; without its body in answer to HEAD."""
        if self.raw is not None:
            yield self.raw
            return
        if self.then is not None and self.after is None:
            return
        yield reply.head()
        if not head_only:
            yield from _first(self.after, reply.pieces())


def _first(count: int | None, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The first so many bytes, all of them if it is None."""
    left = count
    for piece in pieces:
        if left is None:
            yield piece
            continue
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def _corrupted(body: bytes | Iterable[bytes]) -> bytes | Iterable[bytes]:
    if isinstance(body, bytes):
        return body[:-1] + bytes([body[-1] ^ 0xFF]) if body else body
    return _corrupted_pieces(body)


def _corrupted_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    last = b""
    for piece in pieces:
        if last:
            yield last
        last = piece
    if last:
        yield last[:-1] + bytes([last[-1] ^ 0xFF])


def _bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    steps = [_STEP] * (size // _STEP) + [size % _STEP]
    return b"".join([*(packer.compress(bytes(step)) for step in steps), packer.flush()])
