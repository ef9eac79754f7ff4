"""`audit` and `who-got`: who changed what, and who fetched what."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from ..addresses import IndexName, Release
from ..durations import seconds_in, shown_moment
from ..errors import WrongUsage
from ..output import on_one_line
from ..session import Session
from .options import examples, json_option

Function = TypeVar("Function", bound=Callable[..., Any])

MAX_AGO = timedelta(days=36_500)

TOLD_ELSEWHERE = frozenset({"sha256", "limits", "expires"})
"""Details that make a line too long for people; `--json` has them."""

CHANGED = frozenset({"options", "changes"})
"""Details that hold what was changed, by name."""


def _filters(command: Function) -> Function:
    """The options that both commands have."""
    for option in (
        click.option("--until", metavar="TIME", help="Only before that time."),
        click.option(
            "--since",
            metavar="TIME",
            help="Only from that time on: 30m, 2h, 7d or 4w ago, 2026-01-31, or "
            "2026-01-31T10:39. Times are in UTC.",
        ),
        click.option("--user", metavar="USER", help="Only what concerns that user."),
        click.option(
            "--index",
            "index_name",
            metavar="USER/INDEX",
            help="Only that index; without it all of them, which is for root.",
        ),
    ):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "stillroom audit --since 2h",
        "stillroom audit --index dev/release --project myproject --limit 20",
        "stillroom audit --user dev --since 2026-01-31 --until 2026-02-01 --json",
    )
)
@_filters
@click.option("--project", metavar="PROJECT", help="Only that project.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="At most so many entries, the newest ones.",
)
@json_option
@click.pass_obj
def audit(
    session: Session,
    index_name: str | None,
    user: str | None,
    since: str | None,
    until: str | None,
    project: str | None,
    limit: int,
) -> None:
    """Print who changed what, newest first.

    For root, and with --index for who administers that index. A line has the time, who it was (by
    which token), from which address, to what, and what was done.
    """
    wanted = {"user": user, "project": project, **_times(since, until)}
    entries, is_all = session.server.audit(_index(session, index_name), _said(wanted), limit)
    rows = [_entry_row(entry) for entry in entries]
    header = ("TIME", "WHO", "FROM", "WHERE", "WHAT")
    session.output.table(entries, header, rows, otherwise="There are no such entries.")
    if not is_all:
        session.output.say(f"There is more than these {limit}: use --limit, --since or --until.")


@click.command(
    "who-got",
    epilog=examples(
        "stillroom who-got myproject==1.0",
        "stillroom who-got myproject --index dev/release --since 7d",
        "stillroom who-got myproject --file myproject-1.0-py3-none-any.whl "
        "--since 2026-01-31T10:39 --until 2026-01-31T13:38",
    ),
)
@click.argument("release", metavar="PROJECT[==VERSION]")
@click.option("--file", "filename", metavar="NAME", help="Only the file of that name.")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1_000,
    show_default=True,
    metavar="NUMBER",
    help="At most so many rows, the newest ones.",
)
@json_option
@click.pass_obj
def who_got(
    session: Session,
    release: str,
    filename: str | None,
    index_name: str | None,
    user: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """Print who fetched the files of a project, newest first.

    For root, and with --index for who administers that index: then what was fetched from it, and
    what lives there and was fetched through another. A line has the minute, how often, who it was
    (by which token), from which address, which file, and from which index.
    """
    wanted = Release.parse(release)
    filters = {
        "project": wanted.project,
        "version": None if wanted.version is None else str(wanted.version),
        "file": filename,
        "user": user,
        "limit": str(limit),
        **_times(since, until),
    }
    fetches, is_all = session.server.fetches(_index(session, index_name), _said(filters))
    rows = [_fetch_row(fetch) for fetch in fetches]
    header = ("TIME", "TIMES", "WHO", "FROM", "FILE", "INDEX")
    nothing = f"No fetch of {wanted} is recorded."
    session.output.table(fetches, header, rows, otherwise=nothing)
    if not is_all:
        session.output.say(f"There is more than these {limit}: use --limit, --since or --until.")


def _index(session: Session, named: str | None) -> IndexName | None:
    return None if named is None else session.index(named)


def _said(filters: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in filters.items() if value is not None}


def _times(since: str | None, until: str | None) -> dict[str, str | None]:
    return {"since": _time("--since", since), "until": _time("--until", until)}


def _time(option: str, text: str | None) -> str | None:
    """A time as the server reads it; raises WrongUsage."""
    if text is None:
        return None
    try:
        time = _moment(text).astimezone(UTC)
    except (WrongUsage, ValueError, OverflowError):
        raise WrongUsage(
            f"{option} {text!r} is no time: use 2h, 7d, 2026-01-31 or 2026-01-31T10:39"
        ) from None
    return time.isoformat().replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    """So long ago, or a date or time, which is in UTC unless it says an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - min(timedelta(seconds=seconds_in(text)), MAX_AGO)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _entry_row(entry: Mapping[str, Any]) -> list[str]:
    where = (entry["index"], entry["project"], entry["user"])
    cells = (
        shown_moment(entry["at"]),
        _who(entry, "actor"),
        entry["address"],
        " ".join(str(part) for part in where if part),
        _what(entry),
    )
    return [on_one_line(str(cell or "-")) for cell in cells]


def _fetch_row(fetch: Mapping[str, Any]) -> list[str]:
    asked, held = fetch["asked"], fetch["held"]
    cells = (
        shown_moment(fetch["minute"]),
        f"{fetch['count']}x",
        _who(fetch, "user"),
        fetch["address"],
        fetch["filename"],
        asked if asked == held else f"{asked} (of {held})",
    )
    return [on_one_line(str(cell or "-")) for cell in cells]


def _who(row: Mapping[str, Any], key: str) -> str:
    token = row["token"]
    who = str(row[key] or "-")
    return who if token is None else f"{who} (token {token})"


def _what(entry: Mapping[str, Any]) -> str:
    details = (
        part
        for key, value in entry["details"].items()
        if key not in TOLD_ELSEWHERE
        for part in _detail(key, value)
    )
    return " ".join([entry["event"], *details])


def _detail(key: str, value: object) -> Iterator[str]:
    """A detail as it is typed; what a change made of options and fields, one by one."""
    if not isinstance(value, Mapping) or key not in CHANGED:
        yield f"{key}={_shown(value)}"
        return
    for name, told in value.items():
        if not isinstance(told, Mapping):
            yield f"{name}={_shown(told)}"
        elif "to" in told:
            yield f"{name}={_shown(told.get('from'))} -> {_shown(told['to'])}"
        else:
            signs = (("+=", told.get("added")), ("-=", told.get("removed")))
            yield from (f"{name}{sign}{_shown(entries)}" for sign, entries in signs if entries)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return json.dumps(value)
