"""`owner`: who owns the projects of an index, and who asks to bring new ones."""

from collections.abc import Sequence

import click

from ..addresses import IndexName, Release
from ..errors import ClientError, WrongUsage
from ..output import columns
from ..session import Session
from .options import examples, index_option, json_option


@click.group(
    epilog=examples(
        "stillroom owner list",
        "stillroom owner add myproject ana :team --index dev/release",
        "stillroom owner requests",
        "stillroom owner approve myproject",
    )
)
def owner() -> None:
    """Say who owns the projects of an index, and answer who asks to bring new ones.

    Owners are users and groups, which are written `:group`. With the option `owned_projects` of
    an index, only they upload to their project; with `first_upload`, a new project is brought by
    who was named for it beforehand, or asks and is approved.
    """


@owner.command(
    "list", epilog=examples("stillroom owner list", "stillroom owner list myproject --json")
)
@click.argument("project", required=False)
@index_option
@json_option
@click.pass_obj
def list_(session: Session, project: str | None, index_name: str | None) -> None:
    """Print the owners of all projects of an index, or of one."""
    index = session.index(index_name)
    if project is not None:
        owners = list(session.server.owners_of(index, _name(project)))
        session.output.data(owners, owners)
        return
    found = session.server.owners(index)
    rows = [[name, ", ".join(owners)] for name, owners in found.items()]
    session.output.data(dict(found), columns(rows) if rows else [])


@owner.command(
    epilog=examples(
        "stillroom owner add myproject ana", "stillroom owner add myproject :team --index dev/prod"
    )
)
@click.argument("project")
@click.argument("principals", nargs=-1, required=True, metavar="PRINCIPAL...")
@index_option
@json_option
@click.pass_obj
def add(session: Session, project: str, principals: Sequence[str], index_name: str | None) -> None:
    """Make users and `:groups` owners of a project, and print all that it has now.

    The project need not be there yet: its name is then kept for them.
    """
    _change(session, index_name, project, "+=", principals)


@owner.command(epilog=examples("stillroom owner remove myproject ana"))
@click.argument("project")
@click.argument("principals", nargs=-1, required=True, metavar="PRINCIPAL...")
@index_option
@json_option
@click.pass_obj
def remove(
    session: Session, project: str, principals: Sequence[str], index_name: str | None
) -> None:
    """Take users and `:groups` from the owners of a project, and print those who are left."""
    _change(session, index_name, project, "-=", principals)


@owner.command(epilog=examples("stillroom owner requests", "stillroom owner requests --json"))
@index_option
@json_option
@click.pass_obj
def requests(session: Session, index_name: str | None) -> None:
    """Print who asks to bring which project, oldest first."""
    found = session.server.requests(session.index(index_name))
    rows = [[str(one[key]) for key in ("project", "user", "requested")] for one in found]
    session.output.data(list(found), columns(rows) if rows else [])


@owner.command(
    epilog=examples("stillroom owner approve myproject", "stillroom owner approve myproject ana")
)
@click.argument("project")
@click.argument("user", required=False)
@index_option
@click.pass_obj
def approve(session: Session, project: str, user: str | None, index_name: str | None) -> None:
    """Make who asks for a project its owner, so that they can upload it.

    USER is needed where several ask for it; whoever else asks may be made an owner with `add`.
    """
    index, name = session.index(index_name), _name(project)
    chosen = user or _who_asks(session, index, name)
    session.server.change_owners(index, name, [f"owners+={chosen}"])
    session.output.say(f"{chosen} owns {name} in {index}, and can upload it now.")


@owner.command(epilog=examples("stillroom owner decline myproject"))
@click.argument("project")
@index_option
@click.pass_obj
def decline(session: Session, project: str, index_name: str | None) -> None:
    """Drop what was asked for a project. Who tries again asks again."""
    index, name = session.index(index_name), _name(project)
    session.server.decline(index, name)
    session.output.say(f"Declined {name} in {index}.")


def _change(
    session: Session, index_name: str | None, project: str, sign: str, principals: Sequence[str]
) -> None:
    index, name = session.index(index_name), _name(project)
    for principal in principals:
        if "," in principal:
            raise WrongUsage(f"{principal!r} is no user and no :group: write them apart")
    operation = f"owners{sign}{','.join(principals)}"
    owners = list(session.server.change_owners(index, name, [operation]))
    session.output.data(owners, owners)


def _who_asks(session: Session, index: IndexName, project: str) -> str:
    asking = [
        str(one["user"]) for one in session.server.requests(index) if one["project"] == project
    ]
    if not asking:
        raise ClientError(
            f"nobody asks for {project} in {index}: name owners with `stillroom owner add`"
        )
    if len(asking) > 1:
        raise WrongUsage(f"{', '.join(asking)} ask for {project}: name the one who is to own it")
    return asking[0]


def _name(project: str) -> str:
    wanted = Release.parse(project)
    if wanted.version is not None:
        raise WrongUsage(f"owners are those of a whole project: {wanted.project}")
    return wanted.project
