"""The journal in memory; see `support.fakes`."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from stillroom_server.domain.events import OF_MIRRORS, Event, JournalEntry
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.ports import AuditQuery, Pruned

from .fake_repositories import Repository, Tables


class FakeJournal(Repository):
    def __init__(self, tables: Tables, *, writable: bool) -> None:
        super().__init__(tables, writable=writable)
        self._recorded: list[Event] = []

    def record(self, event: Event) -> None:
        _ = self._to_write
        self._recorded.append(event)

    def since(self, serial: int, limit: int) -> list[JournalEntry]:
        after = [entry for entry in self._tables.journal if entry.serial > serial]
        if len(after) <= limit:
            return after
        cut = after[limit].serial
        return [e for e in after if e.serial < cut] or [e for e in after if e.serial == cut]

    def last_change(self, indexes: Iterable[IndexName], project: ProjectName | None) -> int:
        names = set(indexes)
        return max(
            (
                entry.serial
                for entry in self._tables.journal
                if entry.event.index in names
                and (project is None or entry.event.project in {None, project})
            ),
            default=0,
        )

    def audit(self, query: AuditQuery, limit: int) -> list[JournalEntry]:
        entries = reversed(self._tables.journal)
        return [entry for entry in entries if _is_wanted(entry, query)][:limit]

    def expired(self, before: datetime, listeners: Collection[str]) -> int:
        old = [entry.serial for entry in self._tables.journal if entry.at < before]
        cursors = self._tables.cursors
        told = [cursors[name] for name in listeners if name in cursors]
        return min([max(old, default=0), *told])

    def prune(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        pruned, journal = self._pruned(before, after, until, limit)
        self._to_write.journal = journal
        return pruned

    def prunable(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        return self._pruned(before, after, until, limit)[0]

    def _pruned(
        self, before: datetime, after: int, until: int, limit: int
    ) -> tuple[Pruned, list[JournalEntry]]:
        journal = self._tables.journal
        old = [e for e in journal if e.at < before and after < e.serial <= until]
        reached = old[limit - 1].serial if len(old) >= limit else until
        newest = {(e.event.index, e.event.project): e for e in journal if e.event.index}
        kept: list[JournalEntry] = []
        blanked = 0
        for entry in journal:
            event = entry.event
            if entry not in old or entry.serial > reached:
                kept.append(entry)
            elif newest.get((event.index, event.project)) is entry:
                blank = Event(event.kind, index=event.index, project=event.project)
                blanked += event != blank
                kept.append(replace(entry, event=blank))
        return Pruned(len(journal) - len(kept), blanked, reached), kept

    def cursor(self, listener: str) -> int | None:
        return self._tables.cursors.get(listener)

    def set_cursor(self, listener: str, serial: int) -> None:
        self._to_write.cursors[listener] = serial

    def take_serial(self, now: datetime) -> None:
        if self._recorded:
            self._to_write.serial += 1
        for position, event in enumerate(self._recorded):
            entry = JournalEntry(self._tables.serial, position, now, event)
            self._to_write.journal.append(entry)


def _is_wanted(entry: JournalEntry, query: AuditQuery) -> bool:
    event = entry.event
    return (
        event.kind not in OF_MIRRORS
        and query.index in {None, event.index}
        and query.project in {None, event.project}
        and query.user in {None, event.actor, event.user}
        and (query.since is None or query.since <= entry.at)
        and (query.until is None or entry.at < query.until)
        and (query.before is None or (entry.serial, entry.position) < query.before)
    )
