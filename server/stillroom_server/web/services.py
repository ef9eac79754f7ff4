"""What the views call: the use cases of one server, put together by `app`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillroom_server.domain.identity import Credentials
from stillroom_server.services.access import Access
from stillroom_server.services.accounts import Authenticator
from stillroom_server.services.audit import Audit
from stillroom_server.services.catalog import Catalog
from stillroom_server.services.explanations import Explanations
from stillroom_server.services.fetches import FetchCounter
from stillroom_server.services.files import FileService
from stillroom_server.services.groups import GroupService
from stillroom_server.services.indexes import IndexService
from stillroom_server.services.minting import Minting
from stillroom_server.services.owners import Owners
from stillroom_server.services.pages import Pages
from stillroom_server.services.ports import Database
from stillroom_server.services.project_lists import ProjectLists
from stillroom_server.services.publishing import Publishing
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
    audit: Audit
    authenticator: Authenticator
    catalog: Catalog
    credentials: Callable[[Mapping[str, str]], Credentials | None]
    database: Database
    fetches: FetchCounter
    files: FileService
    groups: GroupService
    indexes: IndexService
    lists: ProjectLists
    minting: Minting
    owners: Owners
    pages: Pages
    publishing: Publishing
    releases: Releases
    explanations: Explanations
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
    `hosts` are the names by which they may call it; `trusted_proxies` are the addresses and
    networks whose forwarding headers are believed; `page_cache_bytes` bounds the rendered pages
    that are kept in memory, `max_file_size` the files that are uploaded.
    """

    version: str
    outside_url: str | None = None
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    page_cache_bytes: int = 64 * 1024 * 1024
    max_file_size: int = 2 * 1024**3
