"""What a server has of that which a file names, and what else there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..addresses import IndexName
from ..server import Server
from .read import USER_FIELDS, Wanted


@dataclass(frozen=True, slots=True)
class Found:
    """A server's users, groups and indexes, all of them by name.

    `options` and `owners` are those of the indexes that the file names, `bases` and `types` those
    of all. `emails_of` is whose e-mail address is shown to who asks: None stands for everybody's.
    """

    users: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Mapping[str, Any]]
    types: Mapping[str, str]
    bases: Mapping[str, Sequence[str]]
    options: Mapping[str, Mapping[str, Any]]
    owners: Mapping[str, Mapping[str, Sequence[str]]]
    emails_of: frozenset[str] | None = None

    def fields_shown_of(self, user: str) -> frozenset[str]:
        """Which fields of a user can be compared."""
        if self.emails_of is None or user in self.emails_of:
            return frozenset(USER_FIELDS)
        return frozenset(USER_FIELDS) - {"email"}


def find(server: Server, user: str, wanted: Wanted) -> Found:
    """Ask a server as that user; raises what its requests raise.

    That is Refused too, for an index that they may not read.
    """
    users = server.users()
    listed = {
        f"{owner}/{name}": options
        for owner, fields in users.items()
        for name, options in (fields.get("indexes") or {}).items()
    }
    named = {name: IndexName.parse(name) for name in wanted.indexes if name in listed}
    return Found(
        users=users,
        groups=server.groups(),
        types={name: str(options.get("type")) for name, options in listed.items()},
        bases={name: options.get("bases") or () for name, options in listed.items()},
        options={name: server.index(index, with_projects=False) for name, index in named.items()},
        owners={
            name: server.owners(index)
            for name, index in named.items()
            if wanted.indexes[name].owners
        },
        emails_of=_emails_shown(server, user),
    )


def _emails_shown(server: Server, user: str) -> frozenset[str] | None:
    """An e-mail address is shown to its user and to root, and to no token with limits."""
    if server.token_in_use(user).get("limits") is not None:
        return frozenset()
    return None if user == "root" else frozenset({user})
