"""A right that is taken away while a request waits for its turn to write changes nothing more.

The requests are those of the permission table that change something in a unit of their own.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from stillroom_server.services.ports import Unit
from support.canary import MARK
from support.permission_table import (
    ADMIN,
    GUARDED_ROWS,
    HERE_TOKEN,
    OWNER,
    REMOVER,
    ROOT,
    Row,
)
from support.permission_world import World

Worlds = Callable[[], World]

# What was allowed when it began is finished, however long its content takes; and an upstream
# that is asked again changes nothing in anybody's name.
BEGUN = {"simple_list", "refresh"}
CHANGES = [
    row
    for row in GUARDED_ROWS
    if row.method != "GET"
    and row.route not in BEGUN
    and not (row.route == "index" and row.method in {"POST", "PUSH"})
]


def _new_password(user: str) -> Callable[[World], None]:
    def withdraw(world: World) -> None:
        body = {"password": f"another-{user}{MARK}"}
        answer = world.clients[ROOT].patch(f"/{user}", json=body)
        assert answer.status_code == 200, answer.text

    return withdraw


def _revoked(world: World) -> None:
    owner = world.clients[OWNER]
    for token in owner.get("/owner/+tokens").json()["result"]:
        assert owner.delete(f"/owner/+tokens/{token['id']}").status_code == 200


def _unlisted(option: str, user: str) -> Callable[[World], None]:
    def withdraw(world: World) -> None:
        patch = [f"{option}-={user}"]
        answer = world.clients[OWNER].patch("/owner/private", json=patch)
        assert answer.status_code == 200, answer.text

    return withdraw


WITHDRAWALS: Mapping[str, tuple[int, Callable[[World], None]]] = {
    OWNER: (401, _new_password("owner")),
    ROOT: (401, _new_password("root")),
    HERE_TOKEN: (401, _revoked),
    ADMIN: (403, _unlisted("acl_admin", "admin")),
    REMOVER: (403, _unlisted("acl_delete", "remover")),
}


@contextmanager
def before_its_turn(world: World, deed: Callable[[World], None]) -> Iterator[list[int]]:
    """Do something when the next unit is about to write; the serial after that is put down."""
    database = world.site.database
    serials: list[int] = []

    def writing() -> AbstractContextManager[Unit]:
        del database.writing
        deed(world)
        serials.append(database.serial())
        return database.writing()

    database.writing = writing
    try:
        yield serials
    finally:
        database.__dict__.pop("writing", None)


@pytest.mark.parametrize(
    ("row", "role"),
    [(row, role) for row in CHANGES for role in WITHDRAWALS if role in row.allowed],
    ids=str,
)
def test_what_was_taken_away_changes_nothing_more(
    fresh_world: Worlds, row: Row, role: str
) -> None:
    world = fresh_world()
    status, withdraw = WITHDRAWALS[role]
    # The password has been checked before: the check of one writes too.
    world.clients[role].get("/+api")
    place = world.place(row.path)
    with before_its_turn(world, withdraw) as serials:
        answer = world.ask(role, row, path=place)
    assert answer.status_code == status, answer.text
    assert serials == [world.site.database.serial()]


def test_who_leaves_a_group_loses_what_it_gives(fresh_world: Worlds) -> None:
    world = fresh_world()
    owner, root = world.clients[OWNER], world.clients[ROOT]
    assert root.patch("/+groups/team", json=["members+=admin"]).status_code == 200
    assert owner.patch("/owner/private", json=["acl_admin=:team"]).status_code == 200
    admin = world.clients[ADMIN]
    assert admin.get("/+api").status_code == 200

    def withdraw(_world: World) -> None:
        assert root.patch("/+groups/team", json=["members-=admin"]).status_code == 200

    with before_its_turn(world, withdraw) as serials:
        answer = admin.patch("/owner/private", json=["acl_admin+=admin"])
    assert answer.status_code == 403
    assert serials == [world.site.database.serial()]


def test_a_login_with_a_password_that_changes_meanwhile_is_refused(fresh_world: Worlds) -> None:
    world = fresh_world()
    body = {"user": "other", "password": f"other{MARK}"}
    assert world.site.anonymous.post("/+login", json=body).status_code == 200
    with before_its_turn(world, _new_password("other")) as serials:
        answer = world.site.anonymous.post("/+login", json=body)
    assert answer.status_code == 401
    assert serials == [world.site.database.serial()]


def test_who_sets_their_own_password_gets_a_token_that_works(fresh_world: Worlds) -> None:
    world = fresh_world()
    body = {"password": f"quite-another{MARK}"}
    for role in (HERE_TOKEN, OWNER):
        answer = world.clients[role].patch("/owner", json=body)
        if role == HERE_TOKEN:
            assert answer.status_code == 403
            continue
        assert answer.status_code == 200, answer.text
        token = answer.json()["result"]["password"]
        assert world.site.bearer(token).get("/owner/private").status_code == 200
