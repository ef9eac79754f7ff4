"""Addresses in pairs: one of something that exists, and one of something that does not.

They are made from the patterns of `web.routes.ROUTES` and the rows of the permission table, so
that a new route has its twins as soon as it has its row.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import httpx
from pyramid.config import Configurator
from pyramid.interfaces import IRoutesMapper

from stillroom_server.web.routes import ROUTES

from .permission_table import GUARDED_ROWS, ROWS, Row
from .permission_world import World

ABSENT: Mapping[str, str] = {
    "user": "nobody",
    "index": "absent",
    "project": "absent",
    "version": "9.9",
    "digest": "0" * 64,
    "filename": "absent-1.0-py3-none-any.whl",
}
"""What does not exist, by the placeholder of a route's pattern; `absent` for all others."""

SHAPE = frozenset({"slash", "form"})
"""Placeholders that name nothing."""
VISIBLE = frozenset({"user", "index", "group"})
"""Placeholders of names that everybody may see who is logged in."""


def _routes() -> Mapping[str, Any]:
    config = Configurator()
    for route in ROUTES:
        config.add_route(route.name, route.pattern)
    config.commit()
    mapper = config.registry.getUtility(IRoutesMapper)
    return {route.name: route for route in mapper.get_routes()}


_ROUTES = _routes()


@dataclass(frozen=True)
class Twin:
    """The address of a row with some names replaced: `names` says what by what, backwards."""

    path: str
    names: Mapping[str, str] = field(default_factory=dict)


def named_in(row: Row) -> Mapping[str, str]:
    """The names in the address of a row, by their placeholders."""
    found = _ROUTES[row.route].match(row.path)
    assert found is not None, f"{row.path} is no address of the route {row.route}"
    return {key: value for key, value in found.items() if key not in SHAPE}


def renamed(row: Row, names: Mapping[str, str]) -> str:
    """The address of a row with other names, as far as it has such placeholders."""
    route = _ROUTES[row.route]
    there = route.match(row.path)
    path: str = route.generate(there | {key: names[key] for key in names if key in there})
    return path


def twins(row: Row, *, keep: Set[str] = frozenset()) -> list[Twin]:
    """The address of a row, then its twins: with one thing absent each, and with all of them."""
    there = {key: name for key, name in named_in(row).items() if key not in keep}
    sets = [[key] for key in there] + ([list(there)] if len(there) > 1 else [])
    found = [Twin(row.path)]
    for keys in sets:
        absent = {key: ABSENT.get(key, "absent") for key in keys}
        names = {absent[key]: there[key] for key in keys}
        found.append(Twin(renamed(row, absent), names))
    return found


def twins_in(world: World, row: Row, *, keep: Set[str] = frozenset()) -> list[Twin]:
    """The same with the ids of a world in them."""
    return [Twin(world.place(twin.path), twin.names) for twin in twins(row, keep=keep)]


def allowed_at(row: Row) -> Mapping[str, Set[str]]:
    """Who may do something at the route of a row, by method, HEAD included."""
    found: dict[str, set[str]] = {}
    for other in ROWS:
        if other.route == row.route:
            found.setdefault(other.method, set()).update(other.allowed)
    return found | {"HEAD": found.get("GET", set())}


def addresses() -> list[Row]:
    """One guarded row for each address, that of GET if there is one."""
    found: dict[tuple[str, str], Row] = {}
    for row in sorted(GUARDED_ROWS, key=lambda row: row.method != "GET"):
        found.setdefault((row.route, row.path), row)
    return list(found.values())


def send(
    client: httpx.Client,
    world: World,
    row: Row,
    *,
    method: str | None = None,
    path: str | None = None,
    **headers: str,
) -> httpx.Response:
    """Send the request of a row, or a change of it: its body goes with its own method only."""
    method = method or row.method
    kwargs = dict(row.kwargs) if method == row.method else {}
    kwargs["headers"] = {**kwargs.get("headers", {}), **headers}
    return client.request(method, world.place(path or row.path), **kwargs)
