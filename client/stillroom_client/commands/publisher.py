"""`issuer` and `publisher`: whom the server believes, and which CI jobs an index trusts."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..addresses import IndexName
from ..errors import Refused, ServerError, WrongUsage
from ..session import Session
from .options import (
    INDEX_ARGUMENT,
    JOB_ACTIONS,
    allow_option,
    examples,
    json_option,
    projects_option,
)

_ADD_EXAMPLE = (
    "stillroom publisher add dev/release --issuer https://ci.example.com --project myproject "
    "--claim sub=repo:team/myproject:environment:release"
)


# Issuers


@click.group(epilog=examples("stillroom issuer add https://ci.example.com"))
def issuer() -> None:
    """Add, list and remove issuers: the CI systems whose identity tokens are believed.

    An issuer is the URL in the claim `iss` of its tokens, to the letter. Only root changes them.
    """


@issuer.command("add", epilog=examples("stillroom issuer add https://ci.example.com"))
@click.argument("url")
@json_option
@click.pass_obj
def add_issuer(session: Session, url: str) -> None:
    """Believe the identity tokens of an issuer, wherever an index trusts one of its jobs."""
    fields = session.server.add_issuer(url)
    session.output.say(f"Added the issuer {url}.")
    session.output.data(fields, [])


@issuer.command("list", epilog=examples("stillroom issuer list", "stillroom issuer list --json"))
@json_option
@click.pass_obj
def list_issuers(session: Session) -> None:
    """Print the URLs of all issuers."""
    issuers = session.server.issuers()
    session.output.data(issuers, [str(each.get("url")) for each in issuers])
    if not issuers:
        session.output.say("There are no issuers.")


@issuer.command("remove", epilog=examples("stillroom issuer remove https://ci.example.com"))
@click.argument("url")
@click.pass_obj
def remove_issuer(session: Session, url: str) -> None:
    """Believe an issuer no more; no index may trust a job of it by then."""
    found = [each for each in session.server.issuers() if each.get("url") == url]
    if not found:
        raise Refused(f"there is no issuer {url}: see `stillroom issuer list`", 404)
    session.server.remove_issuer(str(found[0].get("id")))
    session.output.say(f"Removed the issuer {url}.")


# Publishers


@click.group(epilog=examples(_ADD_EXAMPLE, "stillroom publisher list dev/release"))
def publisher() -> None:
    """Add, list and remove trusted publishers: the CI jobs that need no secret for an index.

    INDEX is USER/INDEX, or the name alone for an index of your own.
    """


@publisher.command(
    "add",
    epilog=examples(
        _ADD_EXAMPLE,
        "stillroom publisher add dev/base --issuer https://ci.example.com --allow read "
        "--claim 'sub=repo:team/*'",
    ),
)
@click.argument("index", metavar="INDEX")
@click.option("--issuer", "issuer_url", metavar="URL", required=True, help="Who signs its tokens.")
@click.option(
    "--claim",
    "claims",
    metavar="NAME=PATTERN",
    multiple=True,
    required=True,
    help="What a claim of its tokens must say, `*` for any characters; may be repeated.",
)
@projects_option
@allow_option(JOB_ACTIONS, "upload")
@click.option("--user", metavar="USER", help="In whose name, for root. [yours]")
@click.option("--note", metavar="TEXT", help="What it is for.")
@json_option
@click.pass_obj
def add_publisher(
    session: Session,
    index: str,
    issuer_url: str,
    claims: Sequence[str],
    projects: Sequence[str],
    allow: Sequence[str],
    user: str | None,
    note: str | None,
) -> None:
    """Trust the jobs of an issuer whose tokens meet all claims, and print the publisher's id.

    What they get is limited to this index and these projects, and to what the user may do there.
    """
    name = IndexName.parse(index, owner=session.state.user)
    wanted = {
        "issuer": issuer_url,
        "claims": _claims(claims),
        "projects": list(projects),
        "allow": list(allow),
        "user": user,
        "note": note,
    }
    given = {key: value for key, value in wanted.items() if value}
    fields = session.server.add_publisher(name, given)
    session.output.say(f"{name} trusts this publisher from now on.")
    session.output.data(fields, [str(fields.get("id"))])
    _tell_of_missing_rights(session, name, fields)


def _tell_of_missing_rights(session: Session, index: IndexName, fields: Mapping[str, Any]) -> None:
    """Say on standard error what a new publisher may do, and its user may not, if that is told."""
    user = str(fields.get("user"))
    try:
        rights = session.server.access(index, {"user": user})["rights"]
    except ServerError:
        return
    for action in fields.get("allow") or ():
        if not rights[action]["allowed"]:
            session.output.say(
                f"As long as {user} has no right to {action} in {index}, neither has the "
                f"publisher: {rights[action]['reason']}."
            )


def _claims(texts: Sequence[str]) -> dict[str, str]:
    claims: dict[str, str] = {}
    for text in texts:
        name, separator, pattern = text.partition("=")
        if not separator or not name:
            raise WrongUsage(f"{text!r} is not NAME=PATTERN, as in sub=repo:team/*")
        if name in claims:
            raise WrongUsage(f"the claim {name} is given twice: all of them must match")
        claims[name] = pattern
    return claims


@publisher.command(
    "list",
    epilog=examples(
        "stillroom publisher list",
        "stillroom publisher list dev/release --json",
        "stillroom publisher list --all",
    ),
)
@click.argument("index", metavar="[INDEX]", required=False)
@click.option("--all", "of_all", is_flag=True, help="Of all indexes; only for root.")
@json_option
@click.pass_obj
def list_publishers(session: Session, index: str | None, *, of_all: bool) -> None:
    """Print whom an index trusts; without a name, the one in use."""
    if of_all and index is not None:
        raise WrongUsage("name an INDEX or use --all, not both")
    name = None if of_all else session.index(index, how=INDEX_ARGUMENT)
    publishers = session.server.publishers(name)
    session.output.table(
        publishers,
        ("ID", "INDEX", "USER", "MAY", "ISSUER", "CLAIMS", "NOTE"),
        [*map(_row, publishers)],
        otherwise=f"{name or 'No index'} trusts {'nobody' if name else 'anybody'}.",
    )


def _row(fields: Mapping[str, Any]) -> tuple[str, ...]:
    claims: Mapping[str, Any] = fields.get("claims") or {}
    may = "/".join(fields.get("allow") or ())
    if fields.get("projects") is not None:
        may += f" {', '.join(fields['projects'])}"
    return (
        str(fields.get("id")),
        str(fields.get("index")),
        str(fields.get("user")),
        may,
        str(fields.get("issuer")),
        " ".join(f"{name}={pattern}" for name, pattern in sorted(claims.items())),
        " ".join(str(fields.get("note") or "").split()),
    )


@publisher.command(
    "remove", epilog=examples("stillroom publisher remove dev/release 3f2a9c01d7b4")
)
@click.argument("index", metavar="INDEX")
@click.argument("publisher_id", metavar="ID")
@click.pass_obj
def remove_publisher(session: Session, index: str, publisher_id: str) -> None:
    """Trust a publisher no more; the tokens that it got end with it."""
    name = IndexName.parse(index, owner=session.state.user)
    session.server.remove_publisher(name, publisher_id)
    session.output.say(f"{name} trusts this publisher no more.")
