"""Authentication by password, with argon2id (RFC 9106)."""

import threading
from typing import TYPE_CHECKING

from stillroom_server.plugin.api import Accounts, Credentials, Identity, hookimpl

if TYPE_CHECKING:
    from argon2 import PasswordHasher


@hookimpl(trylast=True)
def stillroom_authenticate(credentials: Credentials, accounts: Accounts) -> Identity | None:
    """Accept the passwords of Stillroom's users; asked last, because it is slow on purpose."""
    return accounts.by_password(credentials)


class Argon2Hasher:
    """Hashes passwords with argon2id, at most `parallel` at once (the port `PasswordHasher`).

    One hash takes 64 MiB and a good part of a second: without the bound, a burst of logins
    would take all memory and every core.
    """

    def __init__(self, parallel: int = 2) -> None:
        self._slots = threading.BoundedSemaphore(parallel)
        self._lock = threading.Lock()
        self._hasher: PasswordHasher | None = None
        self._nobody: str | None = None

    def hash(self, password: str) -> str:
        """A new hash in PHC form."""
        with self._slots:
            return self._library().hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it matches; with None it takes as long and says no."""
        from argon2.exceptions import InvalidHashError, VerificationError

        wanted = password_hash if password_hash is not None else self._hash_of_nobody()
        with self._slots:
            try:
                self._library().verify(wanted, password)
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None

    def _hash_of_nobody(self) -> str:
        with self._lock:
            if self._nobody is None:
                self._nobody = self._library().hash("the password of nobody")
            return self._nobody

    def _library(self) -> "PasswordHasher":
        # argon2 is imported late: an index that is read with tokens alone never needs it.
        if self._hasher is None:
            from argon2 import PasswordHasher

            self._hasher = PasswordHasher()
        return self._hasher
