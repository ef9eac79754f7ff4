"""The repositories of a unit in memory; see `support.fakes`."""

import copy
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.files import Blob, File, NewFile, Project, Release, Yanked
from stillroom_server.domain.identity import Group, Token, TokenKind, TokenLimits, User
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.options import Options
from stillroom_server.domain.publishing import Issuer, Publisher
from stillroom_server.domain.status import ProjectStatus
from stillroom_server.domain.upstream import CachedPage, KeptFile, NameList, Validators
from stillroom_server.services.ports import (
    Clock,
    FetchKey,
    FileKey,
    ProjectRequest,
)

_ids = itertools.count(1)


@dataclass
class Tables:
    """All rows. Values are frozen, so that copying the dicts is a snapshot."""

    serial: int = 0
    users: dict[int, User] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    guesses: dict[int, tuple[str, str, datetime]] = field(default_factory=dict)
    indexes: dict[int, Index] = field(default_factory=dict)
    projects: dict[int, Project] = field(default_factory=dict)
    owners: dict[tuple[int, ProjectName], frozenset[str]] = field(default_factory=dict)
    requests: dict[tuple[int, ProjectName, int], ProjectRequest] = field(default_factory=dict)
    releases: dict[tuple[int, str], Release] = field(default_factory=dict)
    files: dict[int, File] = field(default_factory=dict)
    deleted: set[tuple[IndexName, str]] = field(default_factory=set)
    blobs: dict[str, Blob] = field(default_factory=dict)
    pages: dict[tuple[int, ProjectName], CachedPage] = field(default_factory=dict)
    kept: dict[tuple[int, ProjectName, str], KeptFile] = field(default_factory=dict)
    lists: dict[int, "FakeList"] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    cursors: dict[str, int] = field(default_factory=dict)
    fetches: dict[FetchKey, int] = field(default_factory=dict)
    issuers: dict[str, Issuer] = field(default_factory=dict)
    publishers: dict[str, Publisher] = field(default_factory=dict)
    used: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def snapshot(self) -> "Tables":
        return Tables(
            **{f.name: copy.copy(getattr(self, f.name)) for f in dataclasses.fields(self)}
        )


class Repository:
    def __init__(self, tables: Tables, *, writable: bool) -> None:
        self._tables = tables
        self._writable = writable

    @property
    def _to_write(self) -> Tables:
        if not self._writable:
            raise RuntimeError("this unit only reads")
        return self._tables


class FakeUsers(Repository):
    def get(self, name: UserName) -> User | None:
        return next((user for user in self._tables.users.values() if user.name == name), None)

    def all(self) -> list[User]:
        return sorted(self._tables.users.values(), key=lambda user: user.name)

    def add(self, user: User) -> User:
        tables = self._to_write
        if self.get(user.name):
            raise Conflict(f"user: {user.name} exists already")
        added = replace(user, id=next(_ids))
        tables.users[added.id] = added
        return added

    def change(self, user: User) -> None:
        if user.id not in self._to_write.users:
            raise NotFound(f"user: {user.name} does not exist")
        self._to_write.users[user.id] = user

    def delete(self, user: User) -> None:
        tables = self._to_write
        if any(index.name.user == user.name for index in tables.indexes.values()):
            raise Conflict(f"user: {user.name} still owns indexes")
        tables.users.pop(user.id, None)
        tables.requests = {k: one for k, one in tables.requests.items() if k[2] != user.id}
        tables.tokens = {k: t for k, t in tables.tokens.items() if t.user != user.name}
        tables.publishers = {k: p for k, p in tables.publishers.items() if p.user != user.name}
        tables.groups = {
            key: replace(group, members=tuple(m for m in group.members if m != user.name))
            for key, group in tables.groups.items()
        }


def _listed(publishers: str | None) -> list[str]:
    return (publishers or "").split(",")


class FakeTokens(Repository):
    def add(self, token: Token) -> None:
        tables = self._to_write
        if all(user.name != token.user for user in tables.users.values()):
            raise Conflict(f"user: {token.user} does not exist")
        tables.tokens[token.id] = token

    def by_digest(self, digest: bytes) -> Token | None:
        return next((t for t in self._tables.tokens.values() if t.digest == digest), None)

    def get(self, user: UserName, token_id: str) -> Token | None:
        return next((token for token in self.of_user(user) if token.id == token_id), None)

    def of_user(self, user: UserName) -> list[Token]:
        own = [token for token in self._tables.tokens.values() if token.user == user]
        return sorted(own, key=lambda token: (token.created, token.id))

    def count(self, user: UserName, kind: TokenKind) -> int:
        return sum(token.kind is kind for token in self.of_user(user))

    def naming(self, index: IndexName) -> list[Token]:
        tokens = [
            t for t in self._tables.tokens.values() if t.limits and index in t.limits.indexes
        ]
        return sorted(tokens, key=lambda token: (token.created, token.id))

    def made_for(self, publisher: str) -> list[Token]:
        made = [t for t in self._tables.tokens.values() if publisher in _listed(t.publisher)]
        return sorted(made, key=lambda token: (token.created, token.id))

    def limit(self, token: Token, limits: TokenLimits) -> None:
        self._to_write.tokens[token.id] = replace(token, limits=limits)

    def delete(self, user: UserName, token_id: str) -> bool:
        return self._delete(lambda token: token.user == user and token.id == token_id) > 0

    def delete_all(self, user: UserName) -> int:
        return self._delete(lambda token: token.user == user)

    def delete_expired(self, now: datetime) -> int:
        return self._delete(lambda token: token.expires < now)

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        tokens = self._to_write.tokens
        for token_id, used in uses.items():
            token = tokens.get(token_id)
            if token is not None and (token.used is None or token.used < used):
                tokens[token_id] = replace(token, used=used)

    def _delete(self, matches: Callable[[Token], bool]) -> int:
        gone = [token.id for token in self._to_write.tokens.values() if matches(token)]
        for token_id in gone:
            del self._to_write.tokens[token_id]
        return len(gone)


class FakeIndexes(Repository):
    def get(self, name: IndexName) -> Index | None:
        return next((index for index in self.all() if index.name == name), None)

    def with_bases(self, name: IndexName) -> list[Index]:
        found: dict[IndexName, Index] = {}
        waiting = [name]
        while waiting:
            index = self.get(waiting.pop())
            if index is not None and index.name not in found:
                found[index.name] = index
                waiting += index.bases
        return list(found.values())

    def lists(self, name: IndexName, option: str, principal: str, *, with_bases: bool) -> bool:
        index = self.get(name)
        if index is None or principal not in index.acl(option):
            return False
        return not with_bases or all(
            principal in base.acl(option) for base in self.with_bases(name)
        )

    def of_user(self, user: UserName) -> list[Index]:
        return [index for index in self.all() if index.name.user == user]

    def all(self) -> list[Index]:
        return sorted(self._tables.indexes.values(), key=lambda index: index.name)

    def add(
        self,
        name: IndexName,
        index_type: str,
        options: Options,
        created: datetime,
        *,
        has_upstream: bool,
    ) -> Index:
        tables = self._to_write
        if all(user.name != name.user for user in tables.users.values()):
            raise NotFound(f"user: {name.user} does not exist")
        if self.get(name):
            raise Conflict(f"index: {name} exists already")
        return self._store(Index(next(_ids), name, index_type, options, created, has_upstream))

    def change(self, index: Index, options: Options) -> Index:
        if index.id not in self._to_write.indexes:
            raise NotFound(f"index: {index.name} does not exist")
        return self._store(replace(index, options=options))

    def naming(self, principal: str) -> list[Index]:
        lists = {index.id: index.options.values() for index in self.all()}
        named = {
            index_id
            for index_id, values in lists.items()
            if any(isinstance(value, tuple) and principal in value for value in values)
        }
        return [index for index in self.all() if index.id in named]

    def change_lists(self, changes: Sequence[tuple[Index, Options]]) -> None:
        for index, options in changes:
            kept = {key: value for key, value in index.options.items() if key == "bases"}
            self.change(index, {**options, **kept})

    def delete(self, index: Index) -> None:
        tables = self._to_write
        if set(self.heirs(index.name)) - {index.name}:
            raise Conflict(f"index: something inherits from {index.name}")
        tables.indexes.pop(index.id, None)
        for project in [p for p in tables.projects.values() if p.index == index.name]:
            _delete_project(tables, project)
        tables.deleted = {(owner, key) for owner, key in tables.deleted if owner != index.name}
        tables.pages = {k: page for k, page in tables.pages.items() if k[0] != index.id}
        tables.kept = {k: file for k, file in tables.kept.items() if k[0] != index.id}
        tables.lists = {k: one for k, one in tables.lists.items() if one.index_id != index.id}
        tables.owners = {k: own for k, own in tables.owners.items() if k[0] != index.id}
        tables.publishers = {k: p for k, p in tables.publishers.items() if p.index != index.name}
        tables.requests = {k: one for k, one in tables.requests.items() if k[0] != index.id}

    def heirs(self, name: IndexName) -> list[IndexName]:
        return [index.name for index in self.all() if name in index.bases]

    def _store(self, index: Index) -> Index:
        for base in index.bases:
            if self.get(base) is None:
                raise NotFound(f"bases: {base} does not exist")
        stored = replace(index, options=dict(index.options))
        self._to_write.indexes[index.id] = stored
        return stored


class FakeProjects(Repository):
    def get(self, index: Index, name: ProjectName) -> Project | None:
        projects = self._tables.projects.values()
        return next((p for p in projects if (p.index, p.name) == (index.name, name)), None)

    def ensure(self, index: Index, name: ProjectName, display_name: str, now: datetime) -> Project:
        tables = self._to_write
        known = self.get(index, name)
        if known:
            return known
        if index.id not in tables.indexes:
            raise Conflict(f"index: {index.name} does not exist")
        project = Project(next(_ids), index.name, name, display_name, now)
        tables.projects[project.id] = project
        return project

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        owners = {index.name for index in indexes}
        names = {p.name for p in self._tables.projects.values() if p.index in owners}
        return sorted(name for name in names if name.startswith(prefix))

    def holders(self, indexes: Sequence[Index], name: ProjectName) -> set[int]:
        return {index.id for index in indexes if self.get(index, name)}

    def set_status(self, project: Project, status: ProjectStatus) -> None:
        projects = self._to_write.projects
        if project.id in projects:
            projects[project.id] = replace(projects[project.id], status=status)

    def delete(self, project: Project) -> None:
        _delete_project(self._to_write, project)

    def releases(self, project: Project) -> list[Release]:
        return [r for (owner, _), r in self._tables.releases.items() if owner == project.id]

    def set_release(
        self, project: Project, version: str, metadata: Mapping[str, MetadataValue]
    ) -> None:
        release = Release(project.name, version, dict(metadata))
        self._to_write.releases[project.id, version] = release

    def delete_release(self, project: Project, version: str) -> None:
        self._to_write.releases.pop((project.id, version), None)
        of_release = [f for f in _files_of(self._tables, project) if f.version == version]
        _delete_files(self._to_write, of_release)


class FakeFiles(Repository):
    def of_project(self, index: Index, name: ProjectName) -> list[File]:
        return [file for file in self._in(index) if file.project == name]

    def get(self, index: Index, filename: str) -> File | None:
        return next((file for file in self._in(index) if file.filename == filename), None)

    def by_key(self, index: Index, key: str) -> File | None:
        return next((file for file in self._in(index) if file.key == key), None)

    def add(self, project: Project, file: NewFile) -> File:
        tables = self._to_write
        if project.id not in tables.projects:
            raise Conflict(f"{project.name} was deleted")
        if any(
            other.index == project.index
            and (other.key == file.key or other.filename == file.filename)
            for other in tables.files.values()
        ):
            raise Conflict(f"File already exists: {file.filename}")
        _link(tables, file.sha256, file.size)
        if file.metadata_sha256 is not None and file.metadata_size is not None:
            _link(tables, file.metadata_sha256, file.metadata_size)
        own = {f.name: getattr(file, f.name) for f in dataclasses.fields(file)}
        added = File(id=next(_ids), index=project.index, project=project.name, **own)
        tables.files[added.id] = added
        return added

    def delete(self, file: File, deleted: datetime) -> None:
        _delete_files(self._to_write, [file])

    def was_deleted(self, index: Index, key: str) -> bool:
        return (index.name, key) in self._tables.deleted

    def set_yanked(self, files: Sequence[File], yanked: Yanked) -> None:
        for file in files:
            self._to_write.files[file.id] = replace(file, yanked=yanked)

    def _in(self, index: Index) -> Iterator[File]:
        return (file for file in self._tables.files.values() if file.index == index.name)


class FakeBlobs(Repository):
    def link(self, sha256: str, size: int) -> None:
        _link(self._to_write, sha256, size)

    def get(self, sha256: str) -> Blob | None:
        return self._tables.blobs.get(sha256)

    def unreferenced(self) -> list[Blob]:
        free = [blob for blob in self._unreferenced(self._tables) if blob.doomed is None]
        return sorted(free, key=lambda blob: blob.sha256)

    def doom_unreferenced(self, now: datetime) -> int:
        fated = [b for b in self._unreferenced(self._to_write) if b.doomed is None]
        for blob in fated:
            self._to_write.blobs[blob.sha256] = replace(blob, doomed=now)
        return len(fated)

    def doom_unknown(self, sha256: str, size: int, now: datetime) -> bool:
        if sha256 in self._to_write.blobs:
            return False
        self._to_write.blobs[sha256] = Blob(sha256, size, doomed=now)
        return True

    def doomed(self, before: datetime) -> list[Blob]:
        marked = [(b.doomed, b) for b in self._unreferenced(self._tables) if b.doomed]
        return [blob for when, blob in sorted(marked, key=lambda m: m[0]) if when < before]

    def delete(self, sha256: str) -> bool:
        if not any(b.doomed and b.sha256 == sha256 for b in self._unreferenced(self._to_write)):
            return False
        del self._to_write.blobs[sha256]
        return True

    def _unreferenced(self, tables: Tables) -> list[Blob]:
        used = {file.sha256 for file in tables.files.values()}
        used |= {file.metadata_sha256 or "" for file in tables.files.values()}
        used |= {file.sha256 for file in tables.kept.values()}
        return [blob for blob in tables.blobs.values() if blob.sha256 not in used]


class FakeMirrorPages(Repository):
    def get(self, index: Index, project: ProjectName) -> CachedPage | None:
        return self._tables.pages.get((index.id, project))

    def put(self, index: Index, page: CachedPage) -> None:
        self._to_write.pages[index.id, page.project] = page

    def expire(self, index: Index) -> None:
        tables = self._to_write
        for key, page in list(tables.pages.items()):
            if key[0] == index.id:
                long_ago = datetime.fromtimestamp(0, UTC)
                tables.pages[key] = replace(page, checked=long_ago, validators=Validators())

    def touch(self, index: Index, project: ProjectName, checked: datetime) -> None:
        page = self._to_write.pages[index.id, project]
        self._to_write.pages[index.id, project] = replace(page, checked=checked)

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        ids = {index.id for index in indexes}
        names = {n for (i, n), page in self._tables.pages.items() if i in ids and page.exists}
        return sorted(name for name in names if name.startswith(prefix))

    def delete(self, index: Index, project: ProjectName) -> bool:
        tables = self._to_write
        gone = [key for key in tables.kept if key[:2] == (index.id, project)]
        for key in gone:
            del tables.kept[key]
        return tables.pages.pop((index.id, project), None) is not None or bool(gone)

    def kept(self, index: Index, project: ProjectName) -> list[KeptFile]:
        own = [file for k, file in self._tables.kept.items() if k[:2] == (index.id, project)]
        return sorted(own, key=lambda file: file.filename)

    def keep(self, index: Index, project: ProjectName, file: KeptFile) -> None:
        _link(self._to_write, file.sha256, file.size)
        self._to_write.kept[index.id, project, file.filename] = file

    def forget_kept(self, index: Index, project: ProjectName, filename: str) -> bool:
        return self._to_write.kept.pop((index.id, project, filename), None) is not None

    def note_uses(self, uses: Mapping[FileKey, datetime]) -> None:
        kept = self._to_write.kept
        for key, used in uses.items():
            place = (key.index_id, key.project, key.filename)
            if place in kept and kept[place].used < used:
                kept[place] = replace(kept[place], used=used)

    def kept_bytes(self, index: Index) -> int:
        return sum(file.size for key, file in self._tables.kept.items() if key[0] == index.id)

    def least_used(self, index: Index, limit: int) -> list[tuple[ProjectName, KeptFile]]:
        own = [(key[1], file) for key, file in self._tables.kept.items() if key[0] == index.id]
        return sorted(own, key=lambda pair: (pair[1].used, pair[0], pair[1].filename))[:limit]


@dataclass(frozen=True)
class FakeList:
    """A list of names that holds, or grows or holds no more since `changed`."""

    index_id: int
    changed: datetime
    names: frozenset[ProjectName] = frozenset()
    holds: NameList | None = None


class FakeMirrorNames(Repository):
    def __init__(self, tables: Tables, clock: Clock, *, writable: bool) -> None:
        super().__init__(tables, writable=writable)
        self._clock = clock

    def current(self, index: Index) -> NameList | None:
        lists = self._tables.lists.values()
        return next((one.holds for one in lists if one.holds and one.index_id == index.id), None)

    def begin(self, index: Index, now: datetime) -> int:
        tables = self._to_write
        if index.id not in tables.indexes:
            raise Conflict(f"index: {index.name} does not exist")
        list_id = next(_ids)
        tables.lists[list_id] = FakeList(index.id, now)
        return list_id

    def add(self, list_id: int, names: Sequence[ProjectName]) -> None:
        lists = self._to_write.lists
        if list_id not in lists:
            raise Conflict("the list was dropped")
        lists[list_id] = replace(lists[list_id], names=lists[list_id].names.union(names))

    def count(self, list_id: int) -> int:
        return len(self._names(list_id))

    def complete(self, index: Index, names: NameList) -> None:
        lists = self._to_write.lists
        if names.id not in lists:
            raise Conflict("the list was dropped")
        self.expire(index)
        lists[names.id] = replace(lists[names.id], holds=names)

    def touch(self, names: NameList, checked: datetime) -> None:
        lists = self._to_write.lists
        known = lists[names.id].holds
        if known is not None:
            lists[names.id] = replace(lists[names.id], holds=replace(known, fetched=checked))

    def expire(self, index: Index) -> None:
        lists = self._to_write.lists
        for list_id, one in list(lists.items()):
            if one.index_id == index.id and one.holds:
                lists[list_id] = replace(one, changed=self._clock(), holds=None)

    def after(self, list_id: int, name: str, limit: int) -> list[ProjectName]:
        return sorted(other for other in self._names(list_id) if other > name)[:limit]

    def with_prefix(self, list_id: int, prefix: str, limit: int) -> list[ProjectName]:
        return sorted(n for n in self._names(list_id) if n.startswith(prefix))[:limit]

    def discard(self, list_id: int, limit: int) -> int:
        return self._delete(lambda key, _one: key == list_id, limit)

    def drop(self, before: datetime, limit: int) -> int:
        return self._delete(lambda _key, one: one.changed < before, limit)

    def _delete(self, matches: Callable[[int, FakeList], bool], limit: int) -> int:
        lists = self._to_write.lists
        deleted = 0
        for list_id, one in list(lists.items()):
            if one.holds is None and matches(list_id, one):
                gone = sorted(one.names)[: limit - deleted]
                deleted += len(gone)
                lists[list_id] = replace(one, names=one.names.difference(gone))
                if not lists[list_id].names:
                    del lists[list_id]
        return deleted

    def _names(self, list_id: int) -> frozenset[ProjectName]:
        known = self._tables.lists.get(list_id)
        return known.names if known else frozenset()


def _link(tables: Tables, sha256: str, size: int) -> None:
    tables.blobs[sha256] = replace(tables.blobs.get(sha256, Blob(sha256, size)), doomed=None)


def _files_of(tables: Tables, project: Project) -> list[File]:
    place = (project.index, project.name)
    return [file for file in tables.files.values() if (file.index, file.project) == place]


def _delete_files(tables: Tables, files: Iterable[File]) -> None:
    for file in files:
        if tables.files.pop(file.id, None):
            tables.deleted.add((file.index, file.key))


def _delete_project(tables: Tables, project: Project) -> None:
    _delete_files(tables, _files_of(tables, project))
    tables.projects.pop(project.id, None)
    tables.releases = {k: r for k, r in tables.releases.items() if k[0] != project.id}
