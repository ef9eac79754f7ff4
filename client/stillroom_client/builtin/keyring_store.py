"""Keeps tokens in the keyring of the system."""

from collections.abc import Sequence

from ..credentials import CredentialStore
from ..hookspecs import hookimpl
from ..secret import Secret
from ..system_keyring import SystemKeyring

SERVICE = "stillroom"


class KeyringStore:
    """The credential store that lives in the system's keyring, under the service `stillroom`."""

    rank = 50
    title = "the system's keyring"

    def __init__(self) -> None:
        self._keyring = SystemKeyring()

    def is_usable(self) -> bool:
        """Whether this machine has a keyring, and the library `keyring` is installed."""
        return self._keyring.is_usable()

    def get(self, server: str, user: str) -> Secret | None:
        """The token; None if there is none."""
        return self._keyring.get(SERVICE, _key(server, user))

    def set(self, server: str, user: str, token: Secret) -> None:
        """Keep a token."""
        self._keyring.set(SERVICE, _key(server, user), token)

    def delete(self, server: str, user: str) -> None:
        """Forget the token."""
        self._keyring.delete(SERVICE, _key(server, user))


def _key(server: str, user: str) -> str:
    return f"{user} at {server}"


@hookimpl
def stillroom_credential_stores() -> Sequence[CredentialStore]:
    """Give the keyring."""
    return [KeyringStore()]
