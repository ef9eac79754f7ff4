"""Reads the serial by the driver itself: it is the one query that every request makes."""

import threading
import weakref
from typing import Any, Protocol

from sqlalchemy import Engine

from .engine import Limits, connect_arguments
from .errors import as_domain_error


class _RawConnection(Protocol):
    def execute(self, query: str, /) -> Any: ...
    def close(self) -> None: ...


class _Held:
    """One thread's connection. `close` also runs by itself when the thread ends."""

    def __init__(self, connection: _RawConnection) -> None:
        self._connection = connection
        self.close = weakref.finalize(self, connection.close)

    def serial(self) -> int:
        [(serial,)] = self._connection.execute("SELECT serial FROM state").fetchall()
        return int(serial)


class SerialReader:
    """Keeps a connection per thread open, in autocommit: far cheaper than an engine's."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._dbapi = engine.dialect.loaded_dbapi
        self._path, arguments = engine.dialect.create_connect_args(engine.url)
        self._arguments = {**arguments, **connect_arguments(engine.url, limits)}
        if engine.dialect.name == "postgresql":
            self._arguments["autocommit"] = True
        self._mine = threading.local()
        self._all: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._lock = threading.Lock()

    def read(self) -> int:
        """The serial now. A connection that broke is made anew once; after that, StorageBusy."""
        try:
            held: _Held | None = getattr(self._mine, "held", None)
            if held is not None:
                try:
                    return held.serial()
                except self._dbapi.Error:
                    held.close()
            return self._connect().serial()
        except self._dbapi.Error as error:
            trouble = as_domain_error(error, reading=True)
            if trouble is None:
                raise
            raise trouble from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for held in list(self._all):
                held.close()
            self._mine = threading.local()

    def _connect(self) -> _Held:
        held = _Held(self._dbapi.connect(*self._path, **self._arguments))
        self._mine.held = held
        with self._lock:
            self._all.add(held)
        return held
