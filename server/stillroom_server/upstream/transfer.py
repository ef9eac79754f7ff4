"""The content of a file on its way: all of it, or the rest from some byte on (RFC 9110 §14)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from stillroom_server.domain.errors import UpstreamFailed

from .deadline import Budget

if TYPE_CHECKING:
    from .session import Answer

_PACE = 64 * 1024
"""How many bytes have to arrive in the time that a transfer has for its next step."""

_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"')
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)", re.IGNORECASE)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""File systems and archives without a date say 1970 or 1980."""
_CLOCKS_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a file from `first` to `last`, both included; `total` None if it is unknown."""

    first: int
    last: int
    total: int | None

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.last - self.first + 1


def content_part(answer: "Answer") -> Part:
    """Which part of a file an answer with status 206 holds. Raises UpstreamFailed for nonsense."""
    said = _CONTENT_RANGE.fullmatch((answer.header("Content-Range") or "").strip())
    if said is not None:
        first, last = int(said[1]), int(said[2])
        total = None if said[3] == "*" else int(said[3])
        if first <= last and (total is None or last < total):
            return Part(first, last, total)
    raise UpstreamFailed(f"{answer.host} answers with a part of the file that it does not name")


def check_uncoded(answer: "Answer") -> None:
    """Raise UpstreamFailed if the content of a file is coded although that was not asked for.

    What would be undone here might be the file itself, and its digest is that of the file.
    """
    coding = answer.header("Content-Encoding") or ""
    if coding.strip().lower() not in {"", "identity"}:
        raise UpstreamFailed(
            f"{answer.host} sends the file in the content coding {coding[:40]!r}, which was not "
            "asked for"
        )


def strong_etag(answer: "Answer") -> str | None:
    """Its ETag if that is a strong one: only those stand for the same bytes."""
    etag = answer.header("ETag") or ""
    return etag if _STRONG_ETAG.fullmatch(etag) else None


def last_modified(answer: "Answer") -> datetime | None:
    """When the file changed last, in UTC; None where that is not said or cannot be."""
    try:
        time = parsedate_to_datetime(answer.header("Last-Modified") or "")
        aware = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return aware if _EARLIEST <= aware <= datetime.now(UTC) + _CLOCKS_DIFFER else None


class Transfer:
    """The content of a file on its way; implements `services.ports.FileTransfer`."""

    def __init__(self, answer: "Answer", seconds: float, *, start: int, size: int | None) -> None:
        self._answer = answer
        self._budget = Budget(seconds)
        self.start = start
        self.size = size
        self.etag = strong_etag(answer)
        self.modified = last_modified(answer)

    @classmethod
    def of_whole(cls, answer: "Answer", seconds: float) -> "Transfer":
        """The transfer that an answer with status 200 begins."""
        length = answer.header("Content-Length")
        if length is None or answer.header("Transfer-Encoding"):
            return cls(answer, seconds, start=0, size=None)
        return cls(answer, seconds, start=0, size=int(length))

    @classmethod
    def of_rest(
        cls, answer: "Answer", seconds: float, *, start: int, etag: str | None
    ) -> "Transfer":
        """The transfer that an answer with status 206 begins, from byte `start` to the end.

        Raises UpstreamFailed if it holds anything else.
        """
        part = content_part(answer)
        transfer = cls(answer, seconds, start=start, size=part.total)
        if part.first != start or part.total not in {None, part.last + 1}:
            raise UpstreamFailed(f"{answer.host} answers with another part than was asked for")
        if etag is not None and transfer.etag not in {None, etag}:
            raise UpstreamFailed(f"{answer.host} answers with a part of another file")
        return transfer

    def chunks(self) -> Iterator[bytes]:
        """The content as it arrives, in chunks of at most 64 KiB.

        Raises UpstreamFailed or UpstreamTimeout where it breaks off; also where the next 64 KiB
        take too long, not counting the time that the reader takes.
        """
        received = 0
        while True:
            with self._budget.spending():
                chunk = self._answer.take()
            if not chunk:
                return
            yield chunk
            received += len(chunk)
            if received >= _PACE:
                received = 0
                self._budget.renew()
