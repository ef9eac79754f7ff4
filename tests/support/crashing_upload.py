"""Uploads that are killed: `python -m support.crashing_upload FOLDER TEMPLATE`.

Does the same upload again and again, each time in a fresh store and database and in a process
of its own, which is killed at its first, second, third … crash point, until one gets through.
Prints a line for each: the folder, and whether the upload was acknowledged.
"""

import itertools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stillroom_server.domain.names import IndexName
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.rows import DEV, a_new_file, add_project, add_stage

CONTENT = b"content " * 1000
SYSTEM_CALLS = ("chmod", "fchmod", "fsync", "mkdir", "open", "rename", "unlink", "utime", "write")


class CrashPoints:
    """Counts what happens, and ends the process by SIGKILL when it is at the fatal one."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal

    def passed(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.passed()
            result = call(*args, **kwargs)
            self.passed()
            return result

        return counted


def upload(folder: Path, points: CrashPoints) -> None:
    store = DiskBlobStore(folder / "store")
    database = SqlDatabase(f"sqlite:///{folder / 'db.sqlite'}")
    for name in SYSTEM_CALLS:
        setattr(os, name, points.around(getattr(os, name)))
    with store.receive() as writer:
        writer.write(CONTENT[:4000])
        writer.write(CONTENT[4000:])
        sha256 = writer.keep()
        points.passed()
        with database.writing() as unit:
            index = unit.indexes.get(IndexName(DEV, "base"))
            assert index is not None
            new = a_new_file(sha256=sha256, size=len(CONTENT))
            unit.files.add(add_project(unit, index), new)
            points.passed()
        points.passed()


def prepare(folder: Path, template: Path) -> None:
    folder.mkdir()
    DiskBlobStore.create(folder / "store")
    shutil.copy(template, folder / "db.sqlite")
    database = SqlDatabase(f"sqlite:///{folder / 'db.sqlite'}")
    with database.writing() as unit:
        add_stage(unit)
    database.close()


def main() -> None:
    root, template = Path(sys.argv[1]), Path(sys.argv[2])
    for number in itertools.count(1):
        folder = root / str(number)
        prepare(folder, template)
        child = os.fork()
        if child == 0:
            upload(folder, CrashPoints(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        acknowledged = os.waitstatus_to_exitcode(status) == 0
        print(folder, acknowledged, flush=True)
        if acknowledged:
            return


if __name__ == "__main__":
    main()
