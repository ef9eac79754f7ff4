"""The hooks: what a plugin may answer.

Each hook has a kind:

- *first answer*: plugins are asked one after the other; the first that does not return None wins;
- *collect*: every plugin's answer counts;
- *notify*: every plugin is told; what it returns is ignored, what it raises is logged.

A plugin implements the hooks it needs, with as many of their arguments as it wants, and is found
by the entry-point group `stillroom_server.plugins`. Everything that a plugin may import for this
is in `stillroom_server.plugin.api`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from stillroom_server.domain.events import JournalEntry
    from stillroom_server.domain.identity import Credentials, Identity
    from stillroom_server.domain.indexes import IndexType
    from stillroom_server.services.ports import Accounts

    from .api import BlobStoreKind

PROJECT = "stillroom_server"

hookspec = pluggy.HookspecMarker(PROJECT)


class ServerHooks:
    """All hooks of the server."""

    @hookspec(firstresult=True)
    def stillroom_credentials(self, headers: Mapping[str, str]) -> "Credentials | None":
        """Read credentials from the headers of a request (first answer).

        `headers` has lower-case names. Return None where there are none of your kind; raise
        NotAuthenticated where there are some and they cannot be read. Told once per request, on
        the way to every page: no I/O here.
        """

    @hookspec(firstresult=True)
    def stillroom_authenticate(
        self, credentials: "Credentials", accounts: "Accounts"
    ) -> "Identity | None":
        """Say who sent these credentials (first answer).

        Return None if you do not know them: another plugin may. Raise NotAuthenticated to
        refuse them for good, Trouble where you cannot tell now. `accounts` checks Stillroom's
        own tokens and passwords. Remember what is slow to find out.
        """

    @hookspec
    def stillroom_blob_stores(self) -> "Sequence[BlobStoreKind]":
        """Offer kinds of blob stores (collect). Two of one name are an error.

        The setting `blob_store` chooses one by name.
        """

    @hookspec
    def stillroom_index_types(self) -> "Sequence[IndexType]":
        """Offer types of indexes with their options (collect). Two of one name are an error."""

    @hookspec
    def stillroom_event(self, entry: "JournalEntry") -> None:
        """Take note of a committed change (notify).

        Told in the order of serials, after the commit, at least once, in a thread of its own.
        What you raise is logged, you are asked again twice, and then the entry is passed over.
        """
