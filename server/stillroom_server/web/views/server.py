"""What concerns the whole server: discovery, login, health, the start page."""

import platform

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.access import Permission
from stillroom_server.domain.errors import InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.identity import NOBODY, Identity
from stillroom_server.domain.names import IndexName
from stillroom_server.services.upstream_states import UpstreamView
from stillroom_server.web.answers import json_response, result
from stillroom_server.web.bodies import read_object
from stillroom_server.web.negotiation import wants_html
from stillroom_server.web.security import identity_of, services_of
from stillroom_server.web.start_page import start_page

from .tokens import shown_login
from .users import shown_user

FEATURES = ("push-no-docs", "server-keyvalue-parsing", "stillroom-tokens", "stillroom-yank")
"""What clients may rely on beyond devpi's oldest API."""


def discovery(request: Request) -> Response:
    """`+api`: where to log in, who asks, and the addresses of an index."""
    identity = identity_of(request)
    user, index = request.matchdict.get("user"), request.matchdict.get("index")
    root = request.application_url
    groups = sorted(identity.all_groups)
    answer: dict[str, object] = {
        "login": f"{root}/+login",
        "authstatus": ["noauth" if identity.user is None else "ok", identity.user or "", groups],
        "features": FEATURES,
    }
    if user and index:
        address = f"{root}/{user}/{index}"
        answer |= {"index": address, "simpleindex": f"{address}/simple/"}
        if _takes_uploads(request, identity, user, index):
            answer["pypisubmit"] = f"{address}/"
    return result("apiconfig", answer)


def _takes_uploads(request: Request, identity: Identity, user: str, index: str) -> bool:
    """Strangers get the same answer for every name; who is logged in learns what is missing."""
    access = services_of(request).access
    try:
        if identity.is_anonymous:
            # Not by a look at the index: what is not there would cost another time.
            lineage = access.check_index(identity, Permission.READ, user, index)
        else:
            lineage = access.lineage(IndexName.checked(user, index))
    except NotAuthenticated:
        return True
    except (NotFound, InvalidRequest):
        raise NotFound(f"There is no index {user}/{index}.") from None
    return not lineage.asked.has_upstream


def login(request: Request) -> Response:
    """Exchange a user's name and password for a token."""
    body = read_object(request)
    user, password = body.get("user"), body.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise InvalidRequest.one("body", "login needs the texts `user` and `password`")
    issued = services_of(request).tokens.login(user, password, identity_of(request))
    return result("proxyauth", shown_login(issued), message="login successful")


def status(request: Request) -> Response:
    """What runs here, at which serial it is, and to who is logged in how the upstreams do."""
    services = services_of(request)
    identity = identity_of(request)
    answer: dict[str, object] = {
        "versioninfo": {"stillroom-server": request.registry.stillroom_web.version},
        "python": platform.python_version(),
        "role": "STANDALONE",
        "serial": services.database.serial(),
    }
    if not identity.is_anonymous:
        upstreams = services.upstreams.of_readable(identity)
        answer["upstreams"] = [_shown_upstream(upstream) for upstream in upstreams]
    return result("status", answer)


def _shown_upstream(upstream: UpstreamView) -> dict[str, object]:
    """`last_error` is null and `retry_in` 0 while there is no trouble."""
    return {
        "url": upstream.url,
        "indexes": [str(name) for name in upstream.indexes],
        "state": upstream.state.state.value,
        "failures": upstream.state.failures,
        "last_error": upstream.state.last_error,
        "retry_in": upstream.state.retry_in,
    }


def live(_request: Request) -> Response:
    """The process answers; asks nobody else."""
    return json_response({"status": "live"})


def ready(request: Request) -> Response:
    """The database answers; 503 where it does not."""
    return json_response({"status": "ready", "serial": services_of(request).database.serial()})


def start(request: Request) -> Response:
    """For browsers the start page, for clients all users with their indexes.

    Who may not see the names of users sees what strangers do: what is open to everyone.
    """
    services = services_of(request)
    sender = identity_of(request)
    identity = sender if services.access.may_see_users(sender) else NOBODY
    users = services.users.all()
    readable = {
        index.name
        for _user, indexes in users
        for index in indexes
        if services.access.may_read(identity, index.name)
    }
    if wants_html(request):
        names = [i.name for _user, indexes in users for i in indexes if i.name in readable]
        return start_page(request, sender, names)
    if identity.is_anonymous:
        users = [
            (user, [i for i in indexes if i.name in readable])
            for user, indexes in users
            if any(i.name in readable for i in indexes)
        ]
    shown = {user.name: shown_user(identity, user, indexes, readable) for user, indexes in users}
    return result("list:userconfig", shown)
