"""The status of a project in a stage (PEP 792): whether it takes uploads, and offers its files."""

from stillroom_server.domain.errors import Forbidden, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus

from .access import lineage_in
from .changes import changing
from .ports import Database


class Statuses:
    """Sets the status of projects. The permission on the index has been checked before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(
        self, identity: Identity, name: IndexName, project: ProjectName, status: ProjectStatus
    ) -> bool:
        """Give a project of a stage a status; whether that changed anything.

        Raises NotFound, and Forbidden for a mirror's project, whose status is the upstream's.
        """
        with changing(self._database, identity) as unit:
            index = lineage_in(unit, name).asked
            if index.has_upstream:
                raise Forbidden(
                    f"Not allowed: {name} is a mirror, whose projects have the status that the "
                    "upstream gives them; use a stage."
                )
            held = unit.projects.get(index, project)
            if held is None:
                raise NotFound(f"There is no project {project} in {name}.")
            if held.status == status:
                return False
            unit.projects.set_status(held, status)
            details = {"status": status.status.value}
            if status.reason is not None:
                details["reason"] = status.reason
            kind = EventKind.PROJECT_STATUS_CHANGED
            unit.journal.record(
                Event.by(identity, kind, index=name, project=project, details=details)
            )
        return True
