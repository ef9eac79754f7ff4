"""Who asks: passwords, and the plugins for authentication and events."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.identity import Credentials, Identity
from stillroom_server.domain.names import UserName


class PasswordHasher(Protocol):
    """Slow on purpose; bounds how many hashes are computed at once."""

    def place(self) -> AbstractContextManager[None]:
        """A place among those who are hashed for or wait, for the block, in this thread.

        Raises Overloaded where there is none. `hash` and `verify` take one themselves, unless
        the thread has it already.
        """

    def hash(self, password: str) -> str:
        """A new hash in PHC form."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it matches; with None it takes as long and says no."""


class CommonPasswords(Protocol):
    """Passwords that so many people use that they are guessed first."""

    def __contains__(self, password: object, /) -> bool:
        """Whether it is one of them."""

    def __len__(self) -> int:
        """How many there are."""


class Accounts(Protocol):
    """What an authentication plugin may ask of us."""

    def by_token(self, credentials: Credentials) -> Identity | None:
        """Who holds the token; None if it is none of ours, expired, or another user's."""

    def by_password(self, credentials: Credentials) -> Identity | None:
        """Who has this name and password; None if nobody. As slow for unknown names."""


class Authentication(Protocol):
    """Asks the authentication plugins, the first answer wins."""

    def authenticate(self, credentials: Credentials, accounts: Accounts) -> Identity | None:
        """Who this is, or None where no plugin knows these credentials."""


class GroupSource(Protocol):
    """A plugin that knows groups of users; `name` is that of the plugin."""

    @property
    def name(self) -> str: ...

    def groups_of(self, user: UserName) -> Collection[str] | None:
        """The user's groups, without a colon; None where it does not know them.

        May raise anything.
        """


class Listener(Protocol):
    """Somebody who is told of events; `name` is that of its durable cursor."""

    @property
    def name(self) -> str: ...

    def tell(self, entry: JournalEntry) -> None:
        """Take note. May be told the same twice after a crash."""
