"""`token`: make, list, show and revoke tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..addresses import IndexName, Release
from ..durations import seconds_in, shown_moment
from ..errors import Refused, WrongUsage
from ..session import Session
from .options import (
    TOKEN_ACTIONS,
    Function,
    allow_option,
    examples,
    json_option,
    projects_option,
)
from .token_mint import mint

USES = """\
It is shown this once. Keep it among the secrets of your CI system, and use it as
  TWINE_PASSWORD with TWINE_USERNAME=__token__, for twine
  UV_PUBLISH_TOKEN, for uv publish
  the password of the user __token__, in the URL of an index or in netrc, for pip and uv
  STILLROOM_TOKEN, for stillroom"""
MAX_DAYS = 366
"""For how long the server makes tokens."""


@click.group(
    epilog=examples(
        "stillroom token create --index dev/release --allow upload --note 'CI of release'",
        "stillroom token list",
    )
)
def token() -> None:
    """Make, list, show and revoke tokens, which stand for you where a password should not.

    A token is good for what it was made for, as long as you may do that yourself. Its secret is
    shown once; the server keeps a hash.
    """


token.add_command(mint)


def user_option(command: Function) -> Function:
    """`--user USER`: the tokens of somebody else, for root."""
    return click.option("--user", metavar="USER", help="Whose they are; yours if left out.")(
        command
    )


@token.command(
    epilog=examples(
        "stillroom token create --allow read --note laptop",
        "stillroom token create --index dev/release --project myproject --allow upload",
        "export UV_PUBLISH_TOKEN=$(stillroom token create --allow upload --expires 12h)",
    )
)
@click.option(
    "--index",
    "indexes",
    metavar="USER/INDEX",
    multiple=True,
    help="An index that it is good for, with what that inherits; may be repeated. [all]",
)
@projects_option
@allow_option(TOKEN_ACTIONS, "all that you may do")
@click.option(
    "--expires", metavar="TIME", help=f"After 90m, 12h, 30d or 2w; {MAX_DAYS}d at most. [90d]"
)
@click.option("--note", help="What it is for, so that you know it in the list.")
@json_option
@click.pass_obj
def create(
    session: Session,
    indexes: Sequence[str],
    projects: Sequence[str],
    allow: Sequence[str],
    expires: str | None,
    note: str | None,
) -> None:
    """Make a token and print its secret, and nothing else, to standard output.

    `read` is for installing, `upload` for publishing, `delete` for removing and yanking, `admin`
    for changing an index, `account` for all that concerns no single index.
    """
    wanted: dict[str, Any] = {
        "indexes": [str(IndexName.parse(name, owner=session.state.user)) for name in indexes],
        "projects": [_project(name) for name in projects],
        "allow": list(allow),
        "note": note,
        "expires_in": None if expires is None else _lifetime(expires),
    }
    made = session.server.create_token(
        session.user, {key: value for key, value in wanted.items() if value}
    )
    session.output.data({**made.fields, "token": made.secret.reveal()}, [made.secret.reveal()])
    _explain(session, made.fields)


def _lifetime(text: str) -> int:
    seconds = seconds_in(text)
    if seconds > MAX_DAYS * 86_400:
        raise WrongUsage(f"--expires {text} is too long: a token is good for {MAX_DAYS}d at most")
    return seconds


def _project(text: str) -> str:
    release = Release.parse(text)
    if release.version is not None:
        raise WrongUsage(f"a token is good for all versions of a project: write {release.project}")
    return release.project


def _explain(session: Session, fields: Mapping[str, Any]) -> None:
    session.output.say(f"Made the token {fields.get('id')}, which may {_reach(fields)}.")
    session.output.say(f"It ends on {shown_moment(fields.get('expires'))}.")
    session.output.say(USES)


@token.command("list", epilog=examples("stillroom token list", "stillroom token list --json"))
@user_option
@json_option
@click.pass_obj
def list_(session: Session, user: str | None) -> None:
    """Print the tokens that have not expired, without their secrets, which nobody has.

    A token that was never used, or not for long, is one to revoke.
    """
    owner = user or session.user
    tokens = session.server.tokens(owner)
    session.output.table(
        tokens,
        ("ID", "KIND", "ENDS", "LAST USED", "MAY", "NOTE"),
        [*map(_row, tokens)],
        otherwise=f"{owner} has no tokens.",
    )


def _row(fields: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(fields.get("id")),
        str(fields.get("kind")),
        shown_moment(fields.get("expires")),
        _used(fields),
        _reach(fields),
        " ".join(str(fields.get("note") or "").split()),
    )


@token.command(epilog=examples("stillroom token show", "stillroom token show --json"))
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """Print what is known about the token in use: that of your login, or STILLROOM_TOKEN."""
    fields = session.server.token_in_use(session.user)
    session.output.data(fields, described(fields))


@token.command(
    epilog=examples("stillroom token revoke e52ced8bb501", "stillroom token revoke ID --user dev")
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@user_option
@json_option
@click.pass_obj
def revoke(session: Session, ids: Sequence[str], user: str | None) -> None:
    """End tokens now: the next request with one of them is refused, everywhere.

    `--json` prints the ids of those that were revoked.
    """
    owner = user or session.user
    revoked: list[str] = []
    refused: list[Refused] = []
    for token_id in ids:
        try:
            session.server.revoke_token(owner, token_id)
            session.output.say(f"Revoked the token {token_id}.")
            revoked.append(token_id)
        except Refused as error:
            # The others are to end all the same: there may have been a leak.
            session.output.say(f"Not revoked: {error}")
            refused.append(error)
    session.output.data(revoked, [])
    if refused:
        raise Refused(f"{len(refused)} of {len(ids)} tokens were not revoked", refused[0].status)


def described(fields: Mapping[str, Any]) -> list[str]:
    """A token as lines for people."""
    lines = [
        f"token: {fields.get('id')} ({fields.get('kind')})",
        f"may: {_reach(fields)}",
        f"ends: {shown_moment(fields.get('expires'))}",
        f"last used: {_used(fields)}",
    ]
    if fields.get("note"):
        lines.append(f"note: {fields['note']}")
    if fields.get("publisher"):
        lines.append(f"publisher: {fields['publisher']}")
    return lines


def _used(fields: Mapping[str, Any]) -> str:
    return "never" if fields.get("used") is None else shown_moment(fields["used"])


def _reach(fields: Mapping[str, Any]) -> str:
    """What a token may be used for, as half a sentence."""
    limits = fields.get("limits")
    if limits is None:
        return "do all that its user may"
    return "; ".join(map(_grant, limits)) or "do nothing"


def _grant(grant: Mapping[str, Any]) -> str:
    actions, indexes, projects = (grant.get(key) for key in ("allow", "indexes", "projects"))
    words = "/".join(actions or ())
    if projects is not None:
        words += f" {', '.join(projects)}"
    return f"{words} in {'all indexes' if indexes is None else ', '.join(indexes)}"
