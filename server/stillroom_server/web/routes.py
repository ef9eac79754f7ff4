"""Every address of the server, with the permission that it asks for.

A route that is not in this table does not exist, and a view without a permission cannot be
written here: the table is also what the permission matrix of the tests and the reference page
are made from.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.access import Permission

from .negotiation import JSON, forms_in_url
from .views import (
    access,
    audit,
    files,
    groups,
    indexes,
    legacy_json,
    oidc,
    owners,
    projects,
    publishers,
    search,
    server,
    simple,
    tokens,
    uploads,
    users,
)

NAME = "[^/+][^/]*"
"""An index or project: never begins with `+`, which marks our own words."""
USER = f"(?!_/|\\.well-known/){NAME}"
"""A user. The two are where clients look at the root of any host for what it may have."""
SLASH = "{slash:/?}"
"""With or without a slash at the end: never redirected, because that turns a DELETE into a GET."""

GET = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class View:
    """What answers a method at a route, and the permission that it needs.

    `takes_file` allows a body as large as files may be, and not just as JSON may.
    """

    methods: tuple[str, ...]
    permission: Permission
    view: Callable[[Request], Response]
    content_type: str | None = None
    takes_file: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """An address, and what answers there.

    `simple` marks the addresses of pages under the name `simple`, which a project of that name
    keeps for its JSON view.
    """

    name: str
    pattern: str
    views: tuple[View, ...]
    simple: bool = False


_U = f"/{{user:{USER}}}"
_I = f"{_U}/{{index:{NAME}}}"
_P = f"{_I}/{{project:{NAME}}}"

_UPLOAD = View(("POST",), Permission.UPLOAD, uploads.upload, takes_file=True)

ROUTES = (
    Route("start", "/", (View(GET, Permission.FRONT, server.start),)),
    Route("api", "/+api", (View(GET, Permission.OPEN, server.discovery),)),
    Route("login", "/+login", (View(("POST",), Permission.OPEN, server.login),)),
    Route("status", "/+status", (View(GET, Permission.FRONT, server.status),)),
    Route("live", "/+live", (View(GET, Permission.OPEN, server.live),)),
    Route("ready", "/+ready", (View(GET, Permission.OPEN, server.ready),)),
    Route(
        "groups",
        f"/+groups{SLASH}",
        (View(GET, Permission.USERS_READ, groups.list_groups),),
    ),
    Route(
        "group",
        f"/+groups/{{group:[^/]+}}{SLASH}",
        (
            View(GET, Permission.USERS_READ, groups.show),
            View(("PUT",), Permission.SERVER_ADMIN, groups.create),
            View(("PATCH",), Permission.SERVER_ADMIN, groups.change),
            View(("DELETE",), Permission.SERVER_ADMIN, groups.delete),
        ),
    ),
    Route(
        "audit",
        f"/+audit{SLASH}",
        (View(GET, Permission.SERVER_ADMIN, audit.of_server),),
    ),
    Route(
        "fetches",
        f"/+fetches{SLASH}",
        (View(GET, Permission.SERVER_ADMIN, audit.fetches_of_server),),
    ),
    Route("audience", "/_/oidc/audience", (View(GET, Permission.OPEN, oidc.audience),)),
    Route("mint_token", "/_/oidc/mint-token", (View(("POST",), Permission.OPEN, oidc.mint),)),
    Route("burn_token", "/_/oidc/burn-token", (View(("POST",), Permission.OPEN, oidc.burn),)),
    Route(
        "issuers",
        f"/+issuers{SLASH}",
        (
            View(GET, Permission.SERVER_ADMIN, publishers.list_issuers),
            View(("POST",), Permission.SERVER_ADMIN, publishers.add_issuer),
        ),
    ),
    Route(
        "issuer",
        f"/+issuers/{{issuer}}{SLASH}",
        (View(("DELETE",), Permission.SERVER_ADMIN, publishers.remove_issuer),),
    ),
    Route(
        "all_publishers",
        f"/+publishers{SLASH}",
        (View(GET, Permission.SERVER_ADMIN, publishers.list_all),),
    ),
    Route("user_api", f"{_U}/+api", (View(GET, Permission.OPEN, server.discovery),)),
    Route("index_api", f"{_I}/+api", (View(GET, Permission.OPEN, server.discovery),)),
    Route(
        "tokens",
        f"{_U}/+tokens{SLASH}",
        (
            View(GET, Permission.TOKENS, tokens.list_tokens),
            View(("POST",), Permission.TOKENS, tokens.create),
        ),
    ),
    Route(
        "token_in_use",
        f"{_U}/+tokens/{tokens.CURRENT}",
        (
            View(GET, Permission.TOKEN_IN_USE, tokens.show_in_use),
            View(("DELETE",), Permission.TOKEN_IN_USE, tokens.revoke_in_use),
        ),
    ),
    Route(
        "token",
        f"{_U}/+tokens/{{token}}",
        (View(("DELETE",), Permission.TOKENS, tokens.revoke),),
    ),
    Route(
        "user",
        f"{_U}{SLASH}",
        (
            View(GET, Permission.USERS_READ, users.show),
            View(("PUT",), Permission.USER_CREATE, users.create),
            View(("PATCH",), Permission.USER_MODIFY, users.change),
            View(("DELETE",), Permission.USER_DELETE, users.delete),
        ),
    ),
    Route(
        "simple_list",
        f"{_I}/{{form:\\+?simple}}{SLASH}",
        (View(GET, Permission.READ, simple.list_page), _UPLOAD),
        simple=True,
    ),
    Route(
        "simple_project",
        f"{_I}/{{form:\\+?simple}}/{{project:[^/]+}}{SLASH}",
        (View(GET, Permission.READ, simple.project_page),),
        simple=True,
    ),
    Route(
        "refresh",
        f"{_I}/{{form:\\+?simple}}/{{project:{NAME}}}/refresh{SLASH}",
        (View(("POST",), Permission.READ, simple.refresh),),
        simple=True,
    ),
    Route(
        "file",
        f"{_I}/+f/{{project}}/{{digest}}/{{filename}}",
        (
            View(GET, Permission.READ, files.send),
            View(("DELETE",), Permission.REMOVE, files.delete),
        ),
    ),
    Route(
        "index",
        f"{_I}{SLASH}",
        (
            View(GET, Permission.READ, indexes.show),
            View(("PUT",), Permission.INDEX_CREATE, indexes.create),
            View(("PATCH",), Permission.INDEX_MODIFY, indexes.change),
            View(("DELETE",), Permission.INDEX_DELETE, indexes.delete),
            View(("POST", "PUSH"), Permission.READ, projects.push, content_type=JSON),
            _UPLOAD,
        ),
    ),
    Route(
        "index_audit",
        f"{_I}/+audit{SLASH}",
        (View(GET, Permission.INDEX_MODIFY, audit.of_index),),
    ),
    Route(
        "index_fetches",
        f"{_I}/+fetches{SLASH}",
        (View(GET, Permission.INDEX_MODIFY, audit.fetches_of_index),),
    ),
    Route(
        "access",
        f"{_I}/+access{SLASH}",
        # Of others only who administers the index learns anything; see `services.explanations`.
        (View(GET, Permission.READ, access.show),),
    ),
    Route(
        "search",
        f"{_I}/+projects{SLASH}",
        (View(GET, Permission.READ, search.projects),),
    ),
    Route(
        "owners",
        f"{_I}/+owners{SLASH}",
        # Strangers see no names of users, though everyone may read the index; see the view.
        (View(GET, Permission.READ, owners.show_all),),
    ),
    Route(
        "project_owners",
        f"{_I}/+owners/{{project:{NAME}}}{SLASH}",
        (
            View(GET, Permission.READ, owners.show),
            View(("PATCH",), Permission.INDEX_MODIFY, owners.change),
        ),
    ),
    Route(
        "requests",
        f"{_I}/+requests{SLASH}",
        (View(GET, Permission.INDEX_MODIFY, owners.show_requests),),
    ),
    Route(
        "project_requests",
        f"{_I}/+requests/{{project:{NAME}}}{SLASH}",
        (View(("DELETE",), Permission.INDEX_MODIFY, owners.decline),),
    ),
    Route(
        "publishers",
        f"{_I}/+publishers{SLASH}",
        (
            View(GET, Permission.INDEX_MODIFY, publishers.list_publishers),
            View(("POST",), Permission.INDEX_MODIFY, publishers.add_publisher),
        ),
    ),
    Route(
        "publisher",
        f"{_I}/+publishers/{{publisher}}{SLASH}",
        (View(("DELETE",), Permission.INDEX_MODIFY, publishers.remove_publisher),),
    ),
    Route(
        "legacy_project",
        f"{_I}/pypi/{{project}}/json{SLASH}",
        (View(GET, Permission.READ, legacy_json.show_project),),
    ),
    Route(
        "legacy_release",
        f"{_I}/pypi/{{project}}/{{version}}/json{SLASH}",
        (View(GET, Permission.READ, legacy_json.show_release),),
    ),
    Route(
        "project",
        f"{_P}{SLASH}",
        (
            View(GET, Permission.READ, projects.show_project),
            View(("PATCH",), Permission.INDEX_MODIFY, projects.set_status),
            View(("DELETE",), Permission.REMOVE, projects.delete_project),
        ),
    ),
    Route(
        "release",
        f"{_P}/{{version:[^/]+}}{SLASH}",
        (
            View(GET, Permission.READ, projects.show_release),
            View(("PATCH",), Permission.REMOVE, projects.yank),
            View(("DELETE",), Permission.REMOVE, projects.delete_release),
        ),
    ),
)


LEGACY_JSON = frozenset({"legacy_project", "legacy_release"})
"""The routes of the legacy JSON API."""

PUBLISHING = frozenset({"audience", "mint_token", "burn_token"})
"""The routes of trusted publishing, whose tools read JSON without asking for it."""


def methods_of(route_name: str) -> list[str]:
    """The methods that a route answers, sorted: what the header `Allow` says."""
    route = next(route for route in ROUTES if route.name == route_name)
    return sorted({method for view in route.views for method in view.methods})


class _SendsType:
    """A view predicate: the request has a body of this content type."""

    def __init__(self, value: str, _config: Configurator) -> None:
        self._value = value

    def text(self) -> str:
        return f"sends {self._value}"

    phash = text

    def __call__(self, _context: object, request: Request) -> bool:
        return bool(request.content_type.lower() == self._value)


class _IsSimplePage:
    """A route predicate: the Simple page is meant, not the project that is called `simple`."""

    def __init__(self, value: object, _config: Configurator) -> None:
        self._value = value

    def text(self) -> str:
        return "is a Simple page"

    phash = text

    def __call__(self, info: dict[str, dict[str, str]], request: Request) -> bool:
        if info["match"]["form"] != "simple":
            return True
        if request.method == "POST":
            return True
        accept = request.environ.get("HTTP_ACCEPT", "").strip().lower()
        is_page = accept != JSON or bool(forms_in_url(request.environ))
        return request.method in GET and is_page


def includeme(config: Configurator) -> None:
    """Register the table with Pyramid."""
    config.add_view_predicate("sends_type", _SendsType)
    config.add_route_predicate("is_simple_page", _IsSimplePage)
    for route in ROUTES:
        predicates = {"is_simple_page": True} if route.simple else {}
        config.add_route(route.name, route.pattern, **predicates)
        for view in route.views:
            _add_view(config, route, view)


def _add_view(config: Configurator, route: Route, view: View) -> None:
    predicates = {} if view.content_type is None else {"sends_type": view.content_type}
    config.add_view(
        view.view,
        route_name=route.name,
        request_method=view.methods,
        permission=view.permission.value,
        takes_file=view.takes_file,
        **predicates,
    )
