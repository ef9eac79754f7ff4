"""Owners of projects, and requests for new ones, in SQL."""

from collections import defaultdict

from sqlalchemy import Connection, delete, exists, insert, select

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import ProjectRequest

from . import schema
from .statements import insert_into

_owners = schema.project_owners
_requests = schema.project_requests
_indexes = schema.indexes
_users = schema.users


class SqlProjectOwners:
    """The port `ProjectOwners`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_project(self, index: Index, project: ProjectName) -> frozenset[str]:
        """The principals that own a project."""
        query = select(_owners.c.principal).where(
            _owners.c.index_id == index.id, _owners.c.project == project
        )
        return frozenset(self._connection.scalars(query))

    def all(self, index: Index) -> dict[ProjectName, frozenset[str]]:
        """The owners of all projects and kept names of a stage, by name."""
        query = (
            select(_owners.c.project, _owners.c.principal)
            .where(_owners.c.index_id == index.id)
            .order_by(_owners.c.project)
        )
        found: dict[ProjectName, set[str]] = defaultdict(set)
        for project, principal in self._connection.execute(query):
            found[project].add(principal)
        return {project: frozenset(owners) for project, owners in found.items()}

    def set(self, index: Index, project: ProjectName, owners: frozenset[str]) -> None:
        """Store the owners of a project; none deletes all rows."""
        self._connection.execute(
            delete(_owners).where(_owners.c.index_id == index.id, _owners.c.project == project)
        )
        rows = [
            {"index_id": index.id, "project": project, "principal": principal}
            for principal in sorted(owners)
        ]
        if rows:
            self._connection.execute(insert(_owners), rows)

    def has(self, principal: str) -> bool:
        """Whether a user or `:group`, who need not exist, owns a project anywhere."""
        query = select(exists().where(_owners.c.principal == principal))
        return bool(self._connection.scalar(query))

    def forget(self, principal: str) -> list[tuple[IndexName, ProjectName]]:
        """Take a user or `:group` that is gone from all projects; from which, in order."""
        query = (
            select(_users.c.name, _indexes.c.name, _owners.c.project)
            .select_from(_owners)
            .join(_indexes)
            .join(_users)
            .where(_owners.c.principal == principal)
            .order_by(_users.c.name, _indexes.c.name, _owners.c.project)
        )
        owned = [
            (IndexName(UserName(user), index), project)
            for user, index, project in self._connection.execute(query)
        ]
        self._connection.execute(delete(_owners).where(_owners.c.principal == principal))
        return owned

    def requests(self, index: Index) -> list[ProjectRequest]:
        """Who asked for what, oldest first."""
        query = (
            select(_requests.c.project, _users.c.name, _requests.c.requested)
            .join(_users)
            .where(_requests.c.index_id == index.id)
            .order_by(_requests.c.requested, _requests.c.project, _users.c.name)
        )
        return [
            ProjectRequest(project, UserName(user), requested)
            for project, user, requested in self._connection.execute(query)
        ]

    def request(self, index: Index, request: ProjectRequest) -> bool:
        """Note a request; False if it was there already. Conflict if its user is gone."""
        user_id = select(_users.c.id).where(_users.c.name == request.user).scalar_subquery()
        statement = insert_into(self._connection, _requests).values(
            index_id=index.id,
            project=request.project,
            user_id=user_id,
            requested=request.requested,
        )
        statement = statement.on_conflict_do_nothing()
        return self._connection.scalar(statement.returning(_requests.c.user_id)) is not None

    def drop_requests(
        self, index: Index, project: ProjectName, user: UserName | None = None
    ) -> int:
        """Delete the requests for a project, or that of one user; how many there were."""
        statement = delete(_requests).where(
            _requests.c.index_id == index.id, _requests.c.project == project
        )
        if user is not None:
            user_id = select(_users.c.id).where(_users.c.name == user).scalar_subquery()
            statement = statement.where(_requests.c.user_id == user_id)
        return self._connection.execute(statement).rowcount
