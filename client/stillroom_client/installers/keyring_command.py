"""The keyring as pip and uv see it: through the command `keyring`."""

import os
import shutil
import subprocess
from pathlib import Path

from ..errors import LocalTrouble
from ..platform import Platform
from ..secret import Secret
from ..system_keyring import SystemKeyring

SECONDS = 60


class KeyringCommand:
    """Keeps a token where `keyring get URL USER` finds it.

    pip and uv ask for the URL of the index and the user in that URL.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._keyring = SystemKeyring()

    def is_usable(self) -> bool:
        """Whether there are both a keyring and the command."""
        return self._command() is not None and self._keyring.is_usable()

    def find(self, url: str, user: str) -> Secret | None:
        """What the command finds, which is what pip and uv would."""
        command = self._command()
        if command is None:
            return None
        try:
            done = subprocess.run(  # noqa: S603 - the command that pip and uv run too
                [command, "get", url, user],
                env={**self._platform.environ, "PYTHONIOENCODING": "utf-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        text = done.stdout.decode("utf-8", errors="replace").strip("\r\n")
        return Secret(text) if done.returncode == 0 and text else None

    def keep(self, url: str, user: str, secret: Secret) -> bool:
        """Keep a token; False, and nothing kept, if the command does not find it then."""
        try:
            self._keyring.set(url, user, secret)
            if self.find(url, user) == secret:
                return True
            self._keyring.delete(url, user)
        except LocalTrouble:
            return False
        return False

    def _command(self) -> str | None:
        # pip does not look in its own environment's folder for it, so neither do we.
        environment = self._platform.variable("VIRTUAL_ENV")
        folders = [
            folder
            for folder in self._platform.environ.get("PATH", "").split(os.pathsep)
            if not (environment and Path(folder).is_relative_to(environment))
        ]
        return shutil.which("keyring", path=os.pathsep.join(folders))
