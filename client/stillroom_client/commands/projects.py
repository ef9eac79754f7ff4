"""`list`, `remove`, `yank`, `unyank`, `status` and `push`: what an index holds."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import click
from packaging.version import InvalidVersion, Version

from ..addresses import IndexName, Release
from ..errors import ClientError, WrongUsage
from ..output import columns
from ..session import Session
from .options import examples, index_option, json_option, yes_option

# devpi's rows for a step that was done, or that had been done before.
DONE = {200, 201, 410}

STATUSES = ("active", "deprecated", "archived", "quarantined")


@click.command(
    "list",
    epilog=examples(
        "stillroom list", "stillroom list six", "stillroom list six==1.17.0 --index root/pypi"
    ),
)
@click.argument("release", required=False, metavar="[PROJECT[==VERSION]]")
@index_option
@json_option
@click.pass_obj
def list_(session: Session, release: str | None, index_name: str | None) -> None:
    """Print the projects of an index, or the files of a project.

    Projects are those of the index itself; the files of a project are also those that the index
    inherits, each with the index that holds it.
    """
    index = session.index(index_name)
    if release is None:
        names = list(session.server.index(index, with_projects=True).get("projects") or ())
        session.output.data(names, names)
        return
    wanted = Release.parse(release)
    files = _files(session.server.project(index, wanted.project, own=False), wanted.version)
    if not files:
        raise ClientError(f"{index} has no file of {wanted}")
    session.output.data(files, columns([_row(file) for file in files]))


def _files(versions: Mapping[str, Any], wanted: Version | None) -> list[dict[str, Any]]:
    return [
        {
            "version": version,
            "filename": unquote(urlsplit(link["href"]).path).rpartition("/")[2],
            "index": link.get("index"),
            "size": link.get("size"),
            "hashes": link.get("hashes") or {},
            "yanked": link.get("yanked") or False,
            "url": link["href"],
        }
        for version in sorted(versions, key=_newest_first, reverse=True)
        if wanted is None or _newest_first(version) == (1, wanted)
        for link in versions[version].get("+links") or ()
        if link.get("rel") == "releasefile"
    ]


def _newest_first(version: str) -> tuple[int, Any]:
    # A mirror may know versions that follow no standard; they come last.
    try:
        return 1, Version(version)
    except InvalidVersion:
        return 0, version


def _row(file: Mapping[str, Any]) -> list[str]:
    yanked = file["yanked"]
    note = "" if yanked is False else "yanked" if yanked is True else f"yanked: {yanked}"
    return [file["version"], file["filename"], file["index"] or "", note]


@click.command(
    epilog=examples(
        "stillroom remove myproject==1.0",
        "stillroom remove myproject --index dev/release --force --yes",
    )
)
@click.argument("release", metavar="PROJECT[==VERSION]")
@click.option("--force", is_flag=True, help="Remove it from an index that is not volatile, too.")
@index_option
@yes_option
@click.pass_obj
def remove(
    session: Session, release: str, index_name: str | None, *, force: bool, yes: bool
) -> None:
    """Delete a project, or one release of it, from an index."""
    index = session.index(index_name)
    wanted = Release.parse(release)
    what = f"all releases of {wanted}" if wanted.version is None else str(wanted)
    if not session.confirm(f"Delete {what} from {index}?", yes=yes):
        session.output.say("Nothing was deleted.")
        return
    session.server.remove(index, wanted, force=force)
    session.output.say(f"Deleted {what} from {index}.")


@click.command(
    epilog=examples(
        "stillroom yank myproject==1.0 --reason 'it deletes the wrong folder'",
        "stillroom yank myproject==1.0 --file myproject-1.0-py3-none-any.whl",
    )
)
@click.argument("release", metavar="PROJECT==VERSION")
@click.option("--reason", metavar="TEXT", help="Why, for those who still get it.")
@click.option("--file", "filename", metavar="NAME", help="Yank this file only.")
@index_option
@click.pass_obj
def yank(
    session: Session,
    release: str,
    reason: str | None,
    filename: str | None,
    index_name: str | None,
) -> None:
    """Yank a release: installers leave it alone unless exactly that version is asked for."""
    _set_yanked(session, release, reason or True, filename, index_name)


@click.command(epilog=examples("stillroom unyank myproject==1.0"))
@click.argument("release", metavar="PROJECT==VERSION")
@click.option("--file", "filename", metavar="NAME", help="Unyank this file only.")
@index_option
@click.pass_obj
def unyank(session: Session, release: str, filename: str | None, index_name: str | None) -> None:
    """Take a yank back."""
    _set_yanked(session, release, value=False, filename=filename, index_name=index_name)


def _set_yanked(
    session: Session, release: str, value: str | bool, filename: str | None, index_name: str | None
) -> None:
    index = session.index(index_name)
    wanted = Release.parse(release, needs_version=True)
    session.server.yank(index, wanted, value, filename)
    verb = "Unyanked" if value is False else "Yanked"
    session.output.say(f"{verb} {filename or wanted} on {index}.")


@click.command(
    epilog=examples(
        "stillroom status myproject",
        "stillroom status myproject archived --reason 'moved to otherproject'",
        "stillroom status myproject active --index dev/release",
    )
)
@click.argument("project")
@click.argument("status", required=False, type=click.Choice(STATUSES))
@click.option("--reason", metavar="TEXT", help="Why, in one line, for those who use it.")
@index_option
@json_option
@click.pass_obj
def status(
    session: Session,
    project: str,
    status: str | None,
    reason: str | None,
    index_name: str | None,
) -> None:
    """Print the status of a project, or set it.

    An archived project takes no more files. A quarantined one does not offer those that it has
    either. Deprecated is a hint for people.
    """
    index = session.index(index_name)
    wanted = Release.parse(project)
    if wanted.version is not None:
        raise WrongUsage(f"a status is that of a whole project: {wanted.project}")
    if status is not None:
        session.server.set_status(index, wanted.project, status, reason)
        session.output.say(f"{wanted.project} is {status} on {index}.")
        return
    if reason is not None:
        raise WrongUsage("--reason needs the status that it is for")
    shown = session.server.status(index, wanted.project)
    line = ": ".join(str(shown[key]) for key in ("status", "reason") if key in shown)
    session.output.data(dict(shown), [line])


@click.command(
    epilog=examples(
        "stillroom push myproject==1.0 dev/release",
        "stillroom push six==1.17.0 dev/base --index root/pypi",
    )
)
@click.argument("release", metavar="PROJECT==VERSION")
@click.argument("target", metavar="TARGET")
@index_option
@json_option
@click.pass_obj
def push(session: Session, release: str, target: str, index_name: str | None) -> None:
    """Copy a release, with all of its files, to another index of the same server."""
    index = session.index(index_name)
    wanted = Release.parse(release, needs_version=True)
    target_index = IndexName.parse(target, owner=session.state.user)
    rows = session.server.push(index, wanted, target_index)
    session.output.data(rows, [" ".join(map(str, row)) for row in rows])
    if any(row[0] not in DONE for row in rows):
        raise ClientError(f"not all of {wanted} was pushed to {target_index}: see above")
    session.output.say(f"Pushed {wanted} from {index} to {target_index}.")
