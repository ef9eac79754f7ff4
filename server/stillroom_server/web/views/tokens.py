"""Tokens of a user."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.identity import Action, Grant, Token, TokenLimits
from stillroom_server.domain.names import IndexName, ProjectName, UserName, project_name
from stillroom_server.services.tokens import IssuedToken, told
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import read_object
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, services_of

CURRENT = "current"
"""Instead of a token's id: the token that the request itself is made with."""

DEFAULT_SECONDS = 90 * 24 * 3600
_FIELDS = ("allow", "indexes", "projects", "expires_in", "note")


def shown_login(issued: IssuedToken) -> Mapping[str, Any]:
    """The token of a login, as devpi's clients read it: their `password` from now on."""
    return {
        "password": issued.secret,
        "expiration": issued.seconds,
        "token_id": issued.token.id,
    }


def list_tokens(request: Request) -> Response:
    """The tokens that have not expired, without their secrets."""
    tokens = services_of(request).tokens.of_user(UserName(request.matchdict["user"]))
    return result("list:token", [_shown(token) for token in tokens])


def create(request: Request) -> Response:
    """Make a token; its secret is told this once."""
    limits, seconds, note = _wanted(read_object(request))
    issued = services_of(request).tokens.create(
        identity_of(request), UserName(request.matchdict["user"]), limits, seconds, note
    )
    return result("token", {**_shown(issued.token), "token": issued.secret}, status=201)


def show_in_use(request: Request) -> Response:
    """The token that the request is made with, without its secret."""
    token = services_of(request).tokens.in_use(identity_of(request), request.matchdict["user"])
    return result("token", _shown(token))


def revoke_in_use(request: Request) -> Response:
    """End the token that the request is made with."""
    services_of(request).tokens.revoke_in_use(identity_of(request), request.matchdict["user"])
    return message("token revoked")


def revoke(request: Request) -> Response:
    """End a token."""
    user, token = UserName(request.matchdict["user"]), request.matchdict["token"]
    services_of(request).tokens.revoke(identity_of(request), user, token)
    return message(f"token {token} revoked")


def _shown(token: Token) -> Mapping[str, Any]:
    return {
        "id": token.id,
        "kind": token.kind,
        "limits": told(token.limits),
        "created": timestamp(token.created),
        "expires": timestamp(token.expires),
        "used": None if token.used is None else timestamp(token.used),
        "note": token.note,
        "publisher": token.publisher,
    }


def _wanted(body: Mapping[str, Any]) -> tuple[TokenLimits | None, int, str]:
    faults = [
        Fault(key, f"unknown field; a token has {', '.join(_FIELDS)}")
        for key in body
        if key not in _FIELDS
    ]
    limits = _limits(body, faults)
    seconds = body.get("expires_in", DEFAULT_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        faults.append(Fault("expires_in", "it must be a whole number of seconds"))
    note = body.get("note", "")
    if not isinstance(note, str) or len(note) > 500:
        faults.append(Fault("note", "it must be text of up to 500 characters"))
    if faults:
        raise InvalidRequest(faults)
    return limits, seconds, note


def _limits(body: Mapping[str, Any], faults: list[Fault]) -> TokenLimits | None:
    """One grant from `allow`, `indexes` and `projects`; None where all three are left out.

    What concerns no single index is out of reach for a token that is limited to some.
    """
    if all(body.get(key) is None for key in ("allow", "indexes", "projects")):
        return None
    indexes = _names("indexes", body.get("indexes"), IndexName.parse, faults)
    projects = _names("projects", body.get("projects"), project_name, faults)
    is_everywhere = indexes is None and projects is None
    if body.get("allow") is None:
        actions = frozenset(Action) if is_everywhere else frozenset(Action) - {Action.ACCOUNT}
    else:
        actions = _actions(body["allow"], faults)
    if Action.ACCOUNT in actions and not is_everywhere:
        rule = f"{Action.ACCOUNT} concerns no single index; leave out indexes and projects for it"
        faults.append(Fault("allow", rule))
    return TokenLimits((Grant(actions, indexes, projects),))


def _actions(allow: object, faults: list[Fault]) -> frozenset[Action]:
    try:
        if isinstance(allow, list) and allow:
            return frozenset(Action(item) for item in allow)
    except ValueError:
        pass
    rule = f"it must be a list of some of {', '.join(Action)}, or null for all"
    faults.append(Fault("allow", rule))
    return frozenset()


_N = TypeVar("_N", IndexName, ProjectName)


def _names(
    field: str, listed: object, read: Callable[[str], _N], faults: list[Fault]
) -> frozenset[_N] | None:
    if listed is None:
        return None
    if not isinstance(listed, list) or not listed:
        faults.append(Fault(field, "it must be a list of names, or null for all"))
        return frozenset()
    names = set()
    for item in listed:
        try:
            names.add(read(str(item)))
        except InvalidRequest as invalid:
            faults.extend(Fault(field, fault.rule) for fault in invalid.faults)
    return frozenset(names)
