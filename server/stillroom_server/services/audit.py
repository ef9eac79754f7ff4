"""What people did, and what they fetched, as far back as it is kept."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stillroom_server.domain.events import JournalEntry

from .ports import AuditQuery, Clock, Database, Fetch, FetchQuery

BATCH = 1_000
"""Rows that are deleted in one unit: other writers wait for no more."""


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days entries of the journal, and fetches, are kept; 0 is for ever.

    Guesses of passwords are kept for the `window` in which they count.
    """

    audit_days: int
    fetches_days: int
    window: timedelta

    def first_entry(self, now: datetime) -> datetime | None:
        """Entries before this are too old; None where none is."""
        return _before(now, self.audit_days)

    def first_fetch(self, now: datetime) -> datetime | None:
        """Fetches before this are too old; None where none is."""
        return _before(now, self.fetches_days)


def _before(now: datetime, days: int) -> datetime | None:
    return now - timedelta(days=days) if days else None


class Audit:
    """Answers who did what. Permission has been checked before.

    What is too old is not told, whether or not it is deleted by now.
    """

    def __init__(self, database: Database, clock: Clock, retention: Retention) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention

    def entries(
        self, query: AuditQuery, limit: int, *, created: datetime | None = None
    ) -> list[JournalEntry]:
        """What people did, newest first.

        Nothing from before `created`: what an index of the same name was, and who used it, is
        not for who has made another one.
        """
        with self._database.reading() as unit:
            entries = unit.journal.audit(query, limit)
        # Not a part of the question: a time that leaves nearly all in is slow to look up.
        first = _later(created, self._retention.first_entry(self._clock()))
        return [entry for entry in entries if first is None or entry.at >= first]

    def fetches(
        self, query: FetchQuery, limit: int, *, created: datetime | None = None
    ) -> list[Fetch]:
        """Who fetched what, newest first; nothing from before the minute of `created`."""
        began = created and created.replace(second=0, microsecond=0)
        since = _later(began, self._retention.first_fetch(self._clock()))
        since = _later(query.since, since)
        with self._database.reading() as unit:
            return unit.fetches.find(replace(query, since=since), limit)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


@dataclass(frozen=True, slots=True)
class PruneReport:
    """How many entries were deleted and blanked, and how many rows of fetches were deleted."""

    deleted: int = 0
    blanked: int = 0
    fetches: int = 0


class Pruning:
    """Forgets what is older than it is to be kept, a bounded part in each unit.

    Entries stay that a listener has not been told of. The newest of each project of an index
    and of each whole index stays as well, for pages are compared with its serial; but it no more
    says who it was. `listeners` are the names of those that are installed. Guesses of passwords
    that count no more go without being told of.
    """

    def __init__(
        self, database: Database, clock: Clock, retention: Retention, listeners: Collection[str]
    ) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._listeners = listeners

    def run(
        self, stopped: Callable[[], bool] = lambda: False, *, dry_run: bool = False
    ) -> PruneReport:
        """Do it, or only find out what there is to do; end early when `stopped` says so."""
        now = self._clock()
        report = PruneReport()
        if not dry_run:
            with self._database.writing() as unit:
                unit.guesses.delete_before(now - self._retention.window)
        first_entry = self._retention.first_entry(now)
        if first_entry is not None:
            report = self._prune_journal(first_entry, stopped, dry_run=dry_run)
        first_fetch = self._retention.first_fetch(now)
        if first_fetch is None:
            return report
        if dry_run:
            with self._database.reading() as unit:
                return replace(report, fetches=unit.fetches.count_before(first_fetch))
        return replace(report, fetches=self._prune_fetches(first_fetch, stopped))

    def _prune_journal(
        self, before: datetime, stopped: Callable[[], bool], *, dry_run: bool
    ) -> PruneReport:
        with self._database.reading() as unit:
            until = unit.journal.expired(before, self._listeners)
        report = PruneReport()
        reached = 0
        while reached < until and not stopped():
            if dry_run:
                with self._database.reading() as unit:
                    part = unit.journal.prunable(before, reached, until, BATCH)
            else:
                with self._database.writing() as unit:
                    part = unit.journal.prune(before, reached, until, BATCH)
            reached = part.reached
            report = PruneReport(report.deleted + part.deleted, report.blanked + part.blanked)
        return report

    def _prune_fetches(self, before: datetime, stopped: Callable[[], bool]) -> int:
        deleted = 0
        while not stopped():
            with self._database.writing() as unit:
                part = unit.fetches.delete_before(before, BATCH)
            deleted += part
            if part < BATCH:
                break
        return deleted
