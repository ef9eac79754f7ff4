"""`plan`, `apply` and `export`: users, groups, indexes and owners as one file says them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import files
from ..errors import ClientError
from ..session import Session
from .options import examples, json_option, yes_option

if TYPE_CHECKING:
    from ..declarative.compare import Plan, Step

NOTHING = "= nothing to do"


class Differs(ClientError):
    """`plan --check` found a difference, which is no failure; the exit status is 3."""

    exit_status = 3


@click.command(epilog=examples("stillroom plan team.toml", "stillroom plan team.toml --check"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="End with the exit status 3 if anything differs.")
@json_option
@click.pass_obj
def plan(session: Session, file: Path, *, check: bool) -> None:
    """Print what `apply` would do: `+` creates something, `~` changes it. Nothing is changed.

    What the server has and FILE does not name is left alone. Users, groups and indexes of that
    kind are told on standard error.
    """
    compared = _compared(session, file)
    session.output.data(_shown(compared, compared.steps), _lines(compared))
    for kind, names in compared.unnamed.items():
        if names:
            session.output.say(f"Not in the file: {kind} {', '.join(names)}.")
    if check and compared.steps:
        raise Differs(f"the server is not as {file} says: see above")


@click.command(epilog=examples("stillroom apply team.toml", "stillroom apply team.toml --yes"))
@click.argument("file", type=click.Path(path_type=Path))
@yes_option
@json_option
@click.pass_obj
def apply(session: Session, file: Path, *, yes: bool) -> None:
    """Make users, groups, indexes and owners of projects what FILE says, and print what was done.

    Nothing is deleted, and what FILE does not name stays as it is. New users get no password.
    Where a step fails, the same command goes on later.
    """
    compared = _compared(session, file)
    if not compared.steps:
        session.output.data(_outcome(compared, (), None), _lines(compared))
        return
    for step in compared.steps if not yes else ():
        session.output.say(str(step))
    if not session.confirm(f"Do these {len(compared.steps)} steps?", yes=yes):
        session.output.say("Nothing was changed.")
        return
    _do(session, compared)


@click.command(epilog=examples("stillroom export", "stillroom export team.toml"))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@yes_option
@json_option
@click.pass_obj
def export(session: Session, file: Path | None, *, yes: bool) -> None:
    """Print the file for `plan` and `apply` that says what the server has, or write it to FILE.

    Options of indexes that are as on a new index are left out, but for access lists. There are no
    passwords, tokens, projects and files in it. Root sees all that it needs.
    """
    from ..declarative import toml
    from ..declarative.export import export as ask

    if file is not None and file.exists() and not session.confirm(f"Replace {file}?", yes=yes):
        session.output.say(f"{file} is as it was.")
        return
    document, has_all_addresses = ask(session.server, session.user)
    lines = list(toml.lines(document))
    if file is None:
        session.output.data(document, lines)
    else:
        files.write(file, "".join(f"{line}\n" for line in lines).encode(), private=False)
        session.output.data({"file": str(file)}, [])
        session.output.say(f"Wrote {file}.")
    if not has_all_addresses:
        session.output.say("E-mail addresses that are not shown to who is logged in are missing.")


def _compared(session: Session, file: Path) -> "Plan":
    from ..declarative.compare import compare
    from ..declarative.found import survey, with_options, with_owners
    from ..declarative.read import Faults, load, read

    document, faults = load(file), Faults(str(file))
    try:
        found = survey(session.server, session.user)
        wanted = read(document, found.types, faults)
        found = with_options(found, session.server, wanted.indexes)
        owned = [name for name, index in wanted.indexes.items() if index.owners]
        found = with_owners(found, session.server, owned)
    except ClientError:
        # What is wrong with the file is told without a server as well.
        faults = Faults(str(file))
        read(document, None, faults)
        faults.settle()
        raise
    compared = compare(wanted, found, faults)
    for user in compared.hidden:
        session.output.say(
            f"The e-mail address of {user} is not shown to who is logged in: it was not compared."
        )
    for warning in compared.warnings:
        session.output.say(f"warning: {warning}")
    return compared


def _do(session: Session, compared: "Plan") -> None:
    from ..declarative.apply import Interrupted
    from ..declarative.apply import apply as do

    done: list[Step] = []
    error: str | None = "interrupted"
    try:
        for step in do(session.server, compared):
            done.append(step)
            session.output.item(str(step))
        error = None
    except Interrupted as stopped:
        error = str(stopped.cause)
        raise
    finally:
        session.output.data(_outcome(compared, done, error), [])


def _shown(compared: "Plan", steps: "Sequence[Step]") -> Mapping[str, Any]:
    return {
        "steps": [step.as_json() for step in steps],
        "not_in_file": compared.unnamed,
        "warnings": list(compared.warnings),
    }


def _outcome(compared: "Plan", done: "Sequence[Step]", error: str | None) -> Mapping[str, Any]:
    """How far it went: the steps are done one after the other."""
    left = [step.as_json() for step in compared.steps[len(done) :]]
    return {**_shown(compared, done), "not_done": left, "error": error}


def _lines(compared: "Plan") -> list[str]:
    return [str(step) for step in compared.steps] or [NOTHING]
