"""One connection: a request after the other, and no client waited for without end."""

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import time
from typing import Any

from waitress.channel import HTTPChannel

from .limits import BODY_RATE, LINGER_SECONDS, OUTPUT_RATE, STREAM_RATE
from .output import SHARED_BYTES, SharedBytes
from .request import Request
from .tasks import Answer, Question, Refusal

DISCARD_BYTES = 64 * 1024


class Pace:
    """How many bytes a second there were on average, in one stretch of time after the other."""

    def __init__(self, now: float, count: int) -> None:
        self._since = now
        self._count = count

    def gained(self, count: int) -> int:
        """The bytes since this stretch began."""
        return count - self._count

    def is_too_slow(self, now: float, count: int, *, seconds: float, rate: int) -> bool:
        """Judge a stretch once it is over, and begin the next one."""
        elapsed = now - self._since
        if elapsed < seconds:
            return False
        too_slow = self.gained(count) < rate * elapsed
        self._since, self._count = now, count
        return too_slow


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """waitress's connection, with three differences.

    It takes one request apart at a time, and the next one when the answer is sent. It reads a
    large body only once the application has admitted it: until then TCP holds the client back.
    Before it closes on a client that is still sending, it lets the client see the answer.
    """

    parser_class = Request
    error_task_class = Refusal
    request: Request | None = None  # the one that is arriving
    total_outbufs_len: int
    close_when_flushed: bool
    # Set by the task whose answer ends the connection before the request has ended.
    lingers = False
    # Whether a thread had to wait until the client took some of the answer at hand.
    holds_thread = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._held = b""
        self._asking: Request | None = None
        self._lingers_until: float | None = None
        self._sent = 0
        self._taking: Pace | None = None
        self._bringing: Pace | None = None
        # When something was received or sent last, by the monotonic clock.
        self.active = time.monotonic()
        super().__init__(*arguments, **named)
        # Sending may find that the client has gone, and close, while the lock is held.
        self.requests_lock = threading.RLock()

    # In the thread of the loop

    def readable(self) -> bool:
        """Whether there is room for more: no request is at hand, all is sent."""
        if self._lingers_until is not None:
            return True
        # As waitress has it, but in one call: these two are asked in every turn of the loop.
        return not (
            self._held
            or self.requests
            or self.total_outbufs_len
            or self._asking is not None
            or self.will_close
            or self.close_when_flushed
        )

    def writable(self) -> bool:
        """Whether there is something to send, or to go on with once all is sent."""
        if self.total_outbufs_len or self.will_close or self.close_when_flushed:
            return True
        if self._held and self._may_go_on():
            return True
        return self.request is not None and self._is_waited_for()

    def handle_read(self) -> None:
        """Take what came; of a client that was refused, throw it away."""
        if self._lingers_until is None:
            super().handle_read()
            return
        try:
            self.recv(DISCARD_BYTES)
        except OSError:
            self.handle_close()

    def handle_write(self) -> None:
        """Send, then go on with what came in the meantime."""
        if self.socket is None:  # the reading before, in the same turn of the loop, ended it
            return
        if self.lingers and not self.will_close:
            self._send_last()
            return
        super().handle_write()
        if self.total_outbufs_len or not self.connected:
            return
        with self.requests_lock:
            self._advance()
            if self._is_waited_for():
                self.send_continue()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send some; how many bytes the system took."""
        count: int = super().send(data, do_close=do_close)
        if count:
            self._sent += count
            self.active = time.monotonic()
        return count

    def received(self, data: bytes) -> bool:
        """Take what came apart into a request, and have a thread answer it."""
        self.active = time.monotonic()
        with self.requests_lock:
            self._held += data
            self._advance()
        return True

    def handle_close(self) -> None:
        """Close, and let go of a body that has not come in full: threads remember connections."""
        super().handle_close()
        with self.requests_lock:
            self._held = b""
            if self.request is not None:
                self.request.close()

    def tidy(self, now: float) -> None:
        """End what lasts too long; called about every second."""
        limits = self.server.limits
        if self._lingers_until is not None:
            if now > self._lingers_until:
                self.handle_close()
        elif self._waits_for_client():
            self._tidy_output(now)
        elif self.requests or self._asking is not None:
            self._taking = None
        elif self.request is not None:
            self._tidy_request(now)
        else:
            self._taking = None
            seconds = limits.idle_seconds if self._sent else limits.head_seconds
            if now > self.active + seconds:
                self.handle_close()

    def dispensable_since(self) -> float | None:
        """Since when nothing is lost but patience if this connection is closed for another.

        None while there is work for it. A request that is still arriving counts from its
        beginning, so that nobody gains by a byte now and then; not where its sender is known.
        """
        request = self.request
        if self._lingers_until is not None:
            return self._lingers_until - LINGER_SECONDS
        if self.requests or self._asking is not None or self.total_outbufs_len:
            return None
        if request is None:
            return self.active
        return request.began if request.is_of_stranger else None

    def promised(self) -> int:
        """How many bytes of a file that was admitted are still to come."""
        return sum(r.missing for r in (self.request, self._asking) if r is not None)

    def is_busy(self) -> bool:
        """Whether a request is arriving, worked on, or not answered in full."""
        if self._lingers_until is not None:
            return False
        has_request = self.request is not None or self._asking is not None or self.requests
        return bool(has_request or self.total_outbufs_len)

    def shared(self) -> list[bytes]:
        """The bodies in memory that wait to be sent."""
        return [part.data for part in list(self.outbufs) if isinstance(part, SharedBytes)]

    def taken(self) -> int:
        """How many bytes the client's machine has acknowledged, where the system tells."""
        waiting = struct.pack("i", 0)
        with contextlib.suppress(OSError, AttributeError, ValueError):
            waiting = fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, waiting)
        return int(self._sent - struct.unpack("i", waiting)[0])

    def taken_lately(self) -> int:
        """How many bytes the client has taken since it was last judged."""
        return self._taking.gained(self.taken()) if self._taking is not None else 0

    def _waits_for_client(self) -> bool:
        """Whether something is left to send that is not just kept to be sent with more."""
        if self.requests:
            return bool(self.total_outbufs_len >= self.adj.send_bytes)
        return bool(self.total_outbufs_len or self.close_when_flushed)

    def _tidy_output(self, now: float) -> None:
        taken = self.taken()
        if self._taking is None:
            self._taking = Pace(now, taken)
        rate = STREAM_RATE if self.holds_thread else OUTPUT_RATE
        seconds = self.server.limits.slow_seconds
        if self._taking.is_too_slow(now, taken, seconds=seconds, rate=rate):
            self.handle_close()

    def _tidy_request(self, now: float) -> None:
        limits = self.server.limits
        with self.requests_lock:
            request = self.request
            if request is None:
                return
            if not request.headers_finished:
                if now > request.began + limits.head_seconds:
                    self._give_up(request, "head: it took too long to arrive; send it at once.")
                return
            count = request.body_bytes_received
            if self._bringing is None:
                self._bringing = Pace(now, count)
            seconds = limits.slow_seconds
            if self._bringing.is_too_slow(now, count, seconds=seconds, rate=BODY_RATE):
                self._give_up(
                    request, f"body: it must bring {BODY_RATE} bytes a second on average."
                )

    def _give_up(self, request: Request, message: str) -> None:
        request.refuse(408, message)
        self._queue(request)

    def _is_waited_for(self) -> bool:
        """Whether a client is to be told that the body may come (RFC 9110 §10.1.1)."""
        request = self.request
        return request is not None and request.headers_finished and bool(request.expect_continue)

    def _may_go_on(self) -> bool:
        is_free = not self.requests and self._asking is None and not self.lingers
        return self.connected and is_free and bool(self._held)

    def _send_last(self) -> None:
        """Send the answer after which the connection ends; then wait until the client saw it.

        waitress itself would close at once, in the middle of what the client is sending.
        """
        if self.requests:
            if self.total_outbufs_len >= self.adj.send_bytes:
                self._flush_exception(self._flush_some_if_lockable)
            return
        self._flush_exception(self._flush_some)
        if self.connected and self.close_when_flushed and not self.total_outbufs_len:
            self._linger()

    def _linger(self) -> None:
        """Close our side; the client's ends when it is done, or after some time."""
        self.close_when_flushed = False
        self._held = b""
        self._lingers_until = time.monotonic() + LINGER_SECONDS
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    # In both; `requests_lock` is held

    def _advance(self) -> None:
        """Take apart what was held, up to the end of a request, or to a question."""
        while self._may_go_on() and not (self.will_close or self.close_when_flushed):
            if self.request is None:
                self.request = Request(self.adj)
            request = self.request
            count = request.received(self._held)
            self._held = self._held[count:]
            if request.completed or request.asks:
                self._queue(request)

    def _queue(self, request: Request) -> None:
        """Have a thread answer the request, or ask whether its body may come."""
        self.request = self._bringing = None
        if request.asks:
            self._asking = request
        self.requests.append(request)
        self.server.add_task(self)

    # In a thread that answers

    def task_class(self, channel: "Channel", request: Request) -> Answer:
        """What is to be done for a request without an error."""
        return (Question if request.asks else Answer)(channel, request)

    def service(self) -> None:
        """Answer the request at hand; if its body may come now, read on."""
        request: Request = self.requests[0]
        self.holds_thread = False
        super().service()
        with self.requests_lock:
            goes_on = self._may_go_on() or request is self._asking
            # By now another thread may be asked about the next request.
            if request is self._asking:
                self._asking = None
                if request.is_admitted and self.connected:
                    request.asks = False
                    self.request = request
            if not self.total_outbufs_len:
                self._advance()
        if goes_on and self.connected:
            self.server.pull_trigger()

    def write_soon(self, data: Any) -> int:
        """Send soon; large bodies from where they are in memory."""
        if isinstance(data, bytes) and len(data) >= SHARED_BYTES:
            data = SharedBytes(data)
        count: int = super().write_soon(data)
        return count

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Wait until the client has taken some; not for long, and not with too many others."""
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self.holds_thread = True
            with self.server.waiting(self):
                super()._flush_outbufs_below_high_watermark()
