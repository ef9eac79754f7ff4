"""`user`: create, list, show, change and delete users."""

import dataclasses
from collections.abc import Mapping, Sequence

import click

from ..errors import WrongUsage
from ..secret import Secret
from ..session import Session
from .options import (
    assignments,
    examples,
    json_option,
    password_stdin_option,
    shown,
    yes_option,
)


@click.group(epilog=examples("stillroom user create dev", "stillroom user list"))
def user() -> None:
    """Create, list, show, change and delete users."""


@user.command(
    epilog=examples(
        "stillroom user create dev",
        "stillroom user create ci email=ci@example.com --password-stdin < password.txt",
        "stillroom user create ci --no-password",
    )
)
@click.argument("name")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@password_stdin_option
@click.option(
    "--no-password", is_flag=True, help="Without one: nobody logs in by password; only for root."
)
@json_option
@click.pass_obj
def create(
    session: Session,
    name: str,
    fields: Sequence[str],
    *,
    password_stdin: bool,
    no_password: bool,
) -> None:
    """Create a user, asking for the password.

    The fields are `email`, `title` and `description`. Users without a password are for jobs, with
    trusted publishing, and for people whom a plugin of the server logs in.
    """
    if no_password and password_stdin:
        raise WrongUsage("use either --password-stdin or --no-password")
    values = _fields(fields)
    password = None
    if not no_password:
        password = session.password(
            f"Password for {name}", from_stdin=password_stdin, repeat=not password_stdin
        )
    created = session.server.create_user(name, values, password)
    session.output.say(f"Created the user {name}.")
    session.output.data(dict(created), [])


@user.command("list", epilog=examples("stillroom user list", "stillroom user list --json"))
@json_option
@click.pass_obj
def list_(session: Session) -> None:
    """Print the names of all users."""
    names = sorted(session.server.users())
    session.output.data(names, names)


@user.command(epilog=examples("stillroom user show", "stillroom user show dev"))
@click.argument("name", required=False)
@json_option
@click.pass_obj
def show(session: Session, name: str | None) -> None:
    """Print what is known about a user; without a name, about you.

    Root and the user also see the groups, whether there is a password, and how many tokens.
    """
    fields = dict(session.server.user(name or session.user))
    fields["indexes"] = sorted(fields.get("indexes") or ())
    session.output.data(fields, shown(fields))


@user.command(
    "set",
    epilog=examples(
        "stillroom user set dev email=dev@example.com",
        "stillroom user set dev --password",
        "stillroom user set ci --password-stdin < password.txt",
        "stillroom user set ci --no-password --yes",
    ),
)
@click.argument("name")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--password", "ask_password", is_flag=True, help="Ask for a new password.")
@password_stdin_option
@click.option(
    "--no-password", is_flag=True, help="Take the password away: nobody logs in by it any more."
)
@yes_option
@json_option
@click.pass_obj
def set_(
    session: Session,
    name: str,
    fields: Sequence[str],
    *,
    ask_password: bool,
    password_stdin: bool,
    no_password: bool,
    yes: bool,
) -> None:
    """Change fields of a user, or the password. An empty value (`title=`) removes a field.

    A new password, or none, ends all logins and tokens of that user. `--json` prints the user
    after that, and `{}` where your own password was changed.
    """
    values = _fields(fields)
    sets_password = ask_password or password_stdin
    if no_password and sets_password:
        raise WrongUsage("use either --password, --password-stdin or --no-password")
    if no_password:
        question = f"Take the password of {name} away, and end all of its logins and tokens?"
        if not session.confirm(question, yes=yes):
            session.output.say("Nothing was changed.")
            return
        session.server.take_password(name, values)
        token = None
    else:
        token = _change(
            session, name, values, sets_password=sets_password, from_stdin=password_stdin
        )
    session.output.say(f"Changed the user {name}.")
    ends_login = (no_password or sets_password) and name == session.state.user
    if ends_login:
        _follow_password(session, name, token, has_one=not no_password)
    if session.output.as_json:
        session.output.data({} if ends_login else dict(session.server.user(name)), [])


def _change(
    session: Session,
    name: str,
    values: Mapping[str, str],
    *,
    sets_password: bool,
    from_stdin: bool,
) -> Secret | None:
    """Change fields, and the password if it is to be; the new token that came for that."""
    password = None
    if sets_password:
        password = session.password(
            f"New password for {name}", from_stdin=from_stdin, repeat=not from_stdin
        )
    if not values and password is None:
        raise WrongUsage(
            "say what to change: KEY=VALUE, --password, --password-stdin or --no-password"
        )
    made = session.server.change_user(name, values, password)
    return None if made is None else made.secret


def _follow_password(session: Session, name: str, token: Secret | None, *, has_one: bool) -> None:
    # The token that was in use ended with the old password.
    if token is not None:
        session.credentials.set(session.root, name, token)
        return
    session.credentials.delete(session.root, name)
    session.remember(dataclasses.replace(session.state, user=None))
    if has_one:
        session.output.say(f"Log in again: stillroom login {name}")
    else:
        session.output.say(f"You are logged out, and {name} has no password to log in with.")


@user.command(epilog=examples("stillroom user delete dev", "stillroom user delete dev --yes"))
@click.argument("name")
@yes_option
@click.pass_obj
def delete(session: Session, name: str, *, yes: bool) -> None:
    """Delete a user with all indexes of that user."""
    if not session.confirm(f"Delete the user {name} with all of its indexes?", yes=yes):
        session.output.say("Nothing was deleted.")
        return
    session.server.delete_user(name)
    session.output.say(f"Deleted the user {name}.")


def _fields(texts: Sequence[str]) -> dict[str, str]:
    fields = assignments(texts)
    if "password" in fields:
        raise WrongUsage(
            "other users of this machine can read a password on the command line: "
            "leave it out to be asked, or use --password-stdin"
        )
    return fields
