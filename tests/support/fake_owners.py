"""Owners of projects in memory; see `support.fakes`."""

from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import ProjectRequest

from .fake_repositories import Repository


class FakeProjectOwners(Repository):
    def of_project(self, index: Index, project: ProjectName) -> frozenset[str]:
        return self._tables.owners.get((index.id, project), frozenset())

    def all(self, index: Index) -> dict[ProjectName, frozenset[str]]:
        rows = self._tables.owners.items()
        return dict(sorted((key[1], owners) for key, owners in rows if key[0] == index.id))

    def set(self, index: Index, project: ProjectName, owners: frozenset[str]) -> None:
        tables = self._to_write
        if index.id not in tables.indexes:
            raise Conflict(f"index: {index.name} does not exist")
        tables.owners.pop((index.id, project), None)
        if owners:
            tables.owners[index.id, project] = owners

    def has(self, principal: str) -> bool:
        return any(principal in owners for owners in self._tables.owners.values())

    def forget(self, principal: str) -> list[tuple[IndexName, ProjectName]]:
        tables = self._to_write
        owned = [key for key, owners in tables.owners.items() if principal in owners]
        left = {key: owners - {principal} for key, owners in tables.owners.items()}
        tables.owners = {key: owners for key, owners in left.items() if owners}
        return sorted((tables.indexes[index_id].name, project) for index_id, project in owned)

    def requests(self, index: Index) -> list[ProjectRequest]:
        own = [one for key, one in self._tables.requests.items() if key[0] == index.id]
        return sorted(own, key=lambda one: (one.requested, one.project, one.user))

    def request(self, index: Index, request: ProjectRequest) -> bool:
        tables = self._to_write
        user = next((u for u in tables.users.values() if u.name == request.user), None)
        if user is None or index.id not in tables.indexes:
            raise Conflict(f"{request.user} or {index.name} does not exist")
        key = (index.id, request.project, user.id)
        if key in tables.requests:
            return False
        tables.requests[key] = request
        return True

    def drop_requests(
        self, index: Index, project: ProjectName, user: UserName | None = None
    ) -> int:
        requests = self._to_write.requests
        gone = [
            key
            for key, one in requests.items()
            if key[:2] == (index.id, project) and user in {None, one.user}
        ]
        for key in gone:
            del requests[key]
        return len(gone)
