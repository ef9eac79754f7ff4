"""The journal in SQL, and the serial that each commit takes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Text,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from stillroom_server.domain.events import OF_MIRRORS, Event, EventKind, JournalEntry
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import AuditQuery, Clock, Pruned

from . import schema
from .statements import put_row

_journal = schema.journal
_cursors = schema.cursors
_state = schema.state

_BLANK = ("actor", "user_name", "token", "address", "request")
"""What an entry says of people; its details may, too."""

_FEW = 10_000
"""Entries that are sorted sooner than gone through in the order in which they are."""


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

    def audit(self, query: AuditQuery, limit: int) -> list[JournalEntry]:
        """What people did, newest first; what mirrors record of themselves is left out."""
        statement = select(_journal).where(_journal.c.kind.not_in(OF_MIRRORS), *_wanted(query))
        # SQLite would go through all entries in their order, to save the sorting of a few: as a
        # sum, the serial is in no index, and the time is looked up in that on `at`.
        serial = _journal.c.serial + 0 if self._is_short(query) else _journal.c.serial
        statement = statement.order_by(serial.desc(), _journal.c.position.desc())
        rows = self._connection.execute(statement.limit(limit))
        return [_entry(row) for row in rows]

    def _is_short(self, query: AuditQuery) -> bool:
        """Whether few entries are of the time that is asked about, whatever they tell."""
        if query.since is None:
            return False
        inside = AuditQuery(since=query.since, until=query.until)
        first = select(_journal.c.at).where(*_wanted(inside)).limit(_FEW + 1).subquery()
        found = self._connection.scalar(select(func.count()).select_from(first)) or 0
        return found <= _FEW

    def expired(self, before: datetime, listeners: Collection[str]) -> int:
        """The serial up to which entries may be pruned; 0 where there is nothing to do."""
        # The end of the index on `at`: serials and times rise together, unless a clock jumps.
        newest = select(_journal.c.serial).where(_journal.c.at < before)
        newest = newest.order_by(_journal.c.at.desc(), _journal.c.serial.desc()).limit(1)
        told = select(func.min(_cursors.c.serial)).where(_cursors.c.listener.in_(listeners))
        expired = self._connection.scalar(newest) or 0
        cursor = self._connection.scalar(told)
        return expired if cursor is None else min(expired, cursor)

    def prune(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        """Delete old entries; those that pages are compared with say no more who it was."""
        reached = self._reach(before, after, until, limit)
        old = _old(before, after, reached)
        deleted = self._connection.execute(delete(_journal).where(old, _is_superseded())).rowcount
        values = dict.fromkeys(_BLANK) | {"details": {}}
        blank = update(_journal).where(old, _says_more()).values(**values)
        return Pruned(deleted, self._connection.execute(blank).rowcount, reached)

    def prunable(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        """What `prune` would do now."""
        reached = self._reach(before, after, until, limit)
        old = _old(before, after, reached)
        superseded = _is_superseded()
        deleted = self._count(old, superseded)
        return Pruned(deleted, self._count(old, _says_more(), ~superseded), reached)

    def cursor(self, listener: str) -> int | None:
        """Up to which serial a listener was told; None if it is new."""
        query = select(_cursors.c.serial).where(_cursors.c.listener == listener)
        return self._connection.scalar(query)

    def set_cursor(self, listener: str, serial: int) -> None:
        """Note up to which serial a listener was told. Takes no serial."""
        put_row(self._connection, _cursors, {"listener": listener, "serial": serial})

    def _reach(self, before: datetime, after: int, until: int, limit: int) -> int:
        """The last serial of the next entries to look at; `until` if there are no more."""
        query = select(_journal.c.serial).where(_old(before, after, until))
        query = query.order_by(_journal.c.serial, _journal.c.position).offset(limit - 1).limit(1)
        return self._connection.scalar(query) or until

    def _count(self, *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(_journal).where(*conditions)
        return self._connection.scalar(query) or 0

    def _select(
        self, condition: ColumnElement[bool], limit: int | None = None
    ) -> list[JournalEntry]:
        query = select(_journal).where(condition).limit(limit)
        rows = self._connection.execute(query.order_by(_journal.c.serial, _journal.c.position))
        return [_entry(row) for row in rows]


def _wanted(query: AuditQuery) -> Iterator[ColumnElement[bool]]:
    columns = _journal.c
    if query.index is not None:
        yield columns.index_name == str(query.index)
    if query.project is not None:
        yield columns.project == query.project
    if query.user is not None:
        yield or_(columns.actor == query.user, columns.user_name == query.user)
    if query.since is not None:
        yield columns.at >= query.since
    if query.until is not None:
        yield columns.at < query.until
    if query.before is not None:
        serial, position = query.before
        # Said twice: the first part is what the primary key finds.
        yield columns.serial <= serial
        yield or_(columns.serial < serial, columns.position < position)


def _old(before: datetime, after: int, until: int) -> ColumnElement[bool]:
    serial = _journal.c.serial
    return and_(serial > after, serial <= until, _journal.c.at < before)


def _is_superseded() -> ColumnElement[bool]:
    """Whether no page is compared with an entry: it is of no index, or not the newest there."""
    newer = _journal.alias("newer")
    of_same_index = and_(
        newer.c.index_name == _journal.c.index_name,
        # Said twice: the first part is what the index of the table finds.
        newer.c.serial >= _journal.c.serial,
        tuple_(newer.c.serial, newer.c.position) > tuple_(_journal.c.serial, _journal.c.position),
    )
    # Two questions: neither database uses its index for both of them at once.
    return or_(
        _journal.c.index_name.is_(None),
        exists().where(of_same_index, newer.c.project == _journal.c.project),
        and_(
            _journal.c.project.is_(None), exists().where(of_same_index, newer.c.project.is_(None))
        ),
    )


def _says_more() -> ColumnElement[bool]:
    """Whether an entry says more than what it is about."""
    people = (_journal.c[name].is_not(None) for name in _BLANK)
    return or_(*people, cast(_journal.c.details, Text) != "{}")


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
