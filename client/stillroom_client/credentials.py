"""Where tokens are kept between two commands."""

from collections.abc import Sequence
from typing import Protocol

from .errors import LocalTrouble
from .secret import Secret


class CredentialStore(Protocol):
    """A place that keeps tokens, one for each user of each server.

    `rank` orders the stores: the system's keyring has 50, the file 100. `title` names it in
    sentences. A server is named by its root URL. The methods raise LocalTrouble.
    """

    rank: int
    title: str

    def is_usable(self) -> bool:
        """Whether it works on this machine, in this session."""
        ...

    def get(self, server: str, user: str) -> Secret | None:
        """The token; None if there is none."""
        ...

    def set(self, server: str, user: str, token: Secret) -> None:
        """Keep a token in place of the one before."""
        ...

    def delete(self, server: str, user: str) -> None:
        """Forget the token, if there is one."""
        ...


class Credentials:
    """The usable stores together."""

    def __init__(self, stores: Sequence[CredentialStore]) -> None:
        usable = [store for store in stores if store.is_usable()]
        self._stores = sorted(usable, key=lambda store: store.rank)

    def get(self, server: str, user: str) -> Secret | None:
        """The token of a user at a server; None if there is none."""
        for store in self._stores:
            token = store.get(server, user)
            if token is not None:
                return token
        return None

    def set(self, server: str, user: str, token: Secret) -> str:
        """Keep a token, and only there; returns the title of the store that has it now."""
        if not self._stores:
            raise LocalTrouble("there is no place to keep a token: set STILLROOM_TOKEN instead")
        first, *others = self._stores
        first.set(server, user, token)
        for store in others:
            store.delete(server, user)
        return first.title

    def delete(self, server: str, user: str) -> None:
        """Forget the token, wherever it is kept."""
        for store in self._stores:
            store.delete(server, user)
