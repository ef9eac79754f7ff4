"""The process that serves: it listens, and drains at SIGTERM."""

import errno
import logging
import resource
import signal
import socket
import sys
import time
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from stillroom_server.domain.errors import StillroomError

from .channel import Channel
from .limits import FILES_APART, FILES_EACH, Limits
from .server import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger(__name__)

# A thread that renders a page would keep the others waiting for 5 ms at a time; measured, the
# shorter turn lets page hits through at no visible cost.
SWITCH_SECONDS = 0.0005


class ListenError(StillroomError):
    """The address cannot be listened on."""


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
        limits: Limits,
        shutdown_seconds: float,
    ) -> None:
        self._shutdown_seconds = shutdown_seconds
        self._stopping = False
        self._map: dict[int, Any] = {}
        limits = replace(limits, connections=allowed(limits.connections))
        self._server = Server(
            application, bound, threads=threads, limits=limits, sockets=self._map
        )

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
        self._server.tidy()

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

    def _busy(self) -> list[Channel]:
        """The connections with a request that is arriving, worked on, or not sent in full."""
        return [channel for channel in self._server.active_channels.values() if channel.is_busy()]


def allowed(connections: int) -> int:
    """How many connections the system lets us have, once it was asked to allow as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, FILES_EACH * connections + FILES_APART)
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    if soft == resource.RLIM_INFINITY:
        return connections
    if soft != files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    possible = max(1, (files - min(FILES_APART, files // 2)) // FILES_EACH)
    if possible < connections:
        log.warning(
            "connections: %d of %d, because only %d files may be open (ulimit -n)",
            possible, connections, files,
        )  # fmt: skip
        return possible
    return connections
