"""Reads the serial by the driver itself: it is the one query that every request makes."""

import queue
from typing import Any, Protocol

from sqlalchemy import Engine

from .engine import Limits, connect_arguments
from .errors import as_domain_error, pool_exhausted


class _RawConnection(Protocol):
    def execute(self, query: str, /) -> Any: ...
    def close(self) -> None: ...


class SerialReader:
    """Keeps a few connections open, in autocommit: far cheaper to ask than an engine's.

    The one used last is used next, so that a server opens no more of them than it has requests
    at the same moment, and at most `limits.connections`.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._dbapi = engine.dialect.loaded_dbapi
        self._path, arguments = engine.dialect.create_connect_args(engine.url)
        self._arguments = {**arguments, **connect_arguments(engine.url, limits)}
        if engine.dialect.name == "postgresql":
            self._arguments["autocommit"] = True
        self._seconds = limits.pool
        self._places: queue.LifoQueue[_RawConnection | None] = queue.LifoQueue()
        for _ in range(limits.connections):
            self._places.put(None)

    def read(self) -> int:
        """The serial now. A connection that broke is made anew once; after that, StorageBusy."""
        try:
            held = self._places.get(timeout=self._seconds)
        except queue.Empty:
            raise pool_exhausted() from None
        try:
            held, serial = self._ask(held)
        except self._dbapi.Error as error:
            held = None
            trouble = as_domain_error(error, reading=True)
            if trouble is None:
                raise
            raise trouble from error
        finally:
            self._places.put(held)
        return serial

    def close(self) -> None:
        """Close the connections that nobody is reading by; a reader opens a new one."""
        places = [self._places.get_nowait() for _ in range(self._places.qsize())]
        for held in places:
            if held is not None:
                held.close()
            self._places.put(None)

    def _ask(self, held: _RawConnection | None) -> tuple[_RawConnection, int]:
        if held is not None:
            try:
                return held, _serial(held)
            except self._dbapi.Error:
                held.close()
        fresh: _RawConnection = self._dbapi.connect(*self._path, **self._arguments)
        try:
            return fresh, _serial(fresh)
        except self._dbapi.Error:
            fresh.close()
            raise


def _serial(connection: _RawConnection) -> int:
    [(serial,)] = connection.execute("SELECT serial FROM state").fetchall()
    return int(serial)
