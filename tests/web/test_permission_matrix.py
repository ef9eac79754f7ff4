"""Law 4: permission before anything else, for every view, method and role.

The table is in `support/permission_table.py`. A view that is not in it fails the first test.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillroom_server.web.routes import ROUTES
from support.observer import Seen
from support.permission_table import (
    ALL,
    ANONYMOUS,
    ELSEWHERE_TOKEN,
    FILE,
    HERE_TOKEN,
    OTHER,
    OWNER,
    READER,
    READERS,
    ROOT,
    ROWS,
    Row,
)
from support.permission_world import World
from support.site import HTML, new_index

Worlds = Callable[[], World]
READING = [row for row in ROWS if row.method == "GET"]


def refusal(role: str, row: Row) -> int:
    """What who may not is answered. devpi's client wants 403 where it asks before its login."""
    if role != ANONYMOUS or (row.route, row.method) == ("index", "GET"):
        return 403
    return 401


def test_every_view_stands_in_the_matrix() -> None:
    views = {
        (route.name, method, view.content_type)
        for route in ROUTES
        for view in route.views
        for method in view.methods
        if method != "HEAD"
    }
    assert {(row.route, row.method, row.sends) for row in ROWS} == views
    assert len(ROWS) == len(views)


@pytest.mark.parametrize(
    ("row", "role"),
    [(row, role) for row in ROWS for role in sorted(ALL - row.allowed)],
    ids=str,
)
def test_who_may_not_is_refused_and_nothing_changes(world: World, row: Row, role: str) -> None:
    with world.site.unchanged():
        answer = world.ask(role, row)
    assert answer.status_code == refusal(role, row), answer.text
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("row", "role"),
    [(row, role) for row in ROWS for role in sorted(row.allowed)],
    ids=str,
)
def test_who_may_is_served(fresh_world: Worlds, world: World, row: Row, role: str) -> None:
    answer = (world if row in READING else fresh_world()).ask(role, row)
    assert answer.status_code == row.status, answer.text


@pytest.mark.parametrize("role", sorted(ALL))
@pytest.mark.parametrize("row", READING, ids=str)
def test_head_is_answered_like_get_without_a_body(world: World, row: Row, role: str) -> None:
    got = Seen.of(world.ask(role, row))
    head = Seen.of(world.ask(role, row, method="HEAD"))
    assert head == replace(got, body="")


# Every method at every address (J-08)


METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "PUSH", "BREW", "DELETE")
EMPTY_OR_ODD: list[dict[str, Any]] = [
    {},
    {"content": b"[]", "headers": {"Content-Type": "application/json"}},
    {"content": b"\xff{", "headers": {"Content-Type": "application/json"}},
    {"content": b"--x--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
]
STATUSES = Path(__file__).parents[2] / "docs" / "users" / "statuses.md"
DOCUMENTED = {int(number) for number in re.findall(r"^\| (\d{3})", STATUSES.read_text(), re.M)}


@pytest.mark.parametrize("role", [ANONYMOUS, OTHER, OWNER, ROOT, HERE_TOKEN])
def test_every_method_everywhere_has_a_documented_status(fresh_world: Worlds, role: str) -> None:
    world = fresh_world()
    assert {200, 401, 403, 404, 405} <= DOCUMENTED
    rows = [replace(row, path=world.place(row.path)) for row in ROWS]
    rows.sort(key=lambda row: -row.path.count("/"))  # what holds the rest goes last
    for method, row in itertools.product(METHODS, rows):
        for sent in EMPTY_OR_ODD:
            answer = world.ask(role, replace(row, kwargs=sent), method=method)
            asked = f"{method} {row.path}: {answer.text}"
            assert answer.status_code in DOCUMENTED, asked
            assert answer.status_code < 500, asked


IN_AN_INDEX = [row for row in READING if row.allowed == READERS]
OF_USERS = {"owners", "project_owners"}
"""What names users, and is for readers who are logged in."""


@pytest.mark.parametrize("role", sorted(ALL))
@pytest.mark.parametrize("row", IN_AN_INDEX, ids=str)
def test_an_open_stage_is_read_by_everyone_whom_no_token_limits(
    world: World, row: Row, role: str
) -> None:
    answer = world.ask(role, row, path=row.path.replace("owner/private", "owner/open"))
    limited = role in {ELSEWHERE_TOKEN, HERE_TOKEN}
    if role == ANONYMOUS and row.route in OF_USERS:
        assert answer.status_code == 401
    else:
        assert answer.status_code == (403 if limited else 200)


# Reading needs the whole lineage


@pytest.fixture
def heir(fresh_world: Worlds) -> World:
    """The reader's open stage `reader/heir` inherits from owner/private, then loses the right."""
    world = fresh_world()
    reader, owner = world.clients[READER], world.clients[OWNER]
    new_index(reader, "reader/heir", bases="owner/private", acl_read=[":ANONYMOUS:"])
    answer = owner.patch("/owner/private", json=["acl_read=owner"])
    assert answer.status_code == 200, answer.text
    return world


@pytest.mark.parametrize(
    "path",
    [
        "/reader/heir",
        "/reader/heir/example",
        "/reader/heir/example/1.0",
        "/reader/heir/simple/",
        "/reader/heir/simple/example/",
        "/reader/heir/simple/anything-public/",
        FILE.replace("owner/private", "reader/heir"),
    ],
)
def test_a_base_that_may_not_be_read_closes_its_heirs_and_is_named(heir: World, path: str) -> None:
    answer = heir.clients[READER].get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 403
    assert "owner/private" in answer.text
    assert heir.clients[OWNER].get(path, follow_redirects=True).status_code in {200, 404}
    stranger = heir.clients[ANONYMOUS].get(path, headers={"Accept": HTML})
    assert stranger.status_code == 401
    assert "owner/private" not in stranger.text


def test_an_index_that_may_not_be_read_cannot_be_made_a_base(world: World) -> None:
    with world.site.unchanged():
        answer = world.clients[OTHER].put("/other/heir", json={"bases": "owner/private"})
    assert answer.status_code == 403
    assert "owner/private" in answer.json()["message"]
