"""`login`, `logout` and `whoami`: who asks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import click

from ..errors import LocalTrouble, Refused, ServerTrouble, Unreachable
from ..platform import TOKEN
from ..session import Session
from .options import examples, json_option, password_stdin_option
from .token import described


@click.command(
    epilog=examples(
        "stillroom login dev",
        "stillroom login ci --password-stdin < password.txt",
    )
)
@click.argument("user")
@password_stdin_option
@click.pass_obj
def login(session: Session, user: str, *, password_stdin: bool) -> None:
    """Log in to the server in use.

    The password is exchanged for a token, which is kept in the system's keyring, or in a file
    that only you can read where there is no keyring. The password itself is kept nowhere.
    """
    server = session.server
    password = session.password(f"Password of {user}", from_stdin=password_stdin)
    token = server.log_in(user, password)
    place = session.credentials.set(session.root, user, token.secret)
    session.remember(dataclasses.replace(session.state, user=user))
    session.output.say(
        f"Logged in as {user} at {session.root}, {_for_how_long(token.seconds)}. "
        f"The token is kept in {place}."
    )
    if session.token_from_environment is not None:
        session.output.say(f"{TOKEN} is set and goes before it.")


def _for_how_long(seconds: int) -> str:
    hours = seconds // 3600
    return f"for {hours // 24} days" if hours >= 48 else f"for {hours} hours"


@click.command(epilog=examples("stillroom logout"))
@click.pass_obj
def logout(session: Session) -> None:
    """End the login: the server revokes the token, and this machine forgets it."""
    if session.token_from_environment is not None:
        raise LocalTrouble(f"the token comes from {TOKEN}: unset that instead")
    user = session.state.user
    if user is None or session.token is None:
        session.output.say("Nobody is logged in.")
        return
    try:
        session.server.revoke_token(user)
    except Refused:
        session.output.say("The server did not accept the token any more.")
    except (ServerTrouble, Unreachable) as error:
        session.output.say(f"The token is still good until it expires, since {error}.")
    session.credentials.delete(session.root, user)
    session.remember(dataclasses.replace(session.state, user=None))
    session.output.say(f"Logged out {user}.")


@click.command(epilog=examples("stillroom whoami", "stillroom whoami --json"))
@json_option
@click.pass_obj
def whoami(session: Session) -> None:
    """Print who is logged in, as the server sees it, and tell about the token in use."""
    me = session.identity
    token = _token_in_use(session, me.user)
    value = {
        "server": session.root,
        "user": me.user,
        "groups": list(me.groups),
        "token": token,
    }
    session.output.data(value, [me.user])
    for line in described(token) if token else ():
        session.output.say(line)


def _token_in_use(session: Session, user: str) -> Mapping[str, Any] | None:
    try:
        return session.server.token_in_use(user)
    except Refused:
        # Older servers do not tell.
        return None
