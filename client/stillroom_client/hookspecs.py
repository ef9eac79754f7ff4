"""The hooks of the client. A plugin is a module (or object) that implements some of them.

It is named by an entry point in the group `stillroom_client.plugins`; the built-in ones are
registered in just that way. A plugin implements a hook with `hookimpl` of this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pluggy

from .credentials import CredentialStore

if TYPE_CHECKING:
    import click

PROJECT = "stillroom_client"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks(Protocol):
    """Every hook there is. A module that implements one leaves `self` out."""

    @hookspec
    def stillroom_commands(self) -> "Sequence[click.Command]":
        """Commands to add to `stillroom`; a group counts as one.

        Kind: collect. A command gets the `Session` as click's object. Where two plugins give the
        same name, the first one stays and the other is reported; Stillroom's own come first.
        Used by `builtin/commands.py`.
        """
        ...

    @hookspec
    def stillroom_credential_stores(self, folder: Path) -> Sequence[CredentialStore]:
        """Places where tokens can be kept.

        Kind: collect. `folder` is where the client keeps its files. The usable store of the
        lowest `rank` gets new tokens; all usable ones are asked for a token, in the order of
        their ranks. Used by `builtin/keyring_store.py` and `builtin/file_store.py`.
        """
        ...
