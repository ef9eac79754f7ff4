"""What the views call: the use cases of one server, put together by `app`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillroom_server.domain.identity import Credentials
from stillroom_server.services.access import Access
from stillroom_server.services.accounts import Authenticator
from stillroom_server.services.catalog import Catalog
from stillroom_server.services.files import FileService
from stillroom_server.services.indexes import IndexService
from stillroom_server.services.pages import Pages
from stillroom_server.services.ports import Database
from stillroom_server.services.project_lists import ProjectLists
from stillroom_server.services.releases import Releases
from stillroom_server.services.statuses import Statuses
from stillroom_server.services.summaries import Summaries
from stillroom_server.services.tokens import TokenService
from stillroom_server.services.uploads import Uploads
from stillroom_server.services.upstream_states import UpstreamStates
from stillroom_server.services.users import UserService


@dataclass(frozen=True, slots=True)
class Services:
    """One server's use cases. Nothing in here belongs to a request."""

    access: Access
    authenticator: Authenticator
    catalog: Catalog
    credentials: Callable[[Mapping[str, str]], Credentials | None]
    database: Database
    files: FileService
    indexes: IndexService
    lists: ProjectLists
    pages: Pages
    releases: Releases
    statuses: Statuses
    summaries: Summaries
    tokens: TokenService
    uploads: Uploads
    upstreams: UpstreamStates
    users: UserService


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the web layer needs to know of the settings.

    `outside_url` is the URL that clients use, None where it is the one they ask for;
    `trusted_proxies` are the addresses whose forwarding headers are believed;
    `page_cache_bytes` bounds the rendered pages that are kept in memory.
    """

    version: str
    outside_url: str | None = None
    trusted_proxies: frozenset[str] = frozenset()
    page_cache_bytes: int = 64 * 1024 * 1024
