"""Authentication by password, with argon2id (RFC 9106), and which passwords are too common."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stillroom_server.plugin.api import Accounts, Credentials, Identity, Overloaded, hookimpl

if TYPE_CHECKING:
    from argon2 import PasswordHasher

WAITING = 8
"""How many may be at it or wait, for each hash that is computed at once."""


@hookimpl(trylast=True)
def stillroom_authenticate(credentials: Credentials, accounts: Accounts) -> Identity | None:
    """Accept the passwords of Stillroom's users; asked last, because it is slow on purpose."""
    return accounts.by_password(credentials)


class Argon2Hasher:
    """Hashes passwords with argon2id, at most `parallel` at once (the port `PasswordHasher`).

    One hash takes 64 MiB and a good part of a second: without the bound, a burst of logins
    would take all memory and every core. A few more may wait for their turn; beyond those,
    Overloaded is raised at once, because whoever waits holds one of the server's threads.
    """

    def __init__(self, parallel: int = 2) -> None:
        self._slots = threading.BoundedSemaphore(parallel)
        self._places = threading.BoundedSemaphore(parallel * WAITING)
        self._mine = threading.local()
        self._hasher: PasswordHasher | None = None
        self._nobody: str | None = None

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who are at it or wait; raises Overloaded where there is none."""
        if getattr(self._mine, "has_place", False):
            yield
            return
        if not self._places.acquire(blocking=False):
            raise Overloaded("Too many passwords are being checked; try again in a moment.")
        self._mine.has_place = True
        try:
            yield
        finally:
            self._mine.has_place = False
            self._places.release()

    def hash(self, password: str) -> str:
        """A new hash in PHC form."""
        with self.place(), self._slots:
            return self._library().hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it matches; with None it takes as long and says no."""
        from argon2.exceptions import InvalidHashError, VerificationError

        with self.place(), self._slots:
            wanted = password_hash if password_hash is not None else self._hash_of_nobody()
            try:
                self._library().verify(wanted, password)
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None

    def _hash_of_nobody(self) -> str:
        if self._nobody is None:
            self._nobody = self._library().hash("the password of nobody")
        return self._nobody

    def _library(self) -> "PasswordHasher":
        # argon2 is imported late: an index that is read with tokens alone never needs it.
        if self._hasher is None:
            from argon2 import PasswordHasher

            self._hasher = PasswordHasher()
        return self._hasher


class ListedPasswords:
    """The passwords that were most used where passwords leaked (the port `CommonPasswords`)."""

    def __contains__(self, password: object, /) -> bool:
        """Whether it is one of them, in upper or lower case."""
        return isinstance(password, str) and password.lower() in _listed()

    def __len__(self) -> int:
        return len(_listed())


def _listed() -> list[str]:
    # Imported late, because it takes 8 MB, and passwords are set rarely. Of the library we want
    # the list alone: its estimate of a password's strength is nothing that a rule can be told by.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    passwords: list[str] = FREQUENCY_LISTS["passwords"]
    return passwords
