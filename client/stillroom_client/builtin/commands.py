"""The commands of `stillroom`."""

from collections.abc import Sequence

import click

from ..commands.access import access
from ..commands.audit import audit, who_got
from ..commands.declarative import apply, export, plan
from ..commands.group import group
from ..commands.index import index
from ..commands.login import login, logout, whoami
from ..commands.owner import owner
from ..commands.projects import list_, push, remove, status, unyank, yank
from ..commands.publisher import issuer, publisher
from ..commands.token import token
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
        group,
        index,
        access,
        owner,
        token,
        publisher,
        issuer,
        upload,
        list_,
        remove,
        yank,
        unyank,
        status,
        push,
        plan,
        apply,
        export,
        audit,
        who_got,
    ]
