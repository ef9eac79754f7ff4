"""`token mint`: exchange the identity token of a CI job for a token."""

import click

from ..session import Session
from .options import examples, json_option


@click.command(
    epilog=examples(
        "STILLROOM_TOKEN=$(stillroom token mint)",
        "stillroom token mint --from-env STILLROOM_ID_TOKEN --json",
    )
)
@click.option(
    "--from-env",
    "variable",
    metavar="VARIABLE",
    help="The variable that holds the identity token. [asked for, as on GitHub Actions]",
)
@json_option
@click.pass_obj
def mint(session: Session, variable: str | None) -> None:
    """In a CI job, get a token without a secret, and print it and nothing else.

    The job shows who it is by an identity token, which it asks for with the audience that the
    server names, or which its CI has put into a variable. The server gives a token for 15 minutes
    if an index trusts this job (`stillroom publisher`). No login is needed.
    """
    from ..job_tokens import JobTokens

    tokens = JobTokens(session.connection, session.root)
    secret, expires = tokens.mint(tokens.identity(session.platform, variable))
    session.output.data(
        {"token": secret.reveal(), "expires": expires},
        [secret.reveal()],
    )
