"""waitress, with its ends tied: connections survive a 304, and SIGTERM drains."""

import errno
import logging
import signal
import socket
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import WSGITask

from stillroom_server.domain.errors import StillroomError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

FORM_BYTES = 32 * 1024 * 1024
"""What an upload may hold beside its file."""

# A thread that renders a page would keep the others waiting for 5 ms at a time; measured, the
# shorter turn lets page hits through at no visible cost.
SWITCH_SECONDS = 0.0005


class ListenError(StillroomError):
    """The address cannot be listened on."""


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def set_close_on_finish(self) -> None:
        """Keep the connection after an answer without a body, which needs no Content-Length."""
        asked_to = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or self.wrote_header or self.version != "1.1" or asked_to:
            super().set_close_on_finish()

    def build_response_header(self) -> bytes:
        """End the answer to HEAD with its headers: waitress would send the end of a body too."""
        header: bytes = super().build_response_header()
        if self.request.command == "HEAD":
            self.chunked_response = False
        return header


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    task_class = _Task


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; raises ListenError with the reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port: {port} is in use on {host}; stop what uses it, or choose another --port"
            ) from None
        raise ListenError(f"host: {host} port {port} cannot be listened on: {error}") from None
    return bound


class Engine:
    """Serves a WSGI application on a bound socket until SIGTERM or SIGINT."""

    def __init__(
        self,
        application: "WSGIApplication",
        bound: socket.socket,
        *,
        threads: int,
        max_file_size: int,
        shutdown_seconds: float,
    ) -> None:
        self._shutdown_seconds = shutdown_seconds
        self._stopping = False
        self._map: dict[int, Any] = {}
        self._server = create_server(
            application,
            map=self._map,
            sockets=[bound],
            threads=threads,
            ident="stillroom",
            max_request_body_size=max_file_size + FORM_BYTES,
            connection_limit=1000,
            channel_timeout=120,
            # waitress keeps in memory what a slow client has not taken, up to this for each.
            outbuf_high_watermark=1024 * 1024,
            # The headers of proxies are read, or dropped, by our own middleware.
            clear_untrusted_proxy_headers=False,
            expose_tracebacks=False,
            asyncore_use_poll=True,
        )
        self._server.channel_class = _Channel

    def run(self) -> None:
        """Serve; returns when everything that was running has been answered."""
        sys.setswitchinterval(SWITCH_SECONDS)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            self._loop()
        self._drain()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._server.pull_trigger()

    def _loop(self, timeout: float = 1.0) -> None:
        self._server.asyncore.loop(timeout=timeout, map=self._map, use_poll=True, count=1)

    def _drain(self) -> None:
        """Accept nothing more, answer what has begun, then end."""
        log.info("stopping: answering what has begun")
        self._server.del_channel()
        self._server.socket.close()
        deadline = time.monotonic() + self._shutdown_seconds
        while self._busy() and time.monotonic() < deadline:
            self._loop(timeout=0.1)
        if self._busy():
            log.warning("stopping: gave up on %d connections", len(self._busy()))
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.asyncore.close_all(self._map)

    def _busy(self) -> list[Any]:
        """The connections with a request that is arriving, worked on, or not sent in full."""
        return [
            channel
            for channel in list(self._map.values())
            if isinstance(channel, HTTPChannel)
            and (channel.request or channel.requests or channel.total_outbufs_len)
        ]
