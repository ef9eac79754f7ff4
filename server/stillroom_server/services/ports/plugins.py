"""Who asks: passwords, and the plugins for authentication and events."""

from typing import Protocol

from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.identity import Credentials, Identity


class PasswordHasher(Protocol):
    """Slow on purpose; bounds how many hashes are computed at once."""

    def hash(self, password: str) -> str:
        """A new hash in PHC form."""

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it matches; with None it takes as long and says no."""


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


class Listener(Protocol):
    """Somebody who is told of events; `name` is that of its durable cursor."""

    @property
    def name(self) -> str: ...

    def tell(self, entry: JournalEntry) -> None:
        """Take note. May be told the same twice after a crash."""
