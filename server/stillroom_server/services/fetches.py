"""Who fetched which file: counted in memory by the minute, written down many at once."""

import functools
import logging
import operator
import threading
from collections.abc import Mapping

from stillroom_server.domain.distributions import release_key, version_in
from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName, ProjectName

from .backlog import Backlog
from .files import NO_DIGEST, Address
from .ports import Clock, Database, Fetch, FetchKey

log = logging.getLogger(__name__)

INTERVAL = 3.0
"""Seconds between two times of writing: what a killed process loses."""

MANY = 100_000
"""Keys in memory that are written at once, without waiting for the time to come."""


class FetchCounter:
    """Counts fetches, and writes them down in a thread of its own.

    Several processes may count the same: their numbers add up. While the database cannot be
    used, up to twice `many` keys are kept; the fetches of further ones are lost, and the log says
    how many.
    """

    def __init__(
        self, database: Database, clock: Clock, *, interval: float = INTERVAL, many: int = MANY
    ) -> None:
        self._database = database
        self._clock = clock
        self._interval = interval
        self._many = many
        self._counts: Backlog[FetchKey, int] = Backlog(operator.add, 2 * many)
        self._lock = threading.Lock()
        self._lost = 0
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="fetches", daemon=True)

    def note(
        self,
        identity: Identity,
        asked: IndexName,
        address: Address,
        held: IndexName,
        sha256: str | None,
    ) -> None:
        """Somebody is sent a file that lives in `held`, by a URL under `asked`. Writes nothing."""
        digest = address.digest if address.digest != NO_DIGEST else sha256 or ""
        key = FetchKey(
            minute=self._clock().replace(second=0, microsecond=0),
            asked=str(asked),
            held=str(held),
            project=address.project,
            filename=address.filename,
            version=_version_in(address.filename, address.project),
            sha256=digest,
            user=identity.user or "",
            token=identity.token or "",
            address=identity.address or "",
        )
        if not self._counts.add(key, 1):
            with self._lock:
                self._lost += 1
        if len(self._counts) >= self._many:
            self._wake.set()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is there, and end."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        # The thread may have been at writing already: what came since then, it left.
        self._write()

    def flush(self) -> int:
        """Write down what was counted, in units that take no serial; how many rows.

        Raises Trouble; then what is not written waits for the next time. A fetch that the
        database refuses is let go.
        """
        return self._counts.flush(self._write_part)

    def _write_part(self, counts: Mapping[FetchKey, int]) -> None:
        with self._database.writing() as unit:
            unit.fetches.add([Fetch(key, count) for key, count in counts.items()])

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(self._interval)
            self._wake.clear()
            if not self._is_stopping:
                self._write()

    def _write(self) -> None:
        try:
            self.flush()
        except Trouble as trouble:
            log.warning("fetches: %s They are written later.", trouble)
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            log.error("fetches: %d were not recorded, for there were too many to keep", lost)


@functools.lru_cache(maxsize=4_096)
def _version_in(filename: str, project: ProjectName) -> str:
    """The release that a file's name says, as `FetchQuery.version` names it; empty if none."""
    version = version_in(filename, project)
    return "" if version is None else release_key(version)
