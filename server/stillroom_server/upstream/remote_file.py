"""A file that stays where it is and is read in parts, for the metadata in the end of a wheel."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from stillroom_server.domain.errors import UpstreamFailed

from .deadline import Budget
from .limits import Limits
from .raw import Unreadable
from .transfer import Part, content_part

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from .session import Answer

_BLOCK = 64 * 1024

AskPart = Callable[[int, int], AbstractContextManager["Answer"]]
"""Asks for the bytes from the first to the last of two positions; the answer's status is 206."""


class RemoteFile(io.RawIOBase):
    """Reads a file by Range requests (RFC 9110 §14), and no part of it twice.

    Reading raises UpstreamFailed, UpstreamTimeout and NotFound; also UpstreamFailed where that
    would take more bytes, requests or time than `limits` say, and where an answer is visibly of
    another state of the file than the ones before.
    """

    def __init__(self, ask: AskPart, limits: Limits) -> None:
        super().__init__()
        self._ask = ask
        self._budget = Budget(limits.page)
        self._bytes_left = limits.part_bytes
        self._parts_left = limits.parts
        self._state: tuple[int, str | None, str | None] | None = None
        self._blocks: dict[int, bytes] = {}
        self._position = 0
        self._size = 0
        self._fetch(0, 0)  # a byte tells the size

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, which is returned. Raises ValueError if it is before the start."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("there is nothing before the start of a file")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer, up to the end of the file."""
        view = memoryview(buffer).cast("B")
        stop = min(self._position + len(view), self._size)
        if stop <= self._position:
            return 0
        self._load(self._position, stop)
        filled = 0
        while self._position < stop:
            number = self._number_of(self._position)
            begin, end = self._bounds(number)
            taken = self._blocks[number][self._position - begin : min(end, stop) - begin]
            view[filled : filled + len(taken)] = taken
            filled += len(taken)
            self._position += len(taken)
        return filled

    # Blocks are counted from the end of the file: what is read of a wheel is there.

    def _number_of(self, position: int) -> int:
        return (self._size - 1 - position) // _BLOCK

    def _bounds(self, number: int) -> tuple[int, int]:
        end = self._size - number * _BLOCK
        return max(end - _BLOCK, 0), end

    def _load(self, start: int, stop: int) -> None:
        """Fetch the blocks that are missing between two positions, neighbours in one request."""
        numbers = range(self._number_of(start), self._number_of(stop - 1) - 1, -1)
        missing = [number for number in numbers if number not in self._blocks]
        while missing:
            run = [missing.pop(0)]
            while missing and missing[0] == run[-1] - 1:
                run.append(missing.pop(0))
            begin, end = self._bounds(run[0])[0], self._bounds(run[-1])[1]
            content = self._fetch(begin, end - 1)
            for number in run:
                first, last = self._bounds(number)
                self._blocks[number] = content[first - begin : last - begin]

    def _fetch(self, first: int, last: int) -> bytes:
        self._bytes_left -= last - first + 1
        self._parts_left -= 1
        if self._bytes_left < 0 or self._parts_left < 0:
            raise UpstreamFailed("too much of the file would have to be read in parts")
        with self._budget.spending(), self._ask(first, last) as answer:
            part = content_part(answer)
            self._check(answer, part, first, last)
            try:
                content = answer.read(part.size)
            except Unreadable as error:
                raise UpstreamFailed(f"{answer.host} sends more than the part: {error}") from error
            if len(content) != part.size:
                raise UpstreamFailed(f"{answer.host} broke off a part of the file")
        return content

    def _check(self, answer: "Answer", part: Part, first: int, last: int) -> None:
        if (part.first, part.last) != (first, last) or part.total is None:
            raise UpstreamFailed(f"{answer.host} answers with another part than was asked for")
        state = part.total, answer.header("ETag"), answer.header("Last-Modified")
        if self._state not in {None, state}:
            raise UpstreamFailed(f"{answer.host} changed the file while it was read in parts")
        self._state = state
        self._size = part.total
