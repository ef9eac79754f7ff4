"""`access`: who may do what in an index, and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from ..errors import WrongUsage
from ..output import columns
from ..session import Session
from .options import INDEX_ARGUMENT, examples, json_option


@click.command(
    epilog=examples(
        "stillroom access dev/base",
        "stillroom access dev/base --user ci",
        "stillroom access dev/base --group release",
    )
)
@click.argument("name", required=False, metavar="[INDEX]")
@click.option("--user", metavar="USER", help="Only what this user may do, and why.")
@click.option("--group", metavar="GROUP", help="Only what a group gives to its members, and why.")
@json_option
@click.pass_obj
def access(session: Session, name: str | None, *, user: str | None, group: str | None) -> None:
    """Print who may do what in an index, and why; without a name, in the one in use.

    Everybody may ask about themselves; about others, who administers the index.
    """
    if user is not None and group is not None:
        raise WrongUsage("ask about --user or about --group, not about both")
    about = {"user": user, "group": group}
    asked = {key: value for key, value in about.items() if value is not None}
    answer = session.server.access(session.index(name, how=INDEX_ARGUMENT), asked)
    lines = _answer(answer) if asked else _overview(answer)
    session.output.data(dict(answer), [*lines, *_projects(answer)])


def _overview(answer: Mapping[str, Any]) -> Iterator[str]:
    """For each right who has it, and why; reading goes through all that is inherited."""
    for right, doors in answer["rights"].items():
        for number, door in enumerate(doors):
            if number == 0:
                yield f"who may {_DOES[right]} {door['index']}:"
            else:
                heir = answer["index"]
                yield f"and who may {_DOES[right]} {door['index']}, which {heir} inherits from:"
            yield from (f"  {line}" for line in _holders(door["holders"]))


_DOES = {
    "read": "read",
    "upload": "upload to",
    "delete": "delete and yank in",
    "admin": "administer",
}


def _holders(holders: Sequence[Mapping[str, Any]]) -> list[str]:
    if not holders:
        return ["nobody: a mirror takes no uploads"]
    return columns([[each["entry"], each["why"], _meant(each)] for each in holders])


def _meant(holder: Mapping[str, Any]) -> str:
    if holder["kind"] == "everybody":
        return _EVERYBODY.get(holder["entry"], "")
    if not holder["known"]:
        return f"matches nobody: there is no such {holder['kind']} here"
    if holder["kind"] == "group":
        return ", ".join(holder["members"]) or "matches nobody: the group is empty"
    return ""


_EVERYBODY = {
    ":ANONYMOUS:": "everyone who reaches the server",
    ":AUTHENTICATED:": "everyone who is logged in",
}


def _answer(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yes or no for each right, with the reason."""
    if not answer["known"]:
        kind = "user" if "user" in answer else "group"
        yield f"There is no {kind} {answer[kind]} here; if one comes, this holds:"
    for right, told in answer["rights"].items():
        yield f"{right}: {'yes' if told['allowed'] else 'no'}, {told['reason']}"


def _projects(answer: Mapping[str, Any]) -> Iterator[str]:
    """What else is asked of who uploads."""
    projects = answer["projects"]
    if projects["owned_projects"]:
        yield "owned_projects: of those who may upload, only its owners upload to a project"
    if projects["first_upload"] in _FIRST:
        yield f"first_upload={projects['first_upload']}: {_FIRST[projects['first_upload']]}"


_FIRST = {
    "restricted": "a new project is brought by who administers the index, or owns its name",
    "approval": "a new project is brought by who administers the index; others ask for it",
}
