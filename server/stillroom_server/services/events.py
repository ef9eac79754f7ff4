"""Telling listeners what was committed: after the commit, in order, by a durable cursor."""

import itertools
import logging
import threading
from collections.abc import Sequence

from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.events import JournalEntry

from .ports import Database, Listener

log = logging.getLogger(__name__)

BATCH = 200
ATTEMPTS = 3


class EventTeller:
    """A thread that reads the journal and tells each listener, one after the other.

    A listener is told everything at least once. One that raises is asked again, `ATTEMPTS`
    times, then the entry is logged as lost to it: a broken listener stops nobody, not even
    itself for ever. A new listener starts with what happens after it came.
    """

    def __init__(
        self, database: Database, listeners: Sequence[Listener], *, interval: float = 2.0
    ) -> None:
        self._database = database
        self._listeners = listeners
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        if self._listeners:
            self._thread.start()

    def stop(self) -> None:
        """Finish the change at hand and end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def tell_all(self) -> None:
        """Tell every listener what it has not been told yet."""
        for listener in self._listeners:
            self._catch_up(listener)

    def _run(self) -> None:
        told = self._tell_news(-1)
        while not self._stop.wait(self._interval):
            told = self._tell_news(told)

    def _tell_news(self, told: int) -> int:
        """Tell what came after a serial; the serial up to which everything is told now."""
        try:
            serial = self._database.serial()
            if serial != told:
                self.tell_all()
        except Trouble as trouble:
            log.warning("events: %s", trouble)
        except Exception:
            log.exception("events: telling them failed; it is tried again")
        else:
            return serial
        return told

    def _catch_up(self, listener: Listener) -> None:
        cursor = self._cursor(listener)
        while not self._stop.is_set():
            with self._database.reading() as unit:
                entries = unit.journal.since(cursor, BATCH)
            if not entries:
                return
            cursor = self._tell_in_order(listener, entries)
            self._set_cursor(listener, cursor)

    def _tell_in_order(self, listener: Listener, entries: Sequence[JournalEntry]) -> int:
        """Tell entries until the end or `stop`; the last serial that was told in full."""
        told = 0
        for serial, of_one_commit in itertools.groupby(entries, lambda entry: entry.serial):
            for entry in of_one_commit:
                _tell(listener, entry)
            told = serial
            if self._stop.is_set():
                break
        return told

    def _cursor(self, listener: Listener) -> int:
        with self._database.reading() as unit:
            cursor = unit.journal.cursor(listener.name)
        if cursor is None:
            cursor = self._database.serial()
            self._set_cursor(listener, cursor)
        return cursor

    def _set_cursor(self, listener: Listener, cursor: int) -> None:
        with self._database.writing() as unit:
            unit.journal.set_cursor(listener.name, cursor)


def _tell(listener: Listener, entry: JournalEntry) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            listener.tell(entry)
        except Exception:
            # A plugin's failure, of whatever kind, is its own.
            log.exception(
                "listener %s failed at serial %d (attempt %d of %d)",
                listener.name, entry.serial, attempt, ATTEMPTS,
            )  # fmt: skip
        else:
            return
    log.error("listener %s does not learn of serial %d", listener.name, entry.serial)
