"""`group`: create, list, show, change and delete groups of users."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..errors import WrongUsage
from ..session import Session
from .options import assignments, examples, json_option, shown, yes_option


def _without_colon(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    return value.removeprefix(":")


name_argument = click.argument("name", callback=_without_colon)
"""A group, with or without the colon that it has in access lists."""


@click.group(
    epilog=examples("stillroom group create release ana bob", "stillroom group add release ci")
)
def group() -> None:
    """Create, list, show, change and delete groups of users.

    In the access lists of an index a group is written with a colon, `:release`. Everybody who is
    logged in sees groups; root changes them.
    """


@group.command(
    epilog=examples(
        "stillroom group create release",
        "stillroom group create release ana bob --description 'who publishes'",
    )
)
@name_argument
@click.argument("users", nargs=-1, metavar="[USER]...")
@click.option("--description", metavar="TEXT", help="What it is for.")
@json_option
@click.pass_obj
def create(session: Session, name: str, users: Sequence[str], *, description: str | None) -> None:
    """Create a group, with these users in it."""
    fields: dict[str, Any] = {"members": list(users)} if users else {}
    if description is not None:
        fields["description"] = description
    created = session.server.create_group(name, fields)
    session.output.say(f"Created the group {name}. In access lists it is written :{name}")
    session.output.data(dict(created), [])


@group.command("list", epilog=examples("stillroom group list", "stillroom group list --json"))
@json_option
@click.pass_obj
def list_(session: Session) -> None:
    """Print all groups: how many are in them, who, and what they are for."""
    groups = session.server.groups()
    rows = [_row(name, groups[name]) for name in sorted(groups)]
    session.output.table(groups, _HEADER, rows, otherwise="There are no groups.")


@group.command(epilog=examples("stillroom group show release"))
@name_argument
@json_option
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Print what is known about a group."""
    _print(session, session.server.group(name))


@group.command(epilog=examples("stillroom group add release ana bob"))
@name_argument
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@json_option
@click.pass_obj
def add(session: Session, name: str, users: Sequence[str]) -> None:
    """Put users into a group, and print it."""
    _print(session, session.server.change_group(name, [f"members+={','.join(users)}"]))


@group.command(epilog=examples("stillroom group remove release bob"))
@name_argument
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@json_option
@click.pass_obj
def remove(session: Session, name: str, users: Sequence[str]) -> None:
    """Take users out of a group, and print it."""
    _print(session, session.server.change_group(name, [f"members-={','.join(users)}"]))


@group.command(
    "set",
    epilog=examples(
        "stillroom group set release description='who publishes'",
        "stillroom group set release members=ana,ci",
    ),
)
@name_argument
@click.argument("fields", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@click.pass_obj
def set_(session: Session, name: str, fields: Sequence[str]) -> None:
    """Give `description` or `members` of a group a new value, and print it.

    An empty value removes the description, or all members.
    """
    values = assignments(fields)
    unknown = sorted(set(values) - {"description", "members"})
    if unknown:
        raise WrongUsage(f"{', '.join(unknown)}: a group has description and members")
    _print(session, session.server.change_group(name, values))


@group.command(epilog=examples("stillroom group delete release --yes"))
@name_argument
@yes_option
@click.pass_obj
def delete(session: Session, name: str, *, yes: bool) -> None:
    """Delete a group, and take it out of all access lists; its members stay users."""
    question = f"Delete the group {name} and all rights that it gives?"
    if not session.confirm(question, yes=yes):
        session.output.say("Nothing was deleted.")
        return
    session.server.delete_group(name)
    session.output.say(f"Deleted the group {name}.")


_HEADER = ("GROUP", "USERS", "MEMBERS", "DESCRIPTION")


def _row(name: str, fields: Mapping[str, Any]) -> list[str]:
    members = list(map(str, fields.get("members") or ()))
    description = " ".join(str(fields.get("description") or "").split())
    return [name, str(len(members)), ",".join(members), description]


def _print(session: Session, fields: Mapping[str, Any]) -> None:
    described = {key: value for key, value in fields.items() if value is not None}
    session.output.data(dict(fields), shown(described))
