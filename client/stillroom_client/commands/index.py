"""`index`: create, list, show, change and delete indexes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ..addresses import IndexName
from ..errors import WrongUsage
from ..session import Session
from .options import (
    INDEX_ARGUMENT,
    assignments,
    examples,
    json_option,
    shown,
    yes_option,
)
from .principals import tell_of_nobody


@click.group(
    epilog=examples("stillroom index create dev/sandbox bases=root/pypi", "stillroom index list")
)
def index() -> None:
    """Create, list, show, change and delete indexes.

    INDEX is USER/INDEX, or the name alone for an index of your own.
    """


@index.command(
    epilog=examples(
        "stillroom index create dev/base bases=root/pypi",
        "stillroom index create dev/release bases=dev/base volatile=false acl_upload=dev,ci",
        "stillroom index create root/internal type=mirror mirror_url=https://example.com/simple/",
    )
)
@click.argument("name", metavar="INDEX")
@click.argument("options", nargs=-1, metavar="[KEY=VALUE]...")
@json_option
@click.pass_obj
def create(session: Session, name: str, options: Sequence[str]) -> None:
    """Create an index and print its options.

    Among the options of a stage are `bases`, `volatile`, `title` and `description`. Who may do
    what stands in `acl_read`, `acl_upload`, `acl_delete` and `acl_admin`: users, `:group`,
    `:AUTHENTICATED:` or `:ANONYMOUS:`. Lists are written with commas.
    """
    full_name = _own(session, name)
    created = session.server.create_index(full_name, assignments(options))
    session.output.say(f"Created the index {full_name}.")
    _print(session, full_name, created)
    tell_of_nobody(session, _listed(options))


@index.command("list", epilog=examples("stillroom index list", "stillroom index list dev --json"))
@click.argument("user", required=False)
@json_option
@click.pass_obj
def list_(session: Session, user: str | None) -> None:
    """Print the indexes of all users, or of one."""
    users = session.server.users() if user is None else {user: session.server.user(user)}
    found = {
        str(IndexName(owner, name)): options
        for owner, fields in sorted(users.items())
        for name, options in sorted((fields.get("indexes") or {}).items())
    }
    rows = [_row(name, found[name]) for name in found]
    session.output.table(found, _HEADER, rows, otherwise="There are no indexes.")


_HEADER = ("INDEX", "TYPE", "BASES")


def _row(name: str, options: Mapping[str, Any]) -> list[str]:
    return [name, str(options.get("type", "")), ",".join(options.get("bases") or ())]


@index.command(epilog=examples("stillroom index show", "stillroom index show dev/base"))
@click.argument("name", required=False, metavar="[INDEX]")
@json_option
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Print the options of an index; without a name, of the one in use."""
    full_name = session.index(name, how=INDEX_ARGUMENT)
    _print(session, full_name, session.server.index(full_name, with_projects=False))


@index.command(
    "set",
    epilog=examples(
        "stillroom index set dev/base bases=root/pypi",
        "stillroom index set dev/base acl_upload+=ci,:release",
        "stillroom index set dev/base acl_upload-=ci title-=",
    ),
)
@click.argument("name", metavar="INDEX")
@click.argument("operations", nargs=-1, required=True, metavar="KEY=VALUE...")
@json_option
@click.pass_obj
def set_(session: Session, name: str, operations: Sequence[str]) -> None:
    """Change the options of an index and print them all.

    KEY=VALUE sets an option, KEY+=VALUE adds to a list, KEY-=VALUE takes away from one, and
    KEY-= removes an option that has no default.
    """
    for operation in operations:
        if "=" not in operation:
            raise WrongUsage(f"{operation!r} is not KEY=VALUE, KEY+=VALUE, KEY-=VALUE or KEY-=")
    full_name = _own(session, name)
    _print(session, full_name, session.server.change_index(full_name, operations))
    tell_of_nobody(session, _listed(operations))


@index.command(epilog=examples("stillroom index delete dev/sandbox --yes"))
@click.argument("name", metavar="INDEX")
@yes_option
@click.pass_obj
def delete(session: Session, name: str, *, yes: bool) -> None:
    """Delete an index with all that was uploaded to it."""
    full_name = _own(session, name)
    if not session.confirm(f"Delete the index {full_name} with all of its files?", yes=yes):
        session.output.say("Nothing was deleted.")
        return
    session.server.delete_index(full_name)
    session.output.say(f"Deleted the index {full_name}.")


def _own(session: Session, name: str) -> IndexName:
    return IndexName.parse(name, owner=session.state.user)


def _listed(operations: Sequence[str]) -> Iterator[str]:
    """The names that are put into access lists."""
    for operation in operations:
        key, _, value = operation.partition("=")
        if key.startswith("acl_") and not key.endswith("-"):
            yield from (name.strip() for name in value.split(",") if name.strip())


def _print(session: Session, name: IndexName, options: Mapping[str, Any]) -> None:
    known = {key: value for key, value in options.items() if key != "projects"}
    fields = {"index": str(name), **known}
    session.output.data(fields, shown(fields))
