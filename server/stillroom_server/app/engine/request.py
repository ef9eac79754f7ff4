"""One request on its way in."""

import errno
import logging
import time
from typing import TYPE_CHECKING, Any

from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser
from waitress.receiver import FixedStreamReceiver
from waitress.utilities import Error

from .bodies import ChunkedReceiver
from .head import Malformed, check_unfinished, read_head
from .limits import UNASKED_BYTES

if TYPE_CHECKING:
    from stillroom_server.web.admission import Admission

log = logging.getLogger(__name__)

END = b"\r\n\r\n"
EMPTY_LINES = 2
"""Some clients end a request with a line too many; as many are skipped before the next one."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""Of a disk, and in the table of open files: a body that is kept on disk needs both."""


class Refused(Error):  # type: ignore[misc]  # waitress has no types
    """What is to be answered to a request that cannot be taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.code = status


class Request(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Reads a head, then a body into a buffer.

    `asks` is set when the head is complete and the body is so large, or of unknown length, that
    it is not read before the application has admitted it; `admission` is what it then says.
    """

    # What an answer to an unreadable request is made from.
    version = "1.1"
    command = "GET"
    path = request_uri = "/"
    query = ""

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.began = time.monotonic()
        self.url_scheme = adj.url_scheme
        self.asks = False
        self.admission: Admission | None = None
        self._head = bytearray()
        self._empty_lines = 0

    def received(self, data: bytes) -> int:
        """Take what arrived; how many bytes of it belong to this request."""
        try:
            if self.headers_finished:
                return self._receive_body(data)
            return self._receive_head(data)
        except Malformed as malformed:
            self.refuse(malformed.status, malformed.message)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            log.warning("a body was refused: %s", error)
            self.refuse(507, "body: there is no room left for it here; try again later.")
        return len(data)

    def refuse(self, status: int, message: str) -> None:
        """Answer this and close the connection; nothing more of it is read as a request."""
        self.error = Refused(status, message)
        self.asks = False
        self.completed = True

    def close(self) -> None:
        """Let go of the body. One that was asked for has not come yet, and will."""
        if not self.asks:
            super().close()

    @property
    def is_admitted(self) -> bool:
        """Whether the application wants the body of this request."""
        return self.admission is not None and self.admission.bound is not None

    @property
    def is_of_stranger(self) -> bool:
        """Whether nobody is known to stand behind this request."""
        return self.admission is None or not self.admission.is_known

    @property
    def missing(self) -> int:
        """How many bytes of a body that room was promised to are still to come."""
        if self.completed or self.admission is None or not self.admission.has_room:
            return 0
        return max(0, int(self.content_length) - int(self.body_bytes_received))

    def _receive_head(self, data: bytes) -> int:
        before = len(self._head)
        self._head += data
        while self._head.startswith(b"\r\n") and self._empty_lines < EMPTY_LINES:
            del self._head[:2]
            self._empty_lines += 1
        end = self._head.find(END, max(0, before - len(END)))
        if end < 0:
            check_unfinished(self._head, before)
            return len(data)
        rest = len(self._head) - end - len(END)
        self.headers_finished = True
        self._take_head(bytes(self._head[:end]))
        self._head.clear()
        return len(data) - rest

    def _take_head(self, raw: bytes) -> None:
        head = read_head(raw)
        self.command, self.request_uri, self.version = head.method, head.target, head.version
        self.path, self.query = head.path, head.query
        self.headers = dict(head.fields)
        options = self.headers.get("CONNECTION", "")
        if "," in options and "close" in {word.strip().lower() for word in options.split(",")}:
            # waitress knows the option only where it stands alone (RFC 9112 §9.6).
            self.headers["CONNECTION"] = "close"
        self.chunked = head.length is None
        self.content_length = head.length or 0
        if head.length == 0:
            self.completed = True
            return
        buffer = OverflowableBuffer(self.adj.inbuf_overflow)
        if self.chunked:
            self.body_rcv = ChunkedReceiver(buffer)
        else:
            self.body_rcv = FixedStreamReceiver(head.length, buffer)
        expects = self.headers.get("EXPECT", "").lower() == "100-continue"
        self.expect_continue = expects and head.version == "1.1"
        self.asks = self.chunked or self.content_length > UNASKED_BYTES

    def _receive_body(self, data: bytes) -> int:
        body = self.body_rcv
        count: int = body.received(data)
        self.body_bytes_received += count
        if self.chunked and self.admission is not None:
            bound = self.admission.bound
            if bound is not None and body.announced > bound:
                raise Malformed(413, self.admission.too_large)
        if body.completed:
            self.completed = True
            # The application sees a body of known length, however it came.
            self.headers["CONTENT_LENGTH"] = str(len(body))
        return count
