"""The status of a project (PEP 792): whether it takes uploads, and offers its files."""

import enum
from dataclasses import dataclass


class Status(enum.StrEnum):
    """The markers of PEP 792."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """A status and, where somebody gave one, the reason for it in one line."""

    status: Status = Status.ACTIVE
    reason: str | None = None

    @property
    def takes_uploads(self) -> bool:
        """Whether files may be added."""
        return self.status not in {Status.ARCHIVED, Status.QUARANTINED}

    @property
    def offers_files(self) -> bool:
        """Whether installers may see and fetch its files."""
        return self.status is not Status.QUARANTINED


ACTIVE = ProjectStatus()
"""What a project is unless somebody says otherwise."""
