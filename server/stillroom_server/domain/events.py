"""Facts, told after the commit that made them true."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .identity import Identity
from .names import IndexName, ProjectName, UserName


class EventKind(enum.StrEnum):
    """What happened."""

    USER_CREATED = "user-created"
    USER_CHANGED = "user-changed"
    USER_DELETED = "user-deleted"
    USER_UNLOCKED = "user-unlocked"
    GROUP_CREATED = "group-created"
    GROUP_CHANGED = "group-changed"
    GROUP_DELETED = "group-deleted"
    TOKEN_CREATED = "token-created"  # noqa: S105 - the name of an event
    TOKEN_CHANGED = "token-changed"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 - the name of an event
    ISSUER_ADDED = "issuer-added"
    ISSUER_REMOVED = "issuer-removed"
    PUBLISHER_ADDED = "publisher-added"
    PUBLISHER_REMOVED = "publisher-removed"
    INDEX_CREATED = "index-created"
    INDEX_CHANGED = "index-changed"
    INDEX_DELETED = "index-deleted"
    FILE_ADDED = "file-added"
    FILE_REPLACED = "file-replaced"
    FILE_PUSHED = "file-pushed"
    FILE_REMOVED = "file-removed"
    FILE_YANKED = "file-yanked"
    FILE_UNYANKED = "file-unyanked"
    RELEASE_REMOVED = "release-removed"
    PROJECT_REMOVED = "project-removed"
    PROJECT_STATUS_CHANGED = "project-status-changed"
    PROJECT_OWNERS_CHANGED = "project-owners-changed"
    PROJECT_REQUESTED = "project-requested"
    PROJECT_REQUEST_DECLINED = "project-request-declined"
    MIRROR_PAGE_CHANGED = "mirror-page-changed"
    MIRROR_FILE_REFUSED = "mirror-file-refused"


OF_MIRRORS = frozenset({EventKind.MIRROR_PAGE_CHANGED, EventKind.MIRROR_FILE_REFUSED})
"""What mirrors record of themselves; everything else is what somebody did."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact: what happened, who did it, from where, and to what.

    `actor` is None for the server itself and for anonymous clients; `token` is the id of the
    token that was used, `address` the client's, `request` the id of the request. `project` is
    None where the whole index is meant. `details` holds JSON values and never a secret.
    """

    kind: EventKind
    actor: UserName | None = None
    user: UserName | None = None
    index: IndexName | None = None
    project: ProjectName | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    token: str | None = None
    address: str | None = None
    request: str | None = None

    @classmethod
    def by(
        cls,
        identity: Identity,
        kind: EventKind,
        *,
        user: UserName | None = None,
        index: IndexName | None = None,
        project: ProjectName | None = None,
        details: Mapping[str, object] | None = None,
    ) -> "Event":
        """What somebody did: the only way to record what a request changes.

        A tool that acts for nobody whom we know is named in the details.
        """
        tool = {} if identity.tool is None else {"by": identity.tool}
        return cls(
            kind,
            actor=identity.user,
            user=user,
            index=index,
            project=project,
            details={**(details or {}), **tool},
            token=identity.token,
            address=identity.address,
            request=identity.request,
        )


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """An event with its place in the order of all changes.

    Events of one commit share its serial and differ in `position` (from 0).
    """

    serial: int
    position: int
    at: datetime
    event: Event
