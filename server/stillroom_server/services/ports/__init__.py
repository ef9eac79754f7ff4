"""What the services need from the outside, as Protocols. Adapters implement them.

The contract suites in `tests/contract` say what each must do, for fakes and real ones alike.
"""

from collections.abc import Callable
from datetime import datetime

from .accounts import Groups, GuessCounts, PasswordGuesses
from .content import (
    BlobStore,
    BlobWriter,
    Inspected,
    Inspector,
)
from .database import (
    AuditQuery,
    Blobs,
    Database,
    FileKey,
    Files,
    Indexes,
    Journal,
    MirrorNames,
    MirrorPages,
    Projects,
    Pruned,
    Tokens,
    Unit,
    Users,
)
from .fetches import Fetch, Fetches, FetchKey, FetchQuery
from .identity_tokens import IdentityTokens
from .owners import ProjectOwners, ProjectRequest
from .plugins import (
    Accounts,
    Authentication,
    CommonPasswords,
    GroupSource,
    Listener,
    PasswordHasher,
)
from .publishers import Publishers
from .upstream import (
    FileTransfer,
    NamesFetched,
    NoSuchProject,
    NotModified,
    PageAnswer,
    PageFetched,
    Upstream,
)

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""

__all__ = [
    "Accounts",
    "AuditQuery",
    "Authentication",
    "BlobStore",
    "BlobWriter",
    "Blobs",
    "Clock",
    "CommonPasswords",
    "Database",
    "Fetch",
    "FetchKey",
    "FetchQuery",
    "Fetches",
    "FileKey",
    "FileTransfer",
    "Files",
    "GroupSource",
    "Groups",
    "GuessCounts",
    "IdentityTokens",
    "Indexes",
    "Inspected",
    "Inspector",
    "Journal",
    "Listener",
    "MirrorNames",
    "MirrorPages",
    "NamesFetched",
    "NoSuchProject",
    "NotModified",
    "PageAnswer",
    "PageFetched",
    "PasswordGuesses",
    "PasswordHasher",
    "ProjectOwners",
    "ProjectRequest",
    "Projects",
    "Pruned",
    "Publishers",
    "Tokens",
    "Unit",
    "Upstream",
    "Users",
]
