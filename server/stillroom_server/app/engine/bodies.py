"""Bodies in chunks, read strictly (RFC 9112 §7.1)."""

import re
from typing import Any

from .head import Malformed
from .limits import SIZE_LINE_BYTES, TRAILER_BYTES

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_EXTENSION = (
    rb"[ \t]*;[ \t]*" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb'|"(?:[^"\\\x00-\x1f\x7f]|\\[!-~])*"))?'
)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:" + _EXTENSION + rb")*")
_TRAILER_LINE = re.compile(_TOKEN + rb":[\t -~\x80-\xff]*")


class ChunkedReceiver:
    """Takes a chunked body apart into a buffer of waitress; raises Malformed.

    Extensions and trailers are read and dropped: nothing here has a use for them.
    """

    def __init__(self, buffer: Any) -> None:
        self.completed = False
        self._buffer = buffer
        self._came: list[bytes] = []
        self._line = b""
        self._missing = 0
        self._is_in_trailer = False
        self._trailer = 0

    def __len__(self) -> int:
        length: int = self._buffer.__len__()
        return length

    @property
    def announced(self) -> int:
        """The bytes so far, with what the chunk at hand will bring."""
        return len(self) + max(0, self._missing - 2)

    def received(self, data: bytes) -> int:
        """Take what arrived; how many bytes of it belong to the body."""
        try:
            return self._take_apart(data)
        finally:
            if self._came:
                # Once for all chunks, for there may be one to each byte.
                self._buffer.append(b"".join(self._came))
                self._came.clear()

    def _take_apart(self, data: bytes) -> int:
        position = 0
        while position < len(data) and not self.completed:
            if self._missing:
                position += self._take(data[position : position + self._missing])
                continue
            end = data.find(b"\n", position) + 1 or len(data)
            self._line += data[position:end]
            position = end
            self._check_line()
        return position

    def getfile(self) -> Any:
        """The body as a file."""
        return self._buffer.getfile()

    def getbuf(self) -> Any:
        """The buffer that the body is in."""
        return self._buffer

    def _take(self, data: bytes) -> int:
        """Take a part of a chunk, or of the two bytes that end it."""
        content = data[: max(0, self._missing - 2)]
        if content:
            self._came.append(content)
        end = data[len(content) :]
        if end and end != b"\r\n"[2 - (self._missing - len(content)) :][: len(end)]:
            raise Malformed(400, "body: a chunk ends with CR and LF after the bytes that it says.")
        self._missing -= len(data)
        return len(data)

    def _check_line(self) -> None:
        """Read a line once it is whole: the size of a chunk, or one of the trailer."""
        if self._is_in_trailer:
            if self._trailer + len(self._line) > TRAILER_BYTES:
                raise Malformed(431, f"body: after it come at most {TRAILER_BYTES} bytes.")
        elif len(self._line) > SIZE_LINE_BYTES:
            raise Malformed(400, f"body: a chunk's size takes at most {SIZE_LINE_BYTES} bytes.")
        if not self._line.endswith(b"\n"):
            return
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise Malformed(400, "body: the lines between chunks end with CR and LF.")
        if self._is_in_trailer:
            self._trailer += len(line)
            self._end(line[:-2])
        else:
            self._begin(line[:-2])

    def _begin(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise Malformed(400, "body: a chunk begins with its size in hexadecimal digits.")
        size = int(match[1], 16)
        self._is_in_trailer = size == 0
        self._missing = size + 2 if size else 0

    def _end(self, line: bytes) -> None:
        if not line:
            self.completed = True
        elif not _TRAILER_LINE.fullmatch(line):
            raise Malformed(400, "body: what follows the last chunk is header fields.")
