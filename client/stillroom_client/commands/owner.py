"""`owner`: who owns the projects of an index, and who asks to bring new ones."""

from collections.abc import Sequence

import click

from ..addresses import IndexName, Release
from ..durations import shown_moment
from ..errors import ClientError, ServerError, WrongUsage
from ..session import Session
from .options import examples, index_option, json_option
from .principals import known_principals, marked, tell_of_nobody


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
    """Print the owners of all projects of an index, or of one.

    Names that nobody has are marked as unknown.
    """
    index = session.index(index_name)
    if project is not None:
        name = _name(project)
        _print(session, name, index, session.server.owners_of(index, name))
        return
    found = session.server.owners(index)
    known = None if session.output.as_json else known_principals(session)
    rows = [[name, ", ".join(marked(owners, known))] for name, owners in found.items()]
    nothing = f"No project of {index} has owners."
    session.output.table(dict(found), ("PROJECT", "OWNERS"), rows, otherwise=nothing)


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
    tell_of_nobody(session, principals)


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
    index = session.index(index_name)
    found = session.server.requests(index)
    rows = [
        [str(one["project"]), str(one["user"]), shown_moment(one["requested"])] for one in found
    ]
    nothing = f"Nobody asks to bring a project to {index}."
    header = ("PROJECT", "USER", "REQUESTED")
    session.output.table(list(found), header, rows, otherwise=nothing)


@owner.command(
    epilog=examples("stillroom owner approve myproject", "stillroom owner approve myproject ana")
)
@click.argument("project")
@click.argument("user", required=False)
@index_option
@json_option
@click.pass_obj
def approve(session: Session, project: str, user: str | None, index_name: str | None) -> None:
    """Make who asks for a project its owner, so that they can upload it.

    USER is needed where several ask for it; the requests of the others end with that, and they
    may be made owners with `add`. `--json` prints the owners.
    """
    index, name = session.index(index_name), _name(project)
    chosen, others = _chosen(session, index, name, user)
    owners = list(session.server.change_owners(index, name, [f"owners+={chosen}"]))
    session.output.say(f"{chosen} owns {name} in {index}{_upload_of(session, index, chosen)}")
    if others:
        session.output.say(f"Asked as well, and not approved: {', '.join(others)}.")
    session.output.data(owners, [])


@owner.command(
    epilog=examples("stillroom owner decline myproject", "stillroom owner decline myproject ana")
)
@click.argument("project")
@click.argument("user", required=False)
@index_option
@click.pass_obj
def decline(session: Session, project: str, user: str | None, index_name: str | None) -> None:
    """Drop what was asked for a project, by USER or by all. Who tries again asks again."""
    index, name = session.index(index_name), _name(project)
    session.server.decline(index, name, user)
    whose = "" if user is None else f", which {user} asked for"
    session.output.say(f"Declined {name} in {index}{whose}.")


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


def _print(session: Session, project: str, index: IndexName, owners: Sequence[str]) -> None:
    known = None if session.output.as_json else known_principals(session)
    session.output.data(list(owners), marked(owners, known))
    if not owners:
        session.output.say(f"Nobody owns {project} in {index}.")


def _chosen(
    session: Session, index: IndexName, project: str, user: str | None
) -> tuple[str, list[str]]:
    """Who is to own a project, of those who ask for it; and the others."""
    asking = [
        str(one["user"]) for one in session.server.requests(index) if one["project"] == project
    ]
    if user is None and len(asking) > 1:
        raise WrongUsage(f"{', '.join(asking)} ask for {project}: name the one who is to own it")
    chosen = user or next(iter(asking), None)
    if chosen is None or chosen not in asking:
        raise ClientError(
            f"{user or 'nobody'} {'does not ask' if user else 'asks'} for {project} in {index}: "
            "name owners with `stillroom owner add`"
        )
    return chosen, [other for other in asking if other != chosen]


def _upload_of(session: Session, index: IndexName, user: str) -> str:
    """The end of the sentence on a new owner: whether it lets them upload, if that is told."""
    try:
        upload = session.server.access(index, {"user": user})["rights"]["upload"]
    except ServerError:
        return "."
    if upload["allowed"]:
        return ", and can upload it now."
    return f", but may not upload to it: {upload['reason']}."


def _name(project: str) -> str:
    wanted = Release.parse(project)
    if wanted.version is not None:
        raise WrongUsage(f"owners are those of a whole project: {wanted.project}")
    return wanted.project
