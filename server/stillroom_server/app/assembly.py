"""Puts one server together: which adapter does what."""

import importlib.metadata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from stillroom_server.builtin.password import Argon2Hasher, ListedPasswords
from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import Trouble
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.access import Access
from stillroom_server.services.accounts import AccountChecks, Authenticator
from stillroom_server.services.audit import Audit, Pruning, Retention
from stillroom_server.services.breakers import Breakers
from stillroom_server.services.catalog import Catalog
from stillroom_server.services.companions import Companions
from stillroom_server.services.downloads import Downloads
from stillroom_server.services.events import EventTeller
from stillroom_server.services.eviction import Eviction
from stillroom_server.services.explanations import Explanations
from stillroom_server.services.fetches import FetchCounter
from stillroom_server.services.file_uses import FileUses
from stillroom_server.services.files import FileService
from stillroom_server.services.groups import GroupService
from stillroom_server.services.guesses import Guesses, GuessLimits
from stillroom_server.services.indexes import IndexService
from stillroom_server.services.memberships import Memberships
from stillroom_server.services.minting import Minting
from stillroom_server.services.mirrors import Mirrors
from stillroom_server.services.owners import Owners
from stillroom_server.services.pages import Pages
from stillroom_server.services.passwords import PasswordGuard, PasswordMemory
from stillroom_server.services.ports import (
    BlobStore,
    Database,
    IdentityTokens,
    Inspector,
    PasswordHasher,
    Upstream,
)
from stillroom_server.services.prefetch import Prefetch
from stillroom_server.services.project_lists import ProjectLists
from stillroom_server.services.publishing import Publishing
from stillroom_server.services.releases import Releases
from stillroom_server.services.statuses import Statuses
from stillroom_server.services.summaries import Summaries
from stillroom_server.services.sweep import Sweep
from stillroom_server.services.token_uses import TokenUses
from stillroom_server.services.tokens import TokenService
from stillroom_server.services.uploads import Uploads
from stillroom_server.services.upstream_states import UpstreamStates
from stillroom_server.services.users import UserService
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.web.application import make_application
from stillroom_server.web.services import Services, WebSettings

from .data_folder import DataFolder
from .settings import Settings
from .upstream_credentials import upstream_credentials

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


def version() -> str:
    """The version of what is installed."""
    return importlib.metadata.version("stillroom")


def database_url(settings: Settings) -> str:
    """The database that the settings mean."""
    return settings.database or DataFolder(settings.data).database_url


@dataclass(frozen=True, slots=True)
class Mirroring:
    """What has to do with mirrors, for servers and for the command line."""

    breakers: Breakers
    mirrors: Mirrors
    lists: ProjectLists
    downloads: Downloads
    file_uses: FileUses
    files: FileService
    eviction: Eviction
    prefetch: Prefetch

    def close(self) -> None:
        """Write down what was noted, and let what goes on in the background end quietly."""
        self.mirrors.close()
        self.lists.close()
        with suppress(Trouble):
            self.file_uses.flush()


@dataclass(frozen=True, slots=True)
class Server:
    """One server, ready to serve."""

    application: "WSGIApplication"
    services: Services
    events: EventTeller
    sweep: Sweep
    pruning: Pruning
    mirroring: Mirroring
    token_uses: TokenUses
    parts: "Adapters"

    def close(self) -> None:
        """End the background work, and let go of the database and of upstreams."""
        self.events.stop()
        self.services.fetches.stop()
        self.mirroring.close()
        with suppress(Trouble):
            self.token_uses.flush()
        self.parts.upstream.close()
        self.parts.identity_tokens.close()
        self.parts.database.close()


@dataclass(frozen=True, slots=True)
class Adapters:
    """What a server stands on; tests put others in place of some."""

    database: SqlDatabase
    store: BlobStore
    upstream: Upstream
    identity_tokens: IdentityTokens
    inspector: Inspector
    hasher: PasswordHasher
    plugins: Plugins


def adapters(settings: Settings, extra_plugins: Mapping[str, object] | None = None) -> Adapters:
    """The real ones. The database must be migrated and the blob store created."""
    from stillroom_server.archives.bounds import ArchiveLimits
    from stillroom_server.archives.inspector import ArchiveInspector
    from stillroom_server.upstream.client import HttpUpstream
    from stillroom_server.upstream.identity_tokens import JwtIdentityTokens
    from stillroom_server.upstream.limits import Limits

    plugins = Plugins(extra_plugins)
    return Adapters(
        database=SqlDatabase(database_url(settings)),
        store=plugins.blob_store(settings.blob_store).open(settings.data),
        upstream=HttpUpstream(
            user_agent=f"stillroom/{version()}",
            limits=Limits(page=settings.upstream_seconds),
            credentials=upstream_credentials(settings),
            private=PrivateUpstreams.parse(settings.private_upstreams),
        ),
        identity_tokens=JwtIdentityTokens(
            user_agent=f"stillroom/{version()}",
            private=PrivateUpstreams.parse(settings.private_upstreams),
        ),
        inspector=ArchiveInspector(ArchiveLimits()),
        hasher=Argon2Hasher(settings.password_hashes_at_once),
        plugins=plugins,
    )


def assemble(settings: Settings, parts: Adapters) -> Server:
    """Build the use cases on the adapters, and the web on the use cases."""
    mirroring = mirroring_of(settings, parts)
    token_uses = TokenUses(parts.database)
    services, sweep = _services(settings, parts, mirroring, token_uses)
    web = WebSettings(
        version=version(),
        outside_url=settings.outside_url or None,
        hosts=settings.hosts,
        trusted_proxies=settings.trusted_proxies,
        page_cache_bytes=settings.page_cache_bytes,
        max_file_size=settings.max_file_size,
    )
    return Server(
        application=make_application(services, web),
        services=services,
        events=EventTeller(parts.database, parts.plugins.listeners()),
        sweep=sweep,
        pruning=pruning_of(settings, parts.database, parts.plugins),
        mirroring=mirroring,
        token_uses=token_uses,
        parts=parts,
    )


def pruning_of(settings: Settings, database: SqlDatabase, plugins: Plugins) -> Pruning:
    """Build what forgets old entries of the journal and old fetches."""
    listeners = [listener.name for listener in plugins.listeners()]
    return Pruning(database, utc_now, _retention(settings), listeners)


def _retention(settings: Settings) -> Retention:
    return Retention(
        audit_days=settings.audit_days,
        fetches_days=settings.fetches_days,
        window=timedelta(seconds=settings.login_window_seconds),
    )


def mirroring_of(settings: Settings, parts: Adapters) -> Mirroring:
    """Build what has to do with mirrors."""
    database, store, upstream = parts.database, parts.store, parts.upstream
    breakers = Breakers()
    mirrors = Mirrors(database, upstream, utc_now, breakers)
    downloads = Downloads(
        database, store, upstream, utc_now, max_size=settings.max_mirrored_file_size
    )
    companions = Companions(database, store, upstream, parts.inspector, mirrors, utc_now)
    file_uses = FileUses(database, utc_now)
    files = FileService(database, store, mirrors, downloads, companions, file_uses, utc_now)
    return Mirroring(
        breakers=breakers,
        mirrors=mirrors,
        lists=ProjectLists(database, upstream, utc_now, breakers),
        downloads=downloads,
        file_uses=file_uses,
        files=files,
        eviction=Eviction(database, store, mirrors, file_uses),
        prefetch=Prefetch(mirrors, files),
    )


def guesses_of(settings: Settings, database: Database) -> Guesses:
    """The limits of wrong passwords, for servers and for the command line."""
    limits = GuessLimits(
        per_user=settings.login_failures_per_user,
        per_address=settings.login_failures_per_address,
        in_all=settings.login_failures,
        window=timedelta(seconds=settings.login_window_seconds),
    )
    return Guesses(database, utc_now, limits)


def user_service(settings: Settings, database: Database, hasher: PasswordHasher) -> UserService:
    """Users, for servers and for the command line."""
    return UserService(
        database,
        hasher,
        utc_now,
        password_length=settings.password_length,
        common_passwords=ListedPasswords(),
    )


def _services(
    settings: Settings, parts: Adapters, mirroring: Mirroring, token_uses: TokenUses
) -> tuple[Services, Sweep]:
    database, store, plugins = parts.database, parts.store, parts.plugins
    memberships = Memberships(database, plugins.group_sources())
    authenticator = Authenticator(
        plugins,
        AccountChecks(database, parts.hasher, utc_now),
        PasswordGuard(PasswordMemory(), guesses_of(settings, database), parts.hasher),
        memberships,
        token_uses,
        utc_now,
    )
    access = Access(database, open_signup=settings.open_signup)
    mirrors, files = mirroring.mirrors, mirroring.files
    pages = Pages(database, mirrors)
    tokens = TokenService(database, authenticator, utc_now, login_seconds=settings.login_seconds)
    services = Services(
        access=access,
        audit=Audit(database, utc_now, _retention(settings)),
        authenticator=authenticator,
        catalog=Catalog(database, pages),
        credentials=plugins.credentials,
        database=database,
        fetches=FetchCounter(database, utc_now),
        files=files,
        groups=GroupService(database, utc_now),
        indexes=IndexService(
            database,
            access,
            plugins.index_types(),
            utc_now,
            default_acl_read=settings.default_acl_read,
            user_mirrors=settings.user_mirrors,
            private_upstreams=PrivateUpstreams.parse(settings.private_upstreams),
        ),
        lists=mirroring.lists,
        minting=Minting(
            database, parts.identity_tokens, tokens, utc_now, audience=settings.oidc_audience
        ),
        owners=Owners(database),
        pages=pages,
        publishing=Publishing(
            database,
            PrivateUpstreams.parse(settings.private_upstreams),
            utc_now,
            user_publishers=settings.user_publishers,
        ),
        releases=Releases(database, store, parts.inspector, access, mirrors, files, utc_now),
        explanations=Explanations(database, access, memberships),
        statuses=Statuses(database),
        summaries=Summaries(database, pages, files),
        tokens=tokens,
        uploads=Uploads(
            database, store, parts.inspector, utc_now, max_size=settings.max_file_size
        ),
        upstreams=UpstreamStates(database, access, mirroring.breakers),
        users=user_service(settings, database, parts.hasher),
    )
    return services, Sweep(database, store, utc_now)
