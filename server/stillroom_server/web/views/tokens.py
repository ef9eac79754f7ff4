"""Tokens of a user."""

from collections.abc import Mapping
from typing import Any

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.identity import Scope, Token, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services.tokens import IssuedToken
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import read_object
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, services_of

CURRENT = "current"
"""Instead of a token's id: the token that the request itself is made with."""

DEFAULT_SECONDS = 90 * 24 * 3600
_FIELDS = ("scope", "indexes", "expires_in", "note")


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


def revoke_current(request: Request) -> Response:
    """End the token that the request is made with."""
    services_of(request).tokens.revoke_current(identity_of(request), request.matchdict["user"])
    return message("token revoked")


def revoke(request: Request) -> Response:
    """End a token."""
    user, token = UserName(request.matchdict["user"]), request.matchdict["token"]
    services_of(request).tokens.revoke(identity_of(request), user, token)
    return message(f"token {token} revoked")


def _shown(token: Token) -> Mapping[str, Any]:
    indexes = token.limits.indexes
    return {
        "id": token.id,
        "scope": token.limits.scope,
        "indexes": None if indexes is None else sorted(str(name) for name in indexes),
        "created": timestamp(token.created),
        "expires": timestamp(token.expires),
        "note": token.note,
    }


def _wanted(body: Mapping[str, Any]) -> tuple[TokenLimits, int, str]:
    faults = [
        Fault(key, f"unknown field; a token has {', '.join(_FIELDS)}")
        for key in body
        if key not in _FIELDS
    ]
    scope = body.get("scope", Scope.ALL)
    if not isinstance(scope, str) or scope not in set(Scope):
        faults.append(Fault("scope", "use `read` or `all`"))
    seconds = body.get("expires_in", DEFAULT_SECONDS)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        faults.append(Fault("expires_in", "it must be a whole number of seconds"))
    note = body.get("note", "")
    if not isinstance(note, str) or len(note) > 500:
        faults.append(Fault("note", "it must be text of up to 500 characters"))
    indexes = body.get("indexes")
    names: frozenset[IndexName] | None = None
    if indexes is not None:
        names = _index_names(indexes, faults)
    if faults:
        raise InvalidRequest(faults)
    return TokenLimits(Scope(scope), names), seconds, note


def _index_names(indexes: object, faults: list[Fault]) -> frozenset[IndexName]:
    if not isinstance(indexes, list) or not indexes:
        faults.append(Fault("indexes", "it must be a list of user/index, or null for all"))
        return frozenset()
    names = set()
    for item in indexes:
        try:
            names.add(IndexName.parse(str(item)))
        except InvalidRequest as invalid:
            faults.extend(Fault("indexes", fault.rule) for fault in invalid.faults)
    return frozenset(names)
