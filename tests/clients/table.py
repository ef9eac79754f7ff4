"""The tables of what clients were seen to do: docs/reference/clients.md and statuses.md."""

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

WORKS = "works"

Say = Callable[[str], None]
"""`say("…")` puts a result into the table that is more than that it works."""

Report = Callable[[str, int, object], None]
"""`report("reads", 404, "…")` puts what a client makes of a status into the table of those."""

WITH_RETRY_AFTER = frozenset({429, 502, 503, 504, 507})
"""The statuses with which our server says how long to wait."""

NOTE = "<!-- Written by `make test-clients` from the tests in tests/clients. -->"
INTRODUCTION = """\
What each of these clients was seen to do with a real server, in `tests/clients`. The index is
private and inherits from a mirror; all was done with a login, and without leaving the machine.
`make test-clients` does it again, with the versions in `tests/clients/requirements`, and writes
this page. Here the clients ran on Python {python}; a newer Python has a newer oldest pip."""

STATUSES = """\
What each of these clients was seen to make of an answer with each status, in
`tests/clients/test_statuses.py`, with its own settings as they are at first. When our server
answers so, and what to do then, is told in [Statuses](../users/statuses.md). `make test-clients`
measures it again and writes this page.

“The sentence” is the one with which our server gives its reason. It also says in `Retry-After` how
many seconds to wait, with {waiting}."""
READS = """\
## Reading

The index answers for the page of a project with the status, and the next index
(`--extra-index-url` of pip, `--default-index` of uv, a supplemental source of poetry) has a
project of that name. To “go on” is to take the project from there."""
UPLOADS = """\
## Uploading

The index answers an upload with the status."""


@dataclass(frozen=True, order=True)
class Row:
    """What a client did. `place` is the place of the row in the table, counted in tests."""

    place: int
    client: str
    version: str
    done: str
    result: str


def render(rows: Iterable[Row]) -> str:
    """The page, in Markdown."""
    header = ("client", "version", "what was done", "result")
    lines = [header, ("---",) * 4]
    lines += [(row.client, row.version, row.done, row.result) for row in sorted(rows)]
    table = "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)
    introduction = INTRODUCTION.format(python=f"{sys.version_info.major}.{sys.version_info.minor}")
    return f"{NOTE}\n\n# Clients\n\n{introduction}\n\n{table}"


@dataclass(frozen=True, order=True)
class Seen:
    """What a client makes of a status. `place` is that of its column, `does` reads or uploads."""

    does: str
    status: int
    place: int
    client: str
    result: str


def render_statuses(seen: Collection[Seen]) -> str:
    """The page of statuses, in Markdown: a table for reading, and one for uploading."""
    introduction = STATUSES.format(waiting=", ".join(map(str, sorted(WITH_RETRY_AFTER))))
    parts = [f"{NOTE}\n\n# What clients make of statuses\n", f"{introduction}\n"]
    for does, text in (("reads", READS), ("uploads", UPLOADS)):
        parts += [f"{text}\n", _by_status([one for one in seen if one.does == does])]
    return "\n".join(parts)


def _by_status(seen: Sequence[Seen]) -> str:
    clients = [client for _place, client in sorted({(one.place, one.client) for one in seen})]
    results = {(one.status, one.client): one.result for one in seen}
    lines = [("status", *clients), ("---",) * (len(clients) + 1)]
    lines += [
        (str(status), *(results.get((status, client), "") for client in clients))
        for status in sorted({one.status for one in seen})
    ]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
