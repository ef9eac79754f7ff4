"""When mirrored files were last used: noted in memory, written now and then, many at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile

from .backlog import Backlog
from .ports import Clock, Database, FileKey

COARSE = timedelta(hours=1)
"""A use so soon after the last one is not noted: it would change nothing that matters."""

MAX_NOTED = 50_000
"""Uses in memory; more are let go, for they only decide what is evicted first."""


class FileUses:
    """Notes uses of kept files, so that those used least recently can be told."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._noted: Backlog[FileKey, datetime] = Backlog(max, MAX_NOTED)

    def note(self, index: Index, project: ProjectName, kept: KeptFile) -> None:
        """Somebody has just asked for this file. Writes nothing."""
        now = self._clock()
        key = FileKey(index.id, project, kept.filename)
        if now - (self._noted.get(key) or kept.used) >= COARSE:
            self._noted.add(key, now)

    def flush(self) -> int:
        """Write down what was noted, in units of its own that take no serial; how many.

        Raises StorageBusy; then what was noted waits for the next time.
        """
        return self._noted.flush(self._write)

    def _write(self, noted: Mapping[FileKey, datetime]) -> None:
        with self._database.writing() as unit:
            unit.mirror_pages.note_uses(noted)
