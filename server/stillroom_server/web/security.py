"""Permission before anything else: what each route declares is asked before its view runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from pyramid.request import Request
from pyramid.security import Allowed

from stillroom_server.domain.access import Permission, Warrant
from stillroom_server.domain.errors import (
    InvalidRequest,
    NotAuthenticated,
    StillroomError,
    TooManyAttempts,
)
from stillroom_server.domain.identity import NOBODY, Identity
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import ProjectName

from .environ import HEALTH, REFUSED_INDEX, REQUEST_ID
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
_READING = frozenset({"GET", "HEAD"})
_OF_NOTHING = frozenset(
    {Permission.OPEN, Permission.FRONT, Permission.USERS_READ, Permission.SERVER_ADMIN}
)


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
        identity = _traced(self._who_asks(request, wanted, serial), request.environ)
        request.stillroom_identity = identity
        warrant = Warrant(wanted)
        if wanted in _OF_NOTHING:
            access.check_open(identity, wanted)
        elif wanted in _OF_USERS:
            user = access.check_user(identity, wanted, request.matchdict["user"])
            warrant = Warrant(wanted, user=user)
        else:
            project = named_project(request)
            asked = (wanted, request.matchdict["user"], request.matchdict["index"], project)
            lineage = check_index(self._services, request.environ, identity, asked, serial)
            request.stillroom_lineage = lineage
            warrant = Warrant(wanted, index=lineage.name, project=project)
        if request.method not in _READING and wanted is not Permission.OPEN:
            request.stillroom_identity = replace(identity, warrant=warrant)
        return Allowed("the permission that the route declares")

    def _who_asks(self, request: Request, wanted: Permission, serial: int | None) -> Identity:
        """The identity; nobody where that is good enough and the credentials are not."""
        if request.environ["PATH_INFO"] in HEALTH:
            # A probe asks the process: no database, no password, and no guess of one.
            return NOBODY
        try:
            return identify(self._services, request.environ, serial)
        except (NotAuthenticated, TooManyAttempts):
            if wanted is not Permission.OPEN:
                raise
            return NOBODY

    def remember(self, _request: Request, _userid: str, **_kw: Any) -> NoReturn:
        """There are no sessions."""
        raise RuntimeError("Stillroom keeps no sessions")

    def forget(self, _request: Request, **_kw: Any) -> list[tuple[str, str]]:
        """There are no sessions."""
        return []


def check_index(
    services: Services,
    environ: dict[str, Any],
    identity: Identity,
    asked: tuple[Permission, str, str, ProjectName | None],
    serial: int | None,
) -> Lineage:
    """What `Access.check_index` finds of a permission, a user, an index and a project.

    A refusal is not asked for twice: the gate leaves it to the view of errors to tell it, and
    time would tell what is there if only some requests were asked about again.
    """
    before, refused = environ.get(REFUSED_INDEX, (None, None))
    if refused is not None and before == asked:
        assert isinstance(refused, StillroomError)
        raise refused
    try:
        return services.access.check_index(identity, *asked, serial=serial)
    except StillroomError as error:
        environ[REFUSED_INDEX] = (asked, error)
        raise


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
