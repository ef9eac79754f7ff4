"""The use cases on adapters in memory, or on others, without the web."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.distributions import parse_filename
from stillroom_server.domain.events import Event
from stillroom_server.domain.identity import Credentials, Identity, TokenKind, TokenLimits
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.upstream import UpstreamFile
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.access import Access
from stillroom_server.services.accounts import AccountChecks, Authenticator
from stillroom_server.services.breakers import Breakers
from stillroom_server.services.catalog import Catalog
from stillroom_server.services.companions import Companions
from stillroom_server.services.downloads import Downloads
from stillroom_server.services.eviction import Eviction
from stillroom_server.services.explanations import Explanations
from stillroom_server.services.file_uses import FileUses
from stillroom_server.services.files import Address, Content, FileService
from stillroom_server.services.groups import GroupService
from stillroom_server.services.guesses import Guesses, GuessLimits
from stillroom_server.services.indexes import IndexService
from stillroom_server.services.linking import Outcome
from stillroom_server.services.memberships import Memberships
from stillroom_server.services.mirrors import Mirrors
from stillroom_server.services.owners import Owners
from stillroom_server.services.pages import Pages
from stillroom_server.services.passwords import PasswordGuard, PasswordMemory
from stillroom_server.services.ports import Unit
from stillroom_server.services.prefetch import Prefetch
from stillroom_server.services.project_lists import ProjectLists
from stillroom_server.services.releases import Releases
from stillroom_server.services.setup import set_up
from stillroom_server.services.statuses import Statuses
from stillroom_server.services.sweep import Sweep
from stillroom_server.services.token_uses import TokenUses
from stillroom_server.services.tokens import IssuedToken, TokenService, fresh_secret
from stillroom_server.services.uploads import Uploads
from stillroom_server.services.users import UserService

from .clock import SetClock
from .distributions import Distribution
from .fake_archives import FakeInspector, a_form
from .fake_upstream import FakeUpstream
from .fakes import FakeDatabase, MemoryBlobStore
from .servers import QuickHasher
from .values import INDEX_TYPES, an_upstream_file

ROOT = Identity(user=UserName("root"))
DEV = Identity(user=UserName("dev"))
NOBODY = Identity()
PASSWORD = "long enough"
NO_GUESS_LIMITS = GuessLimits(10**6, 10**6, 10**6, timedelta(minutes=5))


class UseCases:
    """All services of one server, with the user `dev` and the mirror `root/pypi`.

    What stands in the place of an adapter can be given by its name; the rest is in memory.
    """

    def __init__(self, **adapters: Any) -> None:
        self.clock: SetClock = adapters.get("clock") or SetClock()
        self.database = adapters.get("database") or FakeDatabase(self.clock)
        self.store = adapters.get("store") or MemoryBlobStore(self.clock)
        self.upstream: FakeUpstream = adapters.get("upstream") or FakeUpstream()
        self.hasher: QuickHasher = adapters.get("hasher") or QuickHasher()
        self.inspector = adapters.get("inspector") or FakeInspector()
        self.guess_limits: GuessLimits = adapters.get("guess_limits") or NO_GUESS_LIMITS
        self._build(adapters.get("plugins") or Plugins(), open_signup=False)
        set_up(
            self.database,
            self.hasher,
            self.clock,
            password=PASSWORD,
            mirror=INDEX_TYPES["mirror"],
            mirror_url="http://127.0.0.1:9/simple/",
        )
        self.users.create(ROOT, UserName("dev"), {"password": PASSWORD})

    def _build(self, plugins: Plugins, *, open_signup: bool) -> None:
        database, store, clock = self.database, self.store, self.clock
        self.token_uses = TokenUses(database)
        self.guesses = Guesses(database, clock, self.guess_limits)
        self.memberships = Memberships(database, plugins.group_sources())
        self.authenticator = Authenticator(
            plugins,
            AccountChecks(database, self.hasher, clock),
            PasswordGuard(PasswordMemory(), self.guesses, self.hasher),
            self.memberships,
            self.token_uses,
            clock,
        )
        self.access = Access(database, open_signup=open_signup)
        self.breakers = Breakers()
        self.mirrors = Mirrors(database, self.upstream, clock, self.breakers)
        self.lists = ProjectLists(database, self.upstream, clock, self.breakers)
        self.pages = Pages(database, self.mirrors)
        self.downloads = Downloads(
            database, store, self.upstream, clock, max_size=10_000_000, sleep=lambda _seconds: None
        )
        self.companions = Companions(
            database, store, self.upstream, self.inspector, self.mirrors, clock
        )
        self.file_uses = FileUses(database, clock)
        self.files = FileService(
            database, store, self.mirrors, self.downloads, self.companions, self.file_uses, clock
        )
        self.eviction = Eviction(database, store, self.mirrors, self.file_uses)
        self.prefetch = Prefetch(self.mirrors, self.files)
        self.catalog = Catalog(database, self.pages)
        self.groups = GroupService(database, clock)
        self.indexes = IndexService(
            database,
            self.access,
            INDEX_TYPES,
            clock,
            default_acl_read=(":AUTHENTICATED:",),
            user_mirrors=False,
            private_upstreams=PrivateUpstreams.parse(["127.0.0.1", "localhost"]),
        )
        self.releases = Releases(
            database, store, self.inspector, self.access, self.mirrors, self.files, clock
        )
        self.owners = Owners(database)
        self.explanations = Explanations(database, self.access, self.memberships)
        self.statuses = Statuses(database)
        self.tokens = TokenService(database, self.authenticator, clock, login_seconds=3600)
        self.uploads = Uploads(database, store, self.inspector, clock, max_size=100_000)
        self.users = UserService(
            database, self.hasher, clock, password_length=8, common_passwords={"sunshine"}
        )
        self.sweep = Sweep(database, store, clock)

    # What tests ask in few words

    def index(self, name: str, *bases: str, identity: Identity = DEV, **options: Any) -> Index:
        """Create a stage."""
        return self.indexes.create(
            identity, IndexName.parse(name), {"bases": list(bases), **options}
        )

    def lineage(self, name: str) -> Lineage:
        """The lineage of an index."""
        return self.access.lineage(IndexName.parse(name))

    def upload(
        self, index: str, archive: Distribution, *, identity: Identity = DEV, **changes: object
    ) -> Outcome:
        """Upload an archive, with changes to the form."""
        with self.uploads.receive() as incoming:
            incoming.write(archive.content)
            form = a_form(archive, **changes)
            return self.uploads.add(identity, IndexName.parse(index), form, incoming)

    def listed(self, archive: Distribution, **values: Any) -> UpstreamFile:
        """Put an archive on the upstream's page of its project, alone."""
        said = {"hashes": {"sha256": archive.sha256}, "size": len(archive.content), **values}
        file = an_upstream_file(archive.filename, **said)
        self.upstream.offer(parse_filename(archive.filename).project, file)
        self.upstream.put(file, archive.content)
        return file

    def filenames(self, index: str, project: str = "demo") -> list[str]:
        """The names of the files on a page."""
        page = self.pages.project(self.lineage(index), ProjectName(project)).page
        return [file.filename for file in page.files]

    def content(self, index: str, archive: Distribution, *, suffix: str = "") -> bytes:
        """The bytes behind the URL of a file."""
        project = parse_filename(archive.filename).project
        address = Address.of(project, archive.sha256, archive.filename + suffix)
        content = self.files.content(self.lineage(index), address)
        assert isinstance(content, Content)
        blob = content.open()
        if blob is None:
            return b"".join(content.follow(0, content.size))
        with blob:
            return blob.read()

    def issue(
        self,
        identity: Identity,
        kind: TokenKind,
        limits: TokenLimits | None,
        seconds: int = 60,
        publisher: str | None = None,
    ) -> IssuedToken:
        """A token that nobody asked for."""
        fresh = fresh_secret()
        with self.database.writing() as unit:
            return self.tokens.issue_in(
                unit, fresh, identity, kind, limits, seconds, "", publisher=publisher
            )

    def login(self, user: str = "dev") -> IssuedToken:
        """A token by password."""
        return self.tokens.login(user, PASSWORD)

    def identify(self, secret: str, user: str | None = None) -> Identity:
        """Who has these credentials."""
        return self.authenticator.identify(Credentials(user=user, secret=secret))

    def journal(self) -> list[str]:
        """The kinds of all events so far, in order."""
        with self.database.reading() as unit:
            return [entry.event.kind.value for entry in unit.journal.since(0, 10_000)]

    def last_event(self) -> Event:
        """The newest event."""
        with self.database.reading() as unit:
            return unit.journal.since(0, 10_000)[-1].event

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """The list is filled with the kinds of the events that the block caused."""
        before = len(self.journal())
        events: list[str] = []
        yield events
        events.extend(self.journal()[before:])

    @contextmanager
    def reading(self) -> Iterator[Unit]:
        """A look into the database."""
        with self.database.reading() as unit:
            yield unit
