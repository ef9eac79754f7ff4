"""Plugins: found by their entry points, loaded when a command first needs one."""

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pluggy

from . import hookspecs
from .credentials import CredentialStore

if TYPE_CHECKING:
    import click

GROUP = "stillroom_client.plugins"
OWN_DISTRIBUTION = "stillroom"

Item = TypeVar("Item")


class Plugins:
    """The plugins of this installation. `warn` is told about one that does not work."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs.Hooks)
        for entry_point in sorted(entry_points(group=GROUP), key=_own_first):
            self._load(entry_point)

    @cached_property
    def commands(self) -> "dict[str, click.Command]":
        """The commands by name."""
        commands: dict[str, click.Command] = {}
        for given in _collect(self._manager.hook.stillroom_commands()):
            if given.name is None or given.name in commands:
                self._warn(f"a plugin gives the command {given.name!r} again: ignored")
            else:
                commands[given.name] = given
        return commands

    def credential_stores(self, folder: Path) -> list[CredentialStore]:
        """The places where tokens can be kept."""
        return _collect(self._manager.hook.stillroom_credential_stores(folder=folder))

    def _load(self, entry_point: EntryPoint) -> None:
        try:
            self._manager.register(entry_point.load(), name=entry_point.name)
        except Exception as error:  # noqa: BLE001 - a broken plugin must not take the client along
            self._warn(f"the plugin {entry_point.value} cannot be loaded: {error}")


def _collect(results: Sequence[Sequence[Item]]) -> list[Item]:
    # pluggy asks who registered last first.
    return [item for result in reversed(results) for item in result]


def _own_first(entry_point: EntryPoint) -> tuple[bool, str]:
    distribution = entry_point.dist
    is_own = distribution is not None and distribution.name == OWN_DISTRIBUTION
    return not is_own, entry_point.name
