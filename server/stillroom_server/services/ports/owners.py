"""What a unit of work holds of the owners of projects."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName


@dataclass(frozen=True, slots=True)
class ProjectRequest:
    """Somebody wants to bring a new project into a stage."""

    project: ProjectName
    user: UserName
    requested: datetime


class ProjectOwners(Protocol):
    """Who owns the projects of stages, and who asked to bring new ones.

    A principal is a user or a `:group`. A name may have owners before the project is there.
    """

    def of_project(self, index: Index, project: ProjectName) -> frozenset[str]:
        """The principals that own a project."""

    def all(self, index: Index) -> dict[ProjectName, frozenset[str]]:
        """The owners of all projects and kept names of a stage."""

    def set(self, index: Index, project: ProjectName, owners: frozenset[str]) -> None:
        """Store the owners of a project; none deletes all rows."""

    def has(self, principal: str) -> bool:
        """Whether a user or `:group`, who need not exist, owns a project anywhere."""

    def forget(self, principal: str) -> list[tuple[IndexName, ProjectName]]:
        """Take a user or `:group` that is gone from all projects; from which, in order."""

    def requests(self, index: Index) -> list[ProjectRequest]:
        """Who asked for what, oldest first."""

    def request(self, index: Index, request: ProjectRequest) -> bool:
        """Note a request; False if it was there already."""

    def drop_requests(
        self, index: Index, project: ProjectName, user: UserName | None = None
    ) -> int:
        """Delete the requests for a project, or that of one user; how many there were."""
