"""Projects and their releases in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, literal, select, update

from stillroom_server.domain.files import Project, Release
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.services.ports import Clock

from . import schema
from .statements import begins_with, insert_into

_projects = schema.projects
_releases = schema.releases
_files = schema.files
_deleted = schema.deleted_files


class SqlProjects:
    """The port `Projects`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def get(self, index: Index, name: ProjectName) -> Project | None:
        """The project, if it lives there."""
        query = select(_projects).where(_projects.c.index_id == index.id, _projects.c.name == name)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        status = ProjectStatus(Status(row.status), row.status_reason)
        return Project(row.id, index.name, name, row.display_name, row.created, status)

    def ensure(self, index: Index, name: ProjectName, display_name: str, now: datetime) -> Project:
        """The project, created if it does not live there yet."""
        known = self.get(index, name)
        if known is not None:
            return known
        row = {"index_id": index.id, "name": name, "display_name": display_name, "created": now}
        new_id = self._connection.scalar(insert(_projects).values(**row).returning(_projects.c.id))
        return Project(new_id, index.name, name, display_name, now)

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        """The names of all projects that live in these stages, sorted, each once.

        With a prefix, those that begin so.
        """
        named = begins_with(_projects.c.name, prefix)
        query = select(_projects.c.name).where(_within(indexes), named).distinct().order_by("name")
        return [ProjectName(name) for name in self._connection.scalars(query)]

    def holders(self, indexes: Sequence[Index], name: ProjectName) -> set[int]:
        """The ids of those stages in which the project lives."""
        query = select(_projects.c.index_id).where(_projects.c.name == name, _within(indexes))
        return set(self._connection.scalars(query))

    def set_status(self, project: Project, status: ProjectStatus) -> None:
        """Store a project's status."""
        statement = update(_projects).where(_projects.c.id == project.id)
        self._connection.execute(
            statement.values(status=status.status.value, status_reason=status.reason)
        )

    def delete(self, project: Project) -> None:
        """Delete a project with its releases and files, whose names stay known as used."""
        self._remember_keys(_files.c.project_id == project.id)
        self._connection.execute(delete(_projects).where(_projects.c.id == project.id))

    def releases(self, project: Project) -> list[Release]:
        """Its releases with their metadata, oldest first."""
        query = select(_releases).where(_releases.c.project_id == project.id).order_by("id")
        rows = self._connection.execute(query)
        return [Release(project.name, row.version, row.metadata) for row in rows]

    def set_release(
        self, project: Project, version: str, metadata: Mapping[str, MetadataValue]
    ) -> None:
        """Create the release or replace its metadata."""
        statement = insert_into(self._connection, _releases).values(
            project_id=project.id, version=version, metadata=dict(metadata)
        )
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["project_id", "version"],
                set_={"metadata": statement.excluded.metadata},
            )
        )

    def delete_release(self, project: Project, version: str) -> None:
        """Delete a release with its files, whose names stay known as used."""
        of_release = (_files.c.project_id == project.id) & (_files.c.version == version)
        self._remember_keys(of_release)
        self._connection.execute(delete(_files).where(of_release))
        self._connection.execute(
            delete(_releases).where(
                _releases.c.project_id == project.id, _releases.c.version == version
            )
        )

    def _remember_keys(self, condition: ColumnElement[bool]) -> None:
        now = literal(self._clock(), _deleted.c.deleted.type)
        gone = select(_files.c.index_id, _files.c.key, now).where(condition)
        statement = insert_into(self._connection, _deleted).from_select(
            ["index_id", "key", "deleted"], gone
        )
        self._connection.execute(statement.on_conflict_do_nothing())


def _within(indexes: Sequence[Index]) -> ColumnElement[bool]:
    return _projects.c.index_id.in_([index.id for index in indexes])
