"""The sweep: blobs that nothing refers to are doomed, wait a day, and are deleted."""

from dataclasses import dataclass
from datetime import timedelta

from .ports import BlobStore, Clock, Database

GRACE = timedelta(days=1)
"""How long a doomed blob waits, so that whoever is about to link it again is in time."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did, or would do, in blobs and bytes."""

    doomed: int
    deleted: int
    deleted_bytes: int


class Sweep:
    """Deletes content that nothing needs any more."""

    def __init__(self, database: Database, store: BlobStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    def run(self, *, dry_run: bool = False) -> SweepReport:
        """Delete what has waited, doom what nothing refers to; with `dry_run` only report it."""
        now = self._clock()
        cutoff = now - GRACE
        with self._database.reading() as unit:
            due = unit.blobs.doomed(cutoff)
        if dry_run:
            return SweepReport(self._to_doom(), len(due), sum(blob.size for blob in due))
        self._store.clean_incoming(cutoff)
        deleted = [blob for blob in due if self._delete(blob.sha256)]
        doomed = self._doom()
        return SweepReport(doomed, len(deleted), sum(blob.size for blob in deleted))

    def _delete(self, sha256: str) -> bool:
        with self._database.writing() as unit:
            gone = unit.blobs.delete(sha256)
        # The row goes first: content without a row is found again, a row without content is not.
        return gone and self._store.delete(sha256, self._clock() - GRACE)

    def _doom(self) -> int:
        now = self._clock()
        with self._database.writing() as unit:
            doomed = unit.blobs.doom_unreferenced(now)
        for sha256, size in self._store.walk():
            if not self._is_known(sha256):
                with self._database.writing() as unit:
                    doomed += unit.blobs.doom_unknown(sha256, size, now)
        return doomed

    def _to_doom(self) -> int:
        with self._database.reading() as unit:
            free = len(unit.blobs.unreferenced())
        return free + sum(1 for sha256, _size in self._store.walk() if not self._is_known(sha256))

    def _is_known(self, sha256: str) -> bool:
        with self._database.reading() as unit:
            return unit.blobs.get(sha256) is not None
