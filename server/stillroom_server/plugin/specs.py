"""The hooks: what a plugin may answer.

Each hook has a kind:

- *first answer*: plugins are asked one after the other; the first that does not return None wins;
- *collect*: every plugin's answer counts;
- *notify*: every plugin is told; what it returns is ignored, what it raises is logged.

A plugin implements the hooks it needs, with as many of their arguments as it wants, and is found
by the entry-point group `stillroom_server.plugins`. Everything that a plugin may import for this
is in `stillroom_server.plugin.api`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from stillroom_server.domain.events import JournalEntry
    from stillroom_server.domain.identity import Credentials, Identity
    from stillroom_server.domain.indexes import IndexType
    from stillroom_server.domain.names import UserName
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

        Credentials with a user name that are no token of Stillroom's are taken for a password
        that may be guessed: you are asked only within the limits of wrong passwords. One that
        nobody knew is refused for five minutes without asking again. What `accounts` said of the
        credentials of a request, and you passed on as it is, is remembered for as long as nothing
        changes and for five minutes at most; for all else you are asked each time.
        """

    @hookspec
    def stillroom_groups(self, user: "UserName") -> "Collection[str] | None":
        """Say in which groups a user is (collect).

        Asked for requests that are made with a token of Stillroom's, or with a password where
        `stillroom_authenticate` gave no groups. Return names without a colon, none of them where
        the user is in no group, and None where you do not know the user: then the groups that
        were given at the login hold. Raise whatever you like where you cannot tell now. An answer
        holds for five minutes, and for an hour where you fail after that; then requests of that
        user are answered by 503.
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
