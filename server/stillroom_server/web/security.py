"""Permission before anything else: what each route declares is asked before its view runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from pyramid.request import Request
from pyramid.security import Allowed

from stillroom_server.domain.access import Permission
from stillroom_server.domain.errors import InvalidRequest, NotAuthenticated, TooManyAttempts
from stillroom_server.domain.identity import NOBODY, Identity
from stillroom_server.domain.lineage import Lineage

from .environ import REQUEST_ID
from .identity import identify
from .matched import named_project
from .services import Services

_OF_USERS = frozenset(
    {
        Permission.USER_CREATE,
        Permission.USER_MODIFY,
        Permission.USER_DELETE,
        Permission.TOKENS,
        Permission.TOKEN_IN_USE,
        Permission.INDEX_CREATE,
    }
)
_OF_NOTHING = frozenset({Permission.OPEN, Permission.USERS_READ, Permission.SERVER_ADMIN})


class DeclaredPermissions:
    """Pyramid's security policy: asks `Access` for the permission that the view declares.

    A refusal is raised from here, as the domain error that it is. A view that declares nothing
    cannot be called at all.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def identity(self, request: Request) -> Identity:
        """Who asks; raises NotAuthenticated if the credentials are wrong."""
        return identify(self._services, request.environ)

    def authenticated_userid(self, request: Request) -> str | None:
        """The name of who asks, for Pyramid's own use."""
        return identity_of(request).user

    def permits(self, request: Request, _context: object, permission: str) -> Allowed:
        """Allow, or raise what is to be answered; leaves what it found on the request."""
        if "\0" in request.environ["PATH_INFO"]:
            # No name holds one, and a database would stumble over it.
            raise InvalidRequest.one("url", "it must hold no NUL character")
        wanted = Permission(permission)
        access = self._services.access
        # Read once for all that is asked about an index; nothing else may need the database.
        is_of_index = wanted not in _OF_NOTHING | _OF_USERS
        serial = self._services.database.serial() if is_of_index else None
        try:
            identity = identify(self._services, request.environ, serial)
        except (NotAuthenticated, TooManyAttempts):
            if wanted is not Permission.OPEN:
                raise
            identity = NOBODY
        identity = request.stillroom_identity = _traced(identity, request.environ)
        if wanted in _OF_NOTHING:
            access.check_open(identity, wanted)
        elif wanted in _OF_USERS:
            access.check_user(identity, wanted, request.matchdict["user"])
        else:
            request.stillroom_lineage = access.check_index(
                identity,
                wanted,
                request.matchdict["user"],
                request.matchdict["index"],
                named_project(request),
                serial=serial,
            )
        return Allowed("the permission that the route declares")

    def remember(self, _request: Request, _userid: str, **_kw: Any) -> NoReturn:
        """There are no sessions."""
        raise RuntimeError("Stillroom keeps no sessions")

    def forget(self, _request: Request, **_kw: Any) -> list[tuple[str, str]]:
        """There are no sessions."""
        return []


def _traced(identity: Identity, environ: Mapping[str, Any]) -> Identity:
    """The identity with what the audit tells of its request: the client's address, and the id."""
    address = environ.get("REMOTE_ADDR") or None
    return replace(identity, address=address, request=environ.get(REQUEST_ID))


def identity_of(request: Request) -> Identity:
    """Who asks, once the permission was decided."""
    identity = request.stillroom_identity
    assert isinstance(identity, Identity)
    return identity


def lineage_of(request: Request) -> Lineage:
    """The index that a request is about, with all that it inherits."""
    lineage = request.stillroom_lineage
    assert isinstance(lineage, Lineage)
    return lineage


def services_of(request: Request) -> Services:
    """The use cases that a view calls."""
    services = request.registry.stillroom_services
    assert isinstance(services, Services)
    return services
