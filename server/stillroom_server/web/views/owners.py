"""Owners of projects, and requests to bring new ones, as JSON."""

from collections.abc import Iterable

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.access import Permission
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import user_name
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import query, read_json
from stillroom_server.web.matched import project_of
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, lineage_of, services_of


def show_all(request: Request) -> Response:
    """The owners of all projects that have some; for who is logged in."""
    _check_logged_in(request)
    owned = services_of(request).owners.all(lineage_of(request).name)
    return result("projectowners", {project: sorted(owners) for project, owners in owned.items()})


def show(request: Request) -> Response:
    """The owners of one project; for who is logged in."""
    _check_logged_in(request)
    name, project = lineage_of(request).name, project_of(request)
    return _shown(project, services_of(request).owners.of_project(name, project))


def change(request: Request) -> Response:
    """Say who owns a project: `{"owners": […]}`, or a list of operations."""
    patch = read_json(request)
    if not isinstance(patch, dict | list):
        raise InvalidRequest.one("body", "it must be a JSON object, or a list of operations")
    name, project = lineage_of(request).name, project_of(request)
    owners = services_of(request).owners.change(identity_of(request), name, project, patch)
    return _shown(project, owners)


def show_requests(request: Request) -> Response:
    """Who asked to bring which project, oldest first."""
    requests = services_of(request).owners.requests(lineage_of(request).name)
    rows = [
        {"project": one.project, "user": one.user, "requested": timestamp(one.requested)}
        for one in requests
    ]
    return result("list:projectrequest", rows)


def decline(request: Request) -> Response:
    """Drop the requests for a project; with `user` in the query, that of one user."""
    name, project = lineage_of(request).name, project_of(request)
    named = query(request).get("user")
    user = None if named is None else user_name(named)
    users = services_of(request).owners.decline(identity_of(request), name, project, user)
    return message(f"declined {project} in {name}, asked for by {', '.join(users)}")


def _check_logged_in(request: Request) -> None:
    """Owners are names of users, and names may be kept for what nobody is to know of yet."""
    services_of(request).access.check_open(identity_of(request), Permission.USERS_READ)


def _shown(project: str, owners: Iterable[str]) -> Response:
    return result("projectowners", {"project": project, "owners": sorted(owners)})
