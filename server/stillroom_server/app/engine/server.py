"""All connections of a process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from .channel import Channel
from .limits import FREE_SHARE, HEAD_BYTES, UNASKED_BYTES, WAITING_BYTES, Limits

TIDY_SECONDS = 1.0


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """waitress's server, which makes room among its connections.

    `Channel.handle_close` is called in the thread of the loop alone; other threads leave what is
    to be closed in a list.
    """

    channel_class = Channel

    def __init__(
        self,
        application: Any,
        bound: Any,
        *,
        threads: int,
        limits: Limits,
        sockets: dict[int, Any],
    ) -> None:
        self.limits = limits
        self._most_waiting = max(1, threads // 2)
        self._waiting: set[Channel] = set()
        self._unwanted: set[Channel] = set()
        self._lock = threading.Lock()
        self._next_look = 0.0
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        super().__init__(
            application,
            sockets,
            _sock=bound,
            dispatcher=dispatcher,
            adj=_adjustments(threads, limits),
            bind_socket=False,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
        )

    def maintenance(self, now: float) -> None:
        """Nothing: waitress only marks what is to be closed, and waits until it can be sent to."""

    def handle_accept(self) -> None:
        """Take a connection; where few are left free, close the one that is missed least."""
        super().handle_accept()
        if len(self.active_channels) <= self.limits.connections * (1 - FREE_SHARE):
            return
        *others, _new = self.active_channels.values()
        waited_for = [(since, c) for c in others if (since := c.dispensable_since()) is not None]
        if waited_for:
            min(waited_for, key=lambda pair: pair[0])[1].handle_close()

    def tidy(self) -> None:
        """Close what is to be closed; every second, look for more."""
        if self._unwanted:
            with self._lock:
                unwanted, self._unwanted = self._unwanted, set()
            for channel in unwanted:
                if channel.connected:
                    channel.handle_close()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + TIDY_SECONDS
        for channel in list(self.active_channels.values()):
            channel.tidy(now)
        self._tidy_memory()

    def promised(self) -> int:
        """How many bytes of files that were admitted are still to come."""
        return sum(channel.promised() for channel in list(self.active_channels.values()))

    @contextmanager
    def waiting(self, channel: Channel) -> Iterator[None]:
        """A thread waits in the block until a client has taken something.

        If that keeps too many threads from other work, the slowest of these clients is dropped.
        """
        with self._lock:
            self._waiting.add(channel)
            if len(self._waiting) > self._most_waiting:
                slowest = min(self._waiting, key=lambda waiting: waiting.taken_lately())
                self._waiting.remove(slowest)
                self._unwanted.add(slowest)
                self.pull_trigger()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(channel)

    def _tidy_memory(self) -> None:
        """Drop the slowest clients while the bodies that wait for them take too much memory."""
        waiting = [c for c in self.active_channels.values() if c.total_outbufs_len]
        held = {id(data): data for channel in waiting for data in channel.shared()}
        if sum(map(len, held.values())) <= WAITING_BYTES:
            return
        kept: set[int] = set()
        size = 0
        for channel in sorted(waiting, key=Channel.taken_lately, reverse=True):
            new = {id(data): len(data) for data in channel.shared() if id(data) not in kept}
            if size + sum(new.values()) > WAITING_BYTES:
                channel.handle_close()
            else:
                size += sum(new.values())
                kept.update(new)


def _adjustments(threads: int, limits: Limits) -> Any:
    return Adjustments(
        threads=threads,
        ident="stillroom",
        # waitress counts what it listens on and is woken by, too.
        connection_limit=limits.connections + 2,
        max_request_header_size=HEAD_BYTES,
        # Larger bodies go to a file: there may be as many as connections.
        inbuf_overflow=UNASKED_BYTES + 1,
        recv_bytes=UNASKED_BYTES,
        # waitress keeps in memory what a slow client has not taken, up to this for each.
        outbuf_high_watermark=1024 * 1024,
        # The headers of proxies are read, or dropped, by our own middleware.
        clear_untrusted_proxy_headers=False,
        expose_tracebacks=False,
        asyncore_use_poll=True,
    )
