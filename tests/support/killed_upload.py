"""An upload that is killed: `python -m support.killed_upload URL STORE WHERE`.

Uses the real database and store. WHERE is the moment of its death: `before the row`, when the
blobs are kept; `before the commit`; or `after the commit`, when nobody was told of it yet.
"""

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.distributions import make_wheel
from support.use_cases import UseCases

WHEEL = make_wheel("demo")
INDEX = "dev/base"


def die() -> None:
    """As the power fails: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class MortalDatabase:
    """A database whose next unit for writing, once it is armed, is the process's last one."""

    def __init__(self, database: SqlDatabase, where: str) -> None:
        self._database = database
        self._where = where
        self.armed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def writing(self) -> Any:
        if self.armed and self._where == "before the row":
            die()
        with self._database.writing() as unit:
            yield unit
            if self.armed and self._where == "before the commit":
                die()
        if self.armed and self._where == "after the commit":
            die()


def main() -> None:
    url, store, where = sys.argv[1:]
    from stillroom_server.archives.bounds import ArchiveLimits
    from stillroom_server.archives.inspector import ArchiveInspector

    database = MortalDatabase(SqlDatabase(url), where)
    cases = UseCases(
        database=database,
        store=DiskBlobStore(Path(store)),
        inspector=ArchiveInspector(ArchiveLimits()),
    )
    cases.index(INDEX)
    database.armed = True
    cases.upload(INDEX, WHEEL)
    print("it survived")


if __name__ == "__main__":
    main()
