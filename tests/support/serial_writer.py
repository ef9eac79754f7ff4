"""A process that writes: `python -m support.serial_writer URL NAME THREADS COMMITS`.

It waits for a line on its input before it begins. With COMMITS 0 it records an event, says so,
and hangs inside its unit until it is killed.
"""

import sys
import threading

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.names import UserName
from stillroom_server.storage.database import SqlDatabase


def main() -> None:
    url, name, threads, commits = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    database = SqlDatabase(url)
    sys.stdin.readline()
    if not commits:
        hang(database)
    workers = [
        threading.Thread(target=write, args=(database, f"{name}{number}", commits))
        for number in range(threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    database.close()


def write(database: SqlDatabase, name: str, commits: int) -> None:
    for number in range(commits):
        before = database.serial()
        with database.writing() as unit:
            for _ in range(1 + number % 3):
                unit.journal.record(_event(name, number))
        # What was acknowledged is seen by the next to ask.
        assert database.serial() > before


def hang(database: SqlDatabase) -> None:
    with database.writing() as unit:
        unit.users.all()
        unit.journal.record(_event("hangs", 0))
        unit.journal.take_serial()
        print("inside", flush=True)
        sys.stdin.readline()


def _event(name: str, number: int) -> Event:
    return Event(EventKind.USER_CHANGED, user=UserName(name), details={"number": number})


if __name__ == "__main__":
    main()
