"""Keeps tokens in a file that only its owner can read: `credentials.json`."""

import json
from collections.abc import Sequence
from pathlib import Path

from .. import files
from ..credentials import CredentialStore
from ..errors import LocalTrouble
from ..hookspecs import hookimpl
from ..secret import Secret

FILE_NAME = "credentials.json"


class FileStore:
    """The credential store of last resort: a file of mode 0600, tokens by server and user."""

    rank = 100

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.title = str(self._path)

    def is_usable(self) -> bool:
        """Always: that the file cannot be written is said when it is written."""
        return True

    def get(self, server: str, user: str) -> Secret | None:
        """The token; None if there is none."""
        token = self._read().get(server, {}).get(user)
        return None if token is None else Secret(token)

    def set(self, server: str, user: str, token: Secret) -> None:
        """Keep a token."""
        tokens = self._read()
        tokens.setdefault(server, {})[user] = token.reveal()
        self._write(tokens)

    def delete(self, server: str, user: str) -> None:
        """Forget the token."""
        tokens = self._read()
        if tokens.get(server, {}).pop(user, None) is not None:
            self._write({at: users for at, users in tokens.items() if users})

    def _read(self) -> dict[str, dict[str, str]]:
        content = files.read(self._path)
        if content is None:
            return {}
        try:
            tokens = json.loads(content)
            return {str(server): dict(users) for server, users in tokens.items()}
        except (ValueError, TypeError, AttributeError):
            raise LocalTrouble(f"{self._path} is damaged: delete it and log in again") from None

    def _write(self, tokens: dict[str, dict[str, str]]) -> None:
        files.write(self._path, json.dumps(tokens, indent=2).encode() + b"\n", private=True)


@hookimpl
def stillroom_credential_stores(folder: Path) -> Sequence[CredentialStore]:
    """Give the file."""
    return [FileStore(folder)]
