"""What a server has, as far as a file names it or can name it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..addresses import IndexName
from ..server import Server
from .read import USER_FIELDS


@dataclass(frozen=True, slots=True)
class Found:
    """A server's users, groups and indexes, all of them by name.

    `bases` and `types` are those of all indexes, `options` and `owners` those of the indexes that
    were asked for. `emails_of` is whose e-mail address is shown to who asks: None stands for
    everybody's.
    """

    users: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Mapping[str, Any]]
    types: Mapping[str, str]
    bases: Mapping[str, Sequence[str]]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    owners: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    emails_of: frozenset[str] | None = None

    def fields_shown_of(self, user: str) -> frozenset[str]:
        """Which fields of a user can be compared."""
        if self.emails_of is None or user in self.emails_of:
            return frozenset(USER_FIELDS)
        return frozenset(USER_FIELDS) - {"email"}


def survey(server: Server, user: str) -> Found:
    """Ask a server as that user what there is: all but `options` and `owners`."""
    users = server.users()
    listed = {
        f"{owner}/{name}": options
        for owner, fields in users.items()
        for name, options in (fields.get("indexes") or {}).items()
    }
    return Found(
        users=users,
        groups=server.groups(),
        types={name: str(options.get("type")) for name, options in listed.items()},
        bases={name: options.get("bases") or () for name, options in listed.items()},
        emails_of=_emails_shown(server, user),
    )


def with_options(found: Found, server: Server, indexes: Iterable[str]) -> Found:
    """The same with the options of those indexes that are there.

    Raises Refused for one that may not be read.
    """
    options = {
        name: server.index(IndexName.parse(name), with_projects=False)
        for name in indexes
        if name in found.types
    }
    return replace(found, options=options)


def with_owners(found: Found, server: Server, indexes: Iterable[str]) -> Found:
    """The same with the owners of projects in those indexes that are there."""
    owners = {
        name: server.owners(IndexName.parse(name)) for name in indexes if name in found.types
    }
    return replace(found, owners=owners)


def _emails_shown(server: Server, user: str) -> frozenset[str] | None:
    """An e-mail address is shown to its user and to root, and to no token with limits."""
    if server.token_in_use(user).get("limits") is not None:
        return frozenset()
    return None if user == "root" else frozenset({user})
