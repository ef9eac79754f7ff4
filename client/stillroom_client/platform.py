"""The machine and the process a command runs in, as a value that tests can replace."""

import os
import platform as standard_platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import platformdirs

System = Literal["linux", "macos", "windows"]

CLIENT_FOLDER = "STILLROOM_CLIENT_DIR"
SERVER_URL = "STILLROOM_URL"
TOKEN = "STILLROOM_TOKEN"  # noqa: S105 - the name of a variable, not a token


@dataclass(frozen=True, slots=True)
class Platform:
    """What the client must know of its surroundings.

    `environ` never prints itself: it may hold STILLROOM_TOKEN. `is_terminal` says whether there
    is somebody to ask: standard input and standard error are both a terminal.
    """

    system: System
    environ: Mapping[str, str] = field(repr=False)
    home: Path
    working: Path
    hostname: str
    is_terminal: bool

    @classmethod
    def current(cls) -> "Platform":
        """The platform of this process."""
        names: dict[str, System] = {"win32": "windows", "darwin": "macos"}
        return cls(
            system=names.get(sys.platform, "linux"),
            environ=dict(os.environ),
            home=Path.home(),
            working=Path.cwd(),
            hostname=standard_platform.node(),
            is_terminal=sys.stdin.isatty() and sys.stderr.isatty(),
        )

    def variable(self, name: str) -> str | None:
        """The value of an environment variable; None if it is unset or empty."""
        return self.environ.get(name) or None

    def folder(self, name: str, default: Path) -> Path:
        """The folder that an environment variable names, else the default."""
        value = self.variable(name)
        return Path(value) if value else default

    @property
    def client_folder(self) -> Path:
        """Where the client keeps its files: STILLROOM_CLIENT_DIR, else the user's own place."""
        default = platformdirs.user_config_path("stillroom", appauthor=False)
        return self.folder(CLIENT_FOLDER, default)
