"""Puts one server together: which adapter does what."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stillroom_server.builtin.password import Argon2Hasher
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.access import Access
from stillroom_server.services.accounts import AccountChecks, Authenticator, PasswordMemory
from stillroom_server.services.catalog import Catalog
from stillroom_server.services.downloads import Downloads
from stillroom_server.services.events import EventTeller
from stillroom_server.services.files import FileService
from stillroom_server.services.indexes import IndexService
from stillroom_server.services.mirrors import Mirrors
from stillroom_server.services.pages import Pages
from stillroom_server.services.ports import BlobStore, Inspector, PasswordHasher, Upstream
from stillroom_server.services.releases import Releases
from stillroom_server.services.sweep import Sweep
from stillroom_server.services.tokens import TokenService
from stillroom_server.services.uploads import Uploads
from stillroom_server.services.users import UserService
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.web.application import make_application
from stillroom_server.web.services import Services, WebSettings

from .data_folder import DataFolder
from .settings import Settings

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
class Server:
    """One server, ready to serve."""

    application: "WSGIApplication"
    services: Services
    events: EventTeller
    sweep: Sweep
    parts: "Adapters"

    def close(self) -> None:
        """End the background work, and let go of the database and of upstreams."""
        self.events.stop()
        self.parts.upstream.close()
        self.parts.database.close()


@dataclass(frozen=True, slots=True)
class Adapters:
    """What a server stands on; tests put others in place of some."""

    database: SqlDatabase
    store: BlobStore
    upstream: Upstream
    inspector: Inspector
    hasher: PasswordHasher
    plugins: Plugins


def adapters(settings: Settings, extra_plugins: Mapping[str, object] | None = None) -> Adapters:
    """The real ones. The database must be migrated and the blob store created."""
    from stillroom_server.archives.bounds import ArchiveLimits
    from stillroom_server.archives.inspector import ArchiveInspector
    from stillroom_server.upstream.client import HttpUpstream, Limits

    plugins = Plugins(extra_plugins)
    return Adapters(
        database=SqlDatabase(database_url(settings)),
        store=plugins.blob_store(settings.blob_store).open(settings.data),
        upstream=HttpUpstream(
            user_agent=f"stillroom/{version()}", limits=Limits(page=settings.upstream_seconds)
        ),
        inspector=ArchiveInspector(ArchiveLimits()),
        hasher=Argon2Hasher(settings.password_hashes_at_once),
        plugins=plugins,
    )


def assemble(settings: Settings, parts: Adapters) -> Server:
    """Build the use cases on the adapters, and the web on the use cases."""
    services, sweep = _services(settings, parts)
    web = WebSettings(
        version=version(),
        outside_url=settings.outside_url or None,
        trusted_proxies=frozenset(settings.trusted_proxies),
        page_cache_bytes=settings.page_cache_bytes,
    )
    return Server(
        application=make_application(services, web),
        services=services,
        events=EventTeller(parts.database, parts.plugins.listeners()),
        sweep=sweep,
        parts=parts,
    )


def _services(settings: Settings, parts: Adapters) -> tuple[Services, Sweep]:
    database, store, plugins = parts.database, parts.store, parts.plugins
    accounts = AccountChecks(database, PasswordMemory(parts.hasher), utc_now)
    authenticator = Authenticator(plugins, accounts)
    access = Access(database, open_signup=settings.open_signup)
    mirrors = Mirrors(database, parts.upstream, utc_now)
    pages = Pages(database, mirrors)
    downloads = Downloads(database, store, parts.upstream, utc_now)
    files = FileService(database, store, mirrors, downloads)
    services = Services(
        access=access,
        authenticator=authenticator,
        catalog=Catalog(database, pages),
        credentials=plugins.credentials,
        database=database,
        files=files,
        indexes=IndexService(
            database,
            access,
            plugins.index_types(),
            utc_now,
            default_acl_read=settings.default_acl_read,
            user_mirrors=settings.user_mirrors,
        ),
        pages=pages,
        releases=Releases(database, store, parts.inspector, access, mirrors, files, utc_now),
        tokens=TokenService(
            database, authenticator, utc_now, login_seconds=settings.login_seconds
        ),
        uploads=Uploads(
            database, store, parts.inspector, utc_now, max_size=settings.max_file_size
        ),
        users=UserService(
            database, parts.hasher, utc_now, password_length=settings.password_length
        ),
    )
    return services, Sweep(database, store, utc_now)
