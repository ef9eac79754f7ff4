"""`plan` and `apply`: users, groups, indexes and owners as one file says them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ClientError
from ..session import Session
from .options import examples, json_option, yes_option

if TYPE_CHECKING:
    from ..declarative.compare import Plan, Step

NOTHING = "= nothing to do"


@click.command(epilog=examples("stillroom plan team.toml", "stillroom plan team.toml --check"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Fail if there is a difference.")
@json_option
@click.pass_obj
def plan(session: Session, file: Path, *, check: bool) -> None:
    """Print what `apply` would do: `+` creates something, `~` changes it. Nothing is changed.

    What the server has and FILE does not name is left alone. Users, groups and indexes of that
    kind are told on standard error.
    """
    compared = _compared(session, file)
    _print(session, compared, compared.steps)
    for kind, names in compared.unnamed.items():
        if names:
            session.output.say(f"Not in the file: {kind} {', '.join(names)}.")
    if check and compared.steps:
        raise ClientError(f"the server is not as {file} says: see above")


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
        _print(session, compared, ())
        return
    for step in compared.steps if not yes else ():
        session.output.say(str(step))
    if not session.confirm(f"Do these {len(compared.steps)} steps?", yes=yes):
        session.output.say("Nothing was changed.")
        return
    _do(session, compared)


def _compared(session: Session, file: Path) -> "Plan":
    from ..declarative.read import read

    wanted = read(file)
    # The file is read first, so that what is wrong with it is told without a server.
    from ..declarative.compare import compare
    from ..declarative.found import find

    compared = compare(wanted, find(session.server, session.user, wanted), str(file))
    for user in compared.hidden:
        session.output.say(
            f"The e-mail address of {user} is not shown to who is logged in: it was not compared."
        )
    return compared


def _do(session: Session, compared: "Plan") -> None:
    from ..declarative.apply import apply as do

    done: list[Step] = []
    try:
        for step in do(session.server, compared):
            done.append(step)
            session.output.item(str(step))
    finally:
        if session.output.as_json:
            _print(session, compared, done)


def _print(session: Session, compared: "Plan", steps: "Sequence[Step]") -> None:
    value: Mapping[str, Any] = {
        "steps": [step.as_json() for step in steps],
        "not_in_file": compared.unnamed,
    }
    session.output.data(value, [str(step) for step in steps] or [NOTHING])
