"""The journal in SQL, and the serial that each commit takes."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    func,
    insert,
    select,
    union_all,
    update,
)

from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import Clock

from . import schema
from .statements import put_row

_journal = schema.journal
_cursors = schema.cursors
_state = schema.state


class SqlJournal:
    """The port `Journal`."""

    def __init__(self, connection: Connection, clock: Clock, *, writable: bool) -> None:
        self._connection = connection
        self._clock = clock
        self._writable = writable
        self._recorded: list[Event] = []

    def record(self, event: Event) -> None:
        """Tell this event after the commit; RuntimeError in a unit that only reads."""
        if not self._writable:
            raise RuntimeError("this unit only reads; open one with writing() to record events")
        self._recorded.append(event)

    def take_serial(self) -> None:
        """Take the next serial for what was recorded, if anything was: a commit's last step."""
        if not self._recorded:
            return
        next_serial = update(_state).values(serial=_state.c.serial + 1).returning(_state.c.serial)
        serial = self._connection.execute(next_serial).scalar_one()
        now = self._clock()
        rows = [
            {"serial": serial, "position": position, "at": now, **_values(event)}
            for position, event in enumerate(self._recorded)
        ]
        self._connection.execute(insert(_journal), rows)

    def since(self, serial: int, limit: int) -> list[JournalEntry]:
        """The entries after a serial, in order; at most `limit`, but whole serials only.

        If the first of them alone has more entries than `limit`, they all come nevertheless.
        """
        found = self._select(_journal.c.serial > serial, limit + 1)
        if len(found) <= limit:
            return found
        cut = found[-1].serial
        whole = [entry for entry in found if entry.serial < cut]
        return whole or self._select(_journal.c.serial == cut)

    def last_change(self, indexes: Iterable[IndexName], project: ProjectName | None) -> int:
        """The serial of the last change that the page of a project in these indexes could show."""
        latest = [query for name in indexes for query in _latest(str(name), project)]
        if not latest:
            return 0
        each = union_all(*latest).subquery()
        return self._connection.scalar(select(func.max(each.c.serial))) or 0

    def cursor(self, listener: str) -> int | None:
        """Up to which serial a listener was told; None if it is new."""
        query = select(_cursors.c.serial).where(_cursors.c.listener == listener)
        return self._connection.scalar(query)

    def set_cursor(self, listener: str, serial: int) -> None:
        """Note up to which serial a listener was told. Takes no serial."""
        put_row(self._connection, _cursors, {"listener": listener, "serial": serial})

    def _select(
        self, condition: ColumnElement[bool], limit: int | None = None
    ) -> list[JournalEntry]:
        query = select(_journal).where(condition).limit(limit)
        rows = self._connection.execute(query.order_by(_journal.c.serial, _journal.c.position))
        return [_entry(row) for row in rows]


def _latest(index: str, project: ProjectName | None) -> Sequence[Select[Any]]:
    # One question per index entry that can be answered by its end: no row is looked at beyond.
    query = select(func.max(_journal.c.serial).label("serial"))
    query = query.where(_journal.c.index_name == index)
    if project is None:
        return [query]
    return [
        query.where(_journal.c.project == project),
        query.where(_journal.c.project.is_(None)),
    ]


def _values(event: Event) -> dict[str, Any]:
    return {
        "kind": event.kind.value,
        "actor": event.actor,
        "user_name": event.user,
        "index_name": None if event.index is None else str(event.index),
        "project": event.project,
        "details": dict(event.details),
        "token": event.token,
        "address": event.address,
        "request": event.request,
    }


def _entry(row: Row[Any]) -> JournalEntry:
    event = Event(
        kind=EventKind(row.kind),
        actor=None if row.actor is None else UserName(row.actor),
        user=None if row.user_name is None else UserName(row.user_name),
        index=None if row.index_name is None else IndexName.parse(row.index_name),
        project=None if row.project is None else ProjectName(row.project),
        details=row.details,
        token=row.token,
        address=row.address,
        request=row.request,
    )
    return JournalEntry(serial=row.serial, position=row.position, at=row.at, event=event)
