"""Issuers of identity tokens, and the trusted publishers of an index."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.identity import Action
from stillroom_server.domain.names import ProjectName, project_name, user_name
from stillroom_server.domain.publishing import ACTIONS, Issuer, Publisher, claim_rules
from stillroom_server.services.publishing import NewPublisher
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import read_object
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, lineage_of, services_of

_FIELDS = ("issuer", "claims", "projects", "allow", "user", "note")
MAX_NOTE = 500


def list_issuers(request: Request) -> Response:
    """The issuers that are believed."""
    issuers = services_of(request).publishing.issuers()
    return result("list:issuer", [_shown_issuer(issuer) for issuer in issuers])


def add_issuer(request: Request) -> Response:
    """Believe an issuer: `url` is its claim `iss`, to the letter."""
    body = read_object(request)
    faults = _unknown(body, ("url",), "an issuer")
    url = body.get("url")
    if not isinstance(url, str):
        faults.append(Fault("url", "it must be text, the claim `iss` of the issuer's tokens"))
    if faults:
        raise InvalidRequest(faults)
    issuer = services_of(request).publishing.add_issuer(identity_of(request), str(url))
    return result("issuer", _shown_issuer(issuer), status=201)


def remove_issuer(request: Request) -> Response:
    """Believe an issuer no more."""
    publishing = services_of(request).publishing
    issuer = publishing.remove_issuer(identity_of(request), request.matchdict["issuer"])
    return message(f"issuer {issuer.url} removed")


def list_all(request: Request) -> Response:
    """Whom any index trusts."""
    publishers = services_of(request).publishing.publishers()
    return result("list:publisher", [_shown(publisher) for publisher in publishers])


def list_publishers(request: Request) -> Response:
    """Whom the index trusts."""
    publishers = services_of(request).publishing.of_index(lineage_of(request).name)
    return result("list:publisher", [_shown(publisher) for publisher in publishers])


def add_publisher(request: Request) -> Response:
    """Trust a publisher."""
    wanted = _wanted(read_object(request))
    publisher = services_of(request).publishing.add(
        identity_of(request), lineage_of(request).name, wanted
    )
    return result("publisher", _shown(publisher), status=201)


def remove_publisher(request: Request) -> Response:
    """Trust a publisher no more."""
    publisher = request.matchdict["publisher"]
    services_of(request).publishing.remove(
        identity_of(request), lineage_of(request).name, publisher
    )
    return message(f"publisher {publisher} removed")


def _shown_issuer(issuer: Issuer) -> Mapping[str, Any]:
    return {"id": issuer.id, "url": issuer.url, "created": timestamp(issuer.created)}


def _shown(publisher: Publisher) -> Mapping[str, Any]:
    return {
        "id": publisher.id,
        "issuer": publisher.issuer,
        "index": str(publisher.index),
        "user": publisher.user,
        "claims": dict(publisher.claims),
        "projects": None if publisher.projects is None else sorted(publisher.projects),
        "allow": sorted(publisher.actions),
        "note": publisher.note,
        "created": timestamp(publisher.created),
    }


def _wanted(body: Mapping[str, Any]) -> NewPublisher:
    faults = _unknown(body, _FIELDS, "a publisher")
    issuer, note, user = body.get("issuer"), body.get("note", ""), body.get("user")
    if not isinstance(issuer, str):
        faults.append(Fault("issuer", "it must be text, the URL of an issuer"))
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        faults.append(Fault("note", f"it must be text of up to {MAX_NOTE} characters"))
    wanted = NewPublisher(
        issuer=str(issuer),
        claims=_read(lambda: claim_rules(body.get("claims")), faults, {}),
        actions=_actions(body.get("allow", [Action.UPLOAD]), faults),
        projects=_projects(body.get("projects"), faults),
        user=None if user is None else _read(lambda: user_name(str(user)), faults, None),
        note=str(note),
    )
    if faults:
        raise InvalidRequest(faults)
    return wanted


def _actions(allow: object, faults: list[Fault]) -> frozenset[Action]:
    known = sorted(ACTIONS)
    if not isinstance(allow, list) or not allow or any(item not in known for item in allow):
        faults.append(Fault("allow", f"it must be a list of some of {', '.join(known)}"))
        return frozenset()
    return frozenset(Action(item) for item in allow)


def _projects(listed: object, faults: list[Fault]) -> frozenset[ProjectName] | None:
    if listed is None:
        return None
    if not isinstance(listed, list) or not listed:
        faults.append(Fault("projects", "it must be a list of names, or null for all"))
        return frozenset()
    try:
        return frozenset(project_name(str(item)) for item in listed)
    except InvalidRequest as invalid:
        faults.extend(Fault("projects", fault.rule) for fault in invalid.faults)
        return frozenset()


_V = TypeVar("_V")
_D = TypeVar("_D")


def _read(read: Callable[[], _V], faults: list[Fault], otherwise: _D) -> _V | _D:
    try:
        return read()
    except InvalidRequest as invalid:
        faults.extend(invalid.faults)
        return otherwise


def _unknown(body: Mapping[str, Any], fields: Sequence[str], what: str) -> list[Fault]:
    rule = f"unknown field; {what} has {', '.join(fields)}"
    return [Fault(key, rule) for key in body if key not in fields]
