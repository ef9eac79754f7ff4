"""What plugins import: the marker of implementations, and the values that hooks exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pluggy

from stillroom_server.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    Overloaded,
    Refusal,
    Trouble,
)
from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.domain.identity import (
    ANONYMOUS,
    Action,
    Credentials,
    Grant,
    Identity,
    TokenLimits,
)
from stillroom_server.domain.indexes import FirstUpload, IndexType
from stillroom_server.domain.names import IndexName, UserName, user_name
from stillroom_server.domain.options import (
    Option,
    check_base,
    check_first_upload,
    check_pattern,
    check_principal,
    check_project_or_all,
    check_upstream_url,
)
from stillroom_server.services.accounts import TOKEN_PREFIX
from stillroom_server.services.ports import Accounts, BlobStore, BlobWriter

from .specs import PROJECT

hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class BlobStoreKind:
    """A kind of blob store: the name that the setting `blob_store` has, and how to get one.

    Both get the data folder. `create` is called once, at the first start; `open` at every later
    one. They raise StorageBusy if the store cannot be used.
    """

    name: str
    create: Callable[[Path], BlobStore]
    open: Callable[[Path], BlobStore]


__all__ = [
    "ANONYMOUS",
    "TOKEN_PREFIX",
    "Accounts",
    "Action",
    "BlobStore",
    "BlobStoreKind",
    "BlobWriter",
    "Credentials",
    "Event",
    "EventKind",
    "FirstUpload",
    "Forbidden",
    "Grant",
    "Identity",
    "IndexName",
    "IndexType",
    "InvalidRequest",
    "JournalEntry",
    "NotAuthenticated",
    "Option",
    "Overloaded",
    "Refusal",
    "TokenLimits",
    "Trouble",
    "UserName",
    "check_base",
    "check_first_upload",
    "check_pattern",
    "check_principal",
    "check_project_or_all",
    "check_upstream_url",
    "hookimpl",
    "user_name",
]
