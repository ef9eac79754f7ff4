"""The database: units of work, and what can be read and written in one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.events import Event, JournalEntry
from stillroom_server.domain.files import Blob, File, NewFile, Project, Release, Yanked
from stillroom_server.domain.identity import Token, TokenKind, TokenLimits, User
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.options import Options
from stillroom_server.domain.status import ProjectStatus
from stillroom_server.domain.upstream import CachedPage, KeptFile, NameList

from .accounts import Groups, PasswordGuesses
from .fetches import Fetches
from .owners import ProjectOwners
from .publishers import Publishers


class Users(Protocol):
    """Accounts."""

    def get(self, name: UserName) -> User | None:
        """The user of that name."""

    def all(self) -> list[User]:
        """All users, by name."""

    def add(self, user: User) -> User:
        """Store a new user (its `id` is ignored); Conflict if the name is taken."""

    def change(self, user: User) -> None:
        """Store all fields of an existing user, found by `id`."""

    def delete(self, user: User) -> None:
        """Delete the user and their tokens. Their indexes must be gone."""


class Tokens(Protocol):
    """Tokens, found by the SHA-256 of the secret."""

    def add(self, token: Token) -> None:
        """Store a new token."""

    def by_digest(self, digest: bytes) -> Token | None:
        """The token with that digest, expired or not."""

    def get(self, user: UserName, token_id: str) -> Token | None:
        """The token of that id, expired or not; None if that user has none of it."""

    def of_user(self, user: UserName) -> list[Token]:
        """A user's tokens, oldest first."""

    def count(self, user: UserName, kind: TokenKind) -> int:
        """How many tokens of a kind a user has."""

    def naming(self, index: IndexName) -> list[Token]:
        """The tokens of all users whose limits name an index, oldest first."""

    def made_for(self, publisher: str) -> list[Token]:
        """The tokens that were made for the trusted publisher of that id, oldest first."""

    def limit(self, token: Token, limits: TokenLimits) -> None:
        """Store other limits for a token."""

    def delete(self, user: UserName, token_id: str) -> bool:
        """Delete one; False if that user has none of that id."""

    def delete_all(self, user: UserName) -> int:
        """Delete all tokens of a user; how many there were."""

    def delete_expired(self, now: datetime) -> int:
        """Delete the tokens that expired before `now`; how many there were."""

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Note when tokens, by id, were last used; takes no serial.

        Tokens that are gone are passed over, and so are times before the one that is known.
        """


class Indexes(Protocol):
    """Indexes and their options. `options` are complete in both directions."""

    def get(self, name: IndexName) -> Index | None:
        """The index of that name."""

    def with_bases(self, name: IndexName) -> list[Index]:
        """The index of that name, and all from which it inherits; nothing if there is none.

        This is one query, whatever is there: its cost tells nobody what is.
        """

    def lists(self, name: IndexName, option: str, principal: str, *, with_bases: bool) -> bool:
        """Whether there is an index whose access list names a user, a `:group` or everyone.

        If `with_bases`, those of all from which it inherits must do so as well. This is one query,
        which looks at nothing else where the index itself does not.
        """

    def of_user(self, user: UserName) -> list[Index]:
        """A user's indexes, by name."""

    def all(self) -> list[Index]:
        """All indexes, by name."""

    def add(
        self,
        name: IndexName,
        index_type: str,
        options: Options,
        created: datetime,
        *,
        has_upstream: bool,
    ) -> Index:
        """Create an index; Conflict if it exists, NotFound if the user does not."""

    def change(self, index: Index, options: Options) -> Index:
        """Store new options."""

    def naming(self, principal: str) -> list[Index]:
        """The indexes that have a user or `:group` in any option, by name; perhaps some more."""

    def change_lists(self, changes: Sequence[tuple[Index, Options]]) -> None:
        """Store new options of many indexes at once, whose bases stay as they are."""

    def delete(self, index: Index) -> None:
        """Delete an index and all that it holds. Nothing may inherit from it."""

    def heirs(self, name: IndexName) -> list[IndexName]:
        """The indexes that have this one among their direct bases, by name."""


class Projects(Protocol):
    """Projects, releases and files of stages."""

    def get(self, index: Index, name: ProjectName) -> Project | None:
        """The project, if it lives there."""

    def ensure(self, index: Index, name: ProjectName, display_name: str, now: datetime) -> Project:
        """The project, created if it does not live there yet."""

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        """The names of all projects that live in these stages, sorted, each once.

        With a prefix, those that begin so.
        """

    def holders(self, indexes: Sequence[Index], name: ProjectName) -> set[int]:
        """The ids of those stages in which the project lives."""

    def set_status(self, project: Project, status: ProjectStatus) -> None:
        """Store a project's status."""

    def delete(self, project: Project) -> None:
        """Delete a project with its releases and files."""

    def releases(self, project: Project) -> list[Release]:
        """Its releases with their metadata, oldest first."""

    def set_release(
        self, project: Project, version: str, metadata: Mapping[str, MetadataValue]
    ) -> None:
        """Create the release or replace its metadata."""

    def delete_release(self, project: Project, version: str) -> None:
        """Delete a release with its files."""


class Files(Protocol):
    """Files of stages."""

    def of_project(self, index: Index, name: ProjectName) -> list[File]:
        """All files of a project in one stage, oldest first."""

    def get(self, index: Index, filename: str) -> File | None:
        """The file of exactly that name."""

    def by_key(self, index: Index, key: str) -> File | None:
        """The file that is the same artefact under any spelling."""

    def add(self, project: Project, file: NewFile) -> File:
        """Add a file and link its blobs; Conflict if its key is taken."""

    def delete(self, file: File, deleted: datetime) -> None:
        """Delete it and remember that its name was used. Its release and project stay."""

    def was_deleted(self, index: Index, key: str) -> bool:
        """Whether a file of that key was in the index once and was deleted."""

    def set_yanked(self, files: Sequence[File], yanked: Yanked) -> None:
        """Yank or unyank."""


class Blobs(Protocol):
    """The rows of blobs. They exist from the moment that content is in the store."""

    def link(self, sha256: str, size: int) -> None:
        """Make sure the row is there and not doomed, in the transaction that refers to it."""

    def get(self, sha256: str) -> Blob | None:
        """The row."""

    def unreferenced(self) -> list[Blob]:
        """The blobs that nothing refers to and that are not marked yet."""

    def doom_unreferenced(self, now: datetime) -> int:
        """Mark every blob that nothing refers to and that is not marked yet; how many."""

    def doom_unknown(self, sha256: str, size: int, now: datetime) -> bool:
        """Give content without a row a doomed one; False if there is a row already."""

    def doomed(self, before: datetime) -> list[Blob]:
        """The blobs marked before that time and still referred to by nothing."""

    def delete(self, sha256: str) -> bool:
        """Delete the row if it is doomed and nothing refers to it; whether it was."""


class MirrorPages(Protocol):
    """What mirrors know: one document per project, and the files whose content is here."""

    def get(self, index: Index, project: ProjectName) -> CachedPage | None:
        """What the upstream last said of the project."""

    def put(self, index: Index, page: CachedPage) -> None:
        """Keep what it says now."""

    def touch(self, index: Index, project: ProjectName, checked: datetime) -> None:
        """Note that the upstream confirmed what is kept."""

    def expire(self, index: Index) -> None:
        """Make all pages of a mirror as if they had to be asked anew.

        What was seen first stays, and so does what is kept.
        """

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        """The projects that exist by the cached pages of these mirrors, sorted, each once.

        With a prefix, those that begin so.
        """

    def delete(self, index: Index, project: ProjectName) -> bool:
        """Forget a project's page and kept files; False if it was not known."""

    def kept(self, index: Index, project: ProjectName) -> list[KeptFile]:
        """The files of the project whose content is here."""

    def keep(self, index: Index, project: ProjectName, file: KeptFile) -> None:
        """Note that a file's content is here, and link its blob."""

    def note_uses(self, uses: Mapping["FileKey", datetime]) -> None:
        """Note when kept files were last used; what is not kept any more is passed over."""

    def kept_bytes(self, index: Index) -> int:
        """How many bytes all that is kept of a mirror takes."""

    def least_used(self, index: Index, limit: int) -> list[tuple[ProjectName, KeptFile]]:
        """Kept files with their projects, those first that were not used for longest."""

    def forget_kept(self, index: Index, project: ProjectName, filename: str) -> bool:
        """Forget that a file's content is here; False if it was not."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """Which file of which mirror."""

    index_id: int
    project: ProjectName
    filename: str


class MirrorNames(Protocol):
    """Upstreams' lists of all their projects, a row per name.

    A new list grows beside the one that holds, in as many units of work as it takes, and becomes
    the one that holds in a single step.
    """

    def current(self, index: Index) -> NameList | None:
        """The list that holds; None if none was ever read to its end."""

    def begin(self, index: Index, now: datetime) -> int:
        """Start a new list; its id."""

    def add(self, list_id: int, names: Sequence[ProjectName]) -> None:
        """Add names to a list; those that it has already change nothing.

        Conflict if the list was dropped.
        """

    def count(self, list_id: int) -> int:
        """How many names a list has."""

    def complete(self, index: Index, names: NameList) -> None:
        """From now on, this list holds; Conflict if it was dropped."""

    def touch(self, names: NameList, checked: datetime) -> None:
        """Note that the upstream confirmed the list."""

    def expire(self, index: Index) -> None:
        """From now on no list holds: the one that did is another upstream's."""

    def after(self, list_id: int, name: str, limit: int) -> list[ProjectName]:
        """The names that follow a name in order; from the first one with an empty name."""

    def with_prefix(self, list_id: int, prefix: str, limit: int) -> list[ProjectName]:
        """The names that begin so, sorted."""

    def discard(self, list_id: int, limit: int) -> int:
        """Delete up to so many names of a list that does not hold; how many.

        A list goes with its last name.
        """

    def drop(self, before: datetime, limit: int) -> int:
        """Delete up to so many names of lists that have not held since a time; how many.

        That is since they were begun, for those that never held. A list goes with its last name.
        """


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries of the journal are wanted; None stands for all.

    `user` is who did something, or to whom it was done. `until` is exclusive; `before` is the
    serial and position of an entry, and means those that came before it.
    """

    index: IndexName | None = None
    project: ProjectName | None = None
    user: UserName | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of old entries: how many were deleted, and how many are blank from now on.

    `reached` is the serial up to which they were looked at.
    """

    deleted: int
    blanked: int
    reached: int


class Journal(Protocol):
    """The numbered record of committed changes."""

    def record(self, event: Event) -> None:
        """Tell this event after the commit. The commit takes one serial for all its events."""

    def since(self, serial: int, limit: int) -> list[JournalEntry]:
        """The entries after a serial, in order; at most `limit`, but whole serials only."""

    def last_change(self, indexes: Iterable[IndexName], project: ProjectName | None) -> int:
        """The serial of the last change to these indexes that a project's page could show.

        That is a change of the project, or of a whole index. With project None: of anything in
        these indexes. 0 if there was none.
        """

    def audit(self, query: AuditQuery, limit: int) -> list[JournalEntry]:
        """What people did, newest first; what mirrors record of themselves is left out."""

    def expired(self, before: datetime, listeners: Collection[str]) -> int:
        """The serial up to which entries may be pruned; 0 where there is nothing to do.

        They are older than `before`, and each of these listeners that has a cursor was told.
        """

    def prune(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        """Forget entries older than `before`, of the serials after one and up to another.

        Up to `limit` of them are looked at, and what else has the serial of the last one. The
        newest of each project of an index, and of each whole index, stays where it is, but says
        no more than what it is about: pages are compared with its serial. Takes no serial.
        """

    def prunable(self, before: datetime, after: int, until: int, limit: int) -> Pruned:
        """What `prune` would do now; may be asked of a unit that only reads."""

    def cursor(self, listener: str) -> int | None:
        """Up to which serial a listener was told; None if it is new."""

    def set_cursor(self, listener: str, serial: int) -> None:
        """Note up to which serial a listener was told. Takes no serial."""


class Unit(Protocol):
    """One transaction. What is written in it is seen by others at once, or not at all."""

    @property
    def users(self) -> Users: ...
    @property
    def groups(self) -> Groups: ...
    @property
    def guesses(self) -> PasswordGuesses: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def indexes(self) -> Indexes: ...
    @property
    def projects(self) -> Projects: ...
    @property
    def owners(self) -> ProjectOwners: ...
    @property
    def files(self) -> Files: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def mirror_pages(self) -> MirrorPages: ...
    @property
    def mirror_names(self) -> MirrorNames: ...
    @property
    def publishers(self) -> Publishers: ...
    @property
    def fetches(self) -> Fetches: ...
    @property
    def journal(self) -> Journal: ...


class Database(Protocol):
    """Opens units of work. Raises StorageBusy when the database cannot be used now.

    No network, archive or hashing work may happen while a unit is open.
    """

    def reading(self) -> AbstractContextManager[Unit]:
        """A consistent snapshot; writing through it is an error."""

    def writing(self) -> AbstractContextManager[Unit]:
        """Commits at the end of the block, rolls back if it raises.

        If events were recorded, the commit's last step takes the next serial, under a lock
        that is held to the commit, and writes the events to the journal.
        """

    def serial(self) -> int:
        """The serial of the last commit that took one. Costs one cheap read."""

    def instance(self) -> str:
        """The id of this database, which its copies have as well."""
