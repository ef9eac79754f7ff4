"""Options and arguments that several commands share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from ..durations import shown_moment
from ..errors import WrongUsage
from ..session import Session

Function = TypeVar("Function", bound=Callable[..., Any])

JOB_ACTIONS = ("read", "upload", "delete")
"""What a trusted publisher may be allowed."""

TOKEN_ACTIONS = (*JOB_ACTIONS, "admin", "account")
"""What a token may be allowed."""

INDEX_ARGUMENT = "name one: USER/INDEX"
"""How a command takes an index that has no `--index`."""


def examples(*lines: str) -> str:
    """The examples at the end of a command's help, which click keeps line by line."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    session = context.find_object(Session)
    if session is not None:
        session.output.as_json = value


def json_option(command: Function) -> Function:
    """`--json`: print the data as JSON."""
    option = click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Print the data as JSON.",
    )
    return option(command)


def index_option(command: Function) -> Function:
    """`--index USER/INDEX`: another index than the one in use."""
    option = click.option(
        "--index",
        "index_name",
        metavar="USER/INDEX",
        help="The index to work with instead of the one in use.",
    )
    return option(command)


def projects_option(command: Function) -> Function:
    """`--project PROJECT`, which may be repeated: the rights are good for these alone."""
    option = click.option(
        "--project",
        "projects",
        metavar="PROJECT",
        multiple=True,
        help="A project that it is good for; may be repeated. [all]",
    )
    return option(command)


def allow_option(actions: Sequence[str], default: str) -> Callable[[Function], Function]:
    """`--allow ACTION`, which may be repeated; `default` says what holds without it."""
    return click.option(
        "--allow",
        type=click.Choice(actions),
        multiple=True,
        help=f"What it may be used for; may be repeated. [{default}]",
    )


def yes_option(command: Function) -> Function:
    """`--yes`: do not ask."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(command)


def password_stdin_option(command: Function) -> Function:
    """`--password-stdin`: the password is the first line of standard input."""
    option = click.option(
        "--password-stdin",
        is_flag=True,
        help="Read the password from the first line of standard input.",
    )
    return option(command)


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """Read `key=value` arguments; raises WrongUsage, also for a key that stands twice."""
    values: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key.isidentifier():
            raise WrongUsage(f"{text!r} is not of the form key=value")
        if key in values:
            raise WrongUsage(f"{key} is given twice")
        values[key] = value
    return values


def shown(fields: Mapping[str, Any]) -> list[str]:
    """Fields as lines `key: value`; a list is shown with commas, as it is typed."""
    return [f"{key}: {_shown(key, value)}" for key, value in fields.items()]


def _shown(key: str, value: Any) -> str:
    if key in _MOMENTS:
        return shown_moment(value)
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


_MOMENTS = frozenset({"created", "modified"})
"""Fields of users and groups that hold a time."""
