"""What the suite asks of a server beside the public contract: where things are, who manages them.

An adapter is a class derived from `Adapter`. It says where an index has its pages and its upload
form, and has those methods of `Abilities` that its server can do. A test asks for an ability by a
fixture of the same name; the tests whose abilities an adapter lacks are deselected.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from support.distributions import Distribution


class Login(NamedTuple):
    """The two halves of Basic authentication."""

    user: str
    password: str


@dataclass(frozen=True)
class Token:
    """A token as it was made: what is shown to the server, and what names it."""

    secret: str
    id: str


class Adapter:
    """A server at `url`, in whose index files can be uploaded with `login`."""

    def __init__(self, url: str, login: Login) -> None:
        self.url = url.rstrip("/")
        self.login = login

    def simple_path(self, index: str) -> str:
        """The path of an index's Simple API under the server's URL, with slashes at both ends."""
        raise NotImplementedError

    def upload_path(self, index: str) -> str:
        """The path that takes the upload form, with slashes at both ends."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what is open."""


class Abilities(Protocol):
    """What a server may be able to do; each raises AssertionError where it is refused."""

    def new_index(
        self, *, public: bool = False, final: bool = False, bases: Sequence[str] = ()
    ) -> str:
        """Make an index for uploads, and give its name.

        Everybody may read a public one, the others only who logs in. In a final one a file is
        never replaced.
        """

    def new_mirror(self, upstream: str, *, redirects: bool = False) -> str:
        """Make an index that mirrors a Simple API on loopback, and give its name.

        With `redirects` its file URLs lead to where the files of the upstream are.
        """

    def yank(
        self, index: str, project: str, version: str, reason: str | bool, filename: str = ""
    ) -> None:
        """Yank a release, or one file of it; `False` takes that back."""

    def set_status(self, index: str, project: str, status: str, reason: str = "") -> None:
        """Set the status of a project (PEP 792)."""

    def delete_file(self, index: str, distribution: Distribution) -> None:
        """Delete a file, also from a final index."""

    def new_token(self, index: str, *, may_upload: bool = True, seconds: int = 600) -> Token:
        """Make a token for one index."""

    def revoke(self, token: Token) -> None:
        """End a token."""

    def token_logins(self, token: Token) -> Sequence[Login]:
        """The documented ways to log in with a token."""

    def trust(
        self,
        administrator: Login,
        index: str,
        issuer: str,
        claims: Mapping[str, str],
        project: str,
    ) -> None:
        """Let jobs with these claims of an issuer on loopback upload a project to an index."""

    def legacy_json_path(self, index: str, project: str, version: str = "") -> str:
        """The path of the legacy JSON API for a project, or for one of its releases."""


ABILITIES = tuple(name for name in vars(Abilities) if not name.startswith("_"))


def adapter_class(name: str) -> type[Adapter]:
    """The adapter of a module, `Adapter` in the module's own words or a subclass of it.

    Raises ImportError or LookupError.
    """
    found = [
        value
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, type) and issubclass(value, Adapter) and value is not Adapter
    ]
    if len(found) != 1:
        raise LookupError(f"{name} has {len(found)} adapters, not one")
    return found[0]
