"""Groups of users."""

from collections.abc import Mapping
from typing import Any

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.identity import Group
from stillroom_server.domain.names import group_name
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import read_json, read_object
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, services_of


def list_groups(request: Request) -> Response:
    """All groups with their members."""
    groups = services_of(request).groups.all()
    return result("list:groupconfig", {group.name: _shown(group) for group in groups})


def show(request: Request) -> Response:
    """One group."""
    return result("groupconfig", _shown(services_of(request).groups.get(_name(request))))


def create(request: Request) -> Response:
    """Create a group."""
    group = services_of(request).groups.create(
        identity_of(request), _name(request), read_object(request)
    )
    return result("groupconfig", _shown(group), status=201)


def change(request: Request) -> Response:
    """Change description and members: a dict of values, or a list of operations."""
    patch = read_json(request)
    if not isinstance(patch, dict | list):
        raise InvalidRequest.one("body", "it must be a JSON object, or a list of operations")
    group = services_of(request).groups.change(identity_of(request), _name(request), patch)
    return result("groupconfig", _shown(group))


def delete(request: Request) -> Response:
    """Delete a group, and take it out of all access lists."""
    name = _name(request)
    services_of(request).groups.delete(identity_of(request), name)
    return message(f"group {name} deleted")


def _name(request: Request) -> str:
    return group_name(request.matchdict["group"])


def _shown(group: Group) -> Mapping[str, Any]:
    return {
        "name": group.name,
        "description": group.description,
        "members": list(group.members),
        "created": timestamp(group.created),
    }
