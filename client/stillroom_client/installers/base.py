"""What pip and uv have in common, seen from `stillroom use`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..platform import Platform


@dataclass(frozen=True, slots=True)
class Target:
    """The configuration file to change, and what the person should know about that choice."""

    path: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What to write.

    `url` is the Simple page of the index, with a user and a token if they go there.
    `from_keyring` is true if the installer is to look for the token in the keyring, and
    `trusted_host` is a host (with its port) that may be asked without TLS.
    """

    url: str
    from_keyring: bool = False
    trusted_host: str | None = None


class Installer(Protocol):
    """A tool that installs from an index. `name` is its command."""

    name: str

    def target(self, platform: Platform, *, is_personal: bool) -> Target:
        """The file to change; `is_personal` says that it will hold a login.

        Raises LocalTrouble if the tool reads no file.
        """
        ...

    def current_url(self, content: str) -> str | None:
        """The index that a configuration names now; raises LocalTrouble if it is unreadable."""
        ...

    def changed(self, content: str, settings: Settings) -> str:
        """A configuration with the settings, and all else as it was; raises LocalTrouble."""
        ...

    def needs_trust(self, url: str) -> bool:
        """Whether the tool ignores the URL unless its host is trusted."""
        ...

    def others(self, content: str) -> list[str]:
        """Other settings of the configuration that say where to look, as sentences."""
        ...
