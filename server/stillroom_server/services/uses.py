"""When mirrored files were last used: noted in memory, written now and then, many at once."""

import threading
from datetime import datetime, timedelta

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile

from .ports import Clock, Database, FileKey

COARSE = timedelta(hours=1)
"""A use so soon after the last one is not noted: it would change nothing that matters."""

MAX_NOTED = 50_000
"""Uses in memory; more are let go, for they only decide what is evicted first."""


class Uses:
    """Notes uses of kept files, so that those used least recently can be told."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[FileKey, datetime] = {}

    def note(self, index: Index, project: ProjectName, kept: KeptFile) -> None:
        """Somebody has just asked for this file. Writes nothing."""
        now = self._clock()
        key = FileKey(index.id, project, kept.filename)
        with self._lock:
            last = self._noted.get(key, kept.used)
            if now - last >= COARSE and len(self._noted) < MAX_NOTED:
                self._noted[key] = now

    def flush(self) -> int:
        """Write down what was noted, in a unit of its own that takes no serial; how many.

        Raises StorageBusy; then what was noted waits for the next time.
        """
        with self._lock:
            noted = dict(self._noted)
        if not noted:
            return 0
        with self._database.writing() as unit:
            unit.mirror_pages.note_uses(noted)
        with self._lock:
            for key, used in noted.items():
                if self._noted.get(key) == used:
                    del self._noted[key]
        return len(noted)
