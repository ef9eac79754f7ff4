"""The table of what each client was seen to do: docs/reference/clients.md."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

WORKS = "works"

Say = Callable[[str], None]
"""`say("…")` puts a result into the table that is more than that it works."""

NOTE = "<!-- Written by `make test-clients` from the tests in tests/clients. -->"
INTRODUCTION = """\
What each of these clients was seen to do with a real server, in `tests/clients`. The index is
private and inherits from a mirror; all was done with a login, and without leaving the machine.
`make test-clients` does it again, with the versions in `tests/clients/requirements`, and writes
this page. Here the clients ran on Python {python}; a newer Python has a newer oldest pip."""


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


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
