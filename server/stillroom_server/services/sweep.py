"""The sweep: blobs that nothing refers to are doomed, wait a day, and are deleted."""

from dataclasses import dataclass
from datetime import timedelta

from .ports import BlobStore, Clock, Database

GRACE = timedelta(days=1)
"""How long a doomed blob waits, so that whoever is about to link it again is in time."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep found and did, in blobs and bytes."""

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
        """Doom and delete; with `dry_run` only report which blobs the next sweep would delete."""
        now = self._clock()
        cutoff = now - GRACE
        with self._database.reading() as unit:
            due = unit.blobs.doomed(cutoff)
        if dry_run:
            return SweepReport(0, len(due), sum(blob.size for blob in due))
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
            with self._database.reading() as unit:
                known = unit.blobs.get(sha256) is not None
            if not known:
                with self._database.writing() as unit:
                    doomed += unit.blobs.doom_unknown(sha256, size, now)
        return doomed
