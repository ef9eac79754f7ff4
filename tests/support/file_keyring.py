"""A keyring in a JSON file, so that the command `keyring` and a test see the same one."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

VARIABLE = "STILLROOM_TEST_KEYRING"


class FileKeyring(KeyringBackend):
    """Keeps passwords in the file that an argument or STILLROOM_TEST_KEYRING names."""

    priority = 5

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path

    @property
    def path(self) -> Path:
        """Where the passwords are. It is asked late: `keyring` makes one of every backend."""
        return self._path or Path(os.environ[VARIABLE])

    def get_password(self, service: str, username: str) -> str | None:
        """The password; None if there is none."""
        return self.passwords().get(f"{username}@{service}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        self._write({**self.passwords(), f"{username}@{service}": password})

    def delete_password(self, service: str, username: str) -> None:
        """Forget a password."""
        passwords = self.passwords()
        del passwords[f"{username}@{service}"]
        self._write(passwords)

    def passwords(self) -> dict[str, str]:
        """All passwords, by user and service."""
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _write(self, passwords: dict[str, str]) -> None:
        self.path.write_text(json.dumps(passwords))
