"""`use`: choose a server or index, and set pip and uv up for it."""

import dataclasses

import click

from ..addresses import IndexName
from ..errors import NotStillroom, WrongUsage
from ..installers.base import Installer
from ..installers.pip import Pip
from ..installers.setup import Setup
from ..installers.uv import Uv
from ..platform import SERVER_URL
from ..session import Session
from .options import examples, json_option, shown, yes_option


@click.command(
    epilog=examples(
        "stillroom use http://localhost:3141",
        "stillroom use dev/sandbox",
        "stillroom use dev/sandbox --pip --uv",
        "stillroom use https://example.com/stillroom/dev/sandbox",
        "stillroom use",
    )
)
@click.argument("target", required=False, metavar="[URL|USER/INDEX]")
@click.option("--pip", "for_pip", is_flag=True, help="Make it the index of pip.")
@click.option("--uv", "for_uv", is_flag=True, help="Make it the default index of uv.")
@click.option(
    "--trust-host", is_flag=True, help="Let pip ask this host without TLS (trusted-host)."
)
@yes_option
@json_option
@click.pass_obj
def use(
    session: Session,
    target: str | None,
    *,
    for_pip: bool,
    for_uv: bool,
    trust_host: bool,
    yes: bool,
) -> None:
    """Choose the server or index to work with. Without one, print what is in use.

    With --pip and --uv the index becomes the one they install from: in pip.conf of the active
    virtual environment, else of the user; in uv.toml of the project, else of the user. All other
    settings of these files stay. An index that not everyone may read needs a login: the system's
    keyring keeps it where pip and uv find it there (by the command `keyring`), else a token that
    can only read this index goes into the file, which then only you can read.
    """
    installers: list[Installer] = [Pip()] if for_pip else []
    installers += [Uv()] if for_uv else []
    if trust_host and not for_pip:
        raise WrongUsage("--trust-host is for pip: add --pip")
    if target is not None:
        _choose(session, target)
    rows = _set_up(session, installers, yes=yes, trust_host=trust_host) if installers else []
    _print(session, rows)


def _choose(session: Session, target: str) -> None:
    if ":" in target:
        session.remember(session.state_at(target))
    else:
        index = IndexName.parse(target, owner=session.state.user)
        session.server.entrance(index)
        session.remember(dataclasses.replace(session.state, index=index))
    if session.platform.variable(SERVER_URL):
        session.output.say(f"{SERVER_URL} is set and goes before what is remembered.")


def _set_up(
    session: Session, installers: list[Installer], *, yes: bool, trust_host: bool
) -> list[dict[str, str]]:
    index = session.index(None)
    page = session.server.entrance(index).simple
    if page is None:
        raise NotStillroom(f"the server does not say where the page of {index} is")
    return Setup(session, index, page, installers).run(yes=yes, trust_host=trust_host)


def _print(session: Session, written: list[dict[str, str]]) -> None:
    state = session.state
    user = state.user if session.token_from_environment is None else None
    index = None if state.index is None else str(state.index)
    value = {"server": state.url, "user": user, "index": index, "written": written}
    session.output.data(value, shown({key: value[key] or "-" for key in list(value)[:3]}))
    if session.token is None:
        session.output.say("Nobody is logged in: stillroom login USER")
