"""The commands of `stillroom`."""

from collections.abc import Sequence

import click

from ..commands.index import index
from ..commands.login import login, logout, whoami
from ..commands.projects import list_, push, remove, status, unyank, yank
from ..commands.upload import upload
from ..commands.use import use
from ..commands.user import user
from ..hookspecs import hookimpl


@hookimpl
def stillroom_commands() -> Sequence[click.Command]:
    """Give every command that the client has of its own."""
    return [
        use,
        login,
        logout,
        whoami,
        user,
        index,
        upload,
        list_,
        remove,
        yank,
        unyank,
        status,
        push,
    ]
