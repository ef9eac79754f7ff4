"""No change without a trace: every request that changes something says who, from where, to what.

The requests are those of the permission table. One that is not in `EVENTS` fails the first test.
"""

from collections.abc import Callable, Mapping

import httpx
import pytest

from stillroom_server.domain.events import OF_MIRRORS, EventKind, JournalEntry
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.permission_table import ANONYMOUS, OPEN_ROWS, OWNER, ROOT, ROWS, Row
from support.permission_world import World
from support.site import Site, file_url, new_index, new_token

Worlds = Callable[[], World]
K = EventKind

ADDRESS = "192.0.2.7"
PUBLIC = make_wheel("public", "1.0")

EVENTS: Mapping[str, list[EventKind]] = {
    "POST login": [K.TOKEN_CREATED],
    # What is sent is no identity token, and no token of a publisher.
    "POST mint_token": [],
    "POST burn_token": [],
    "PUT group": [K.GROUP_CREATED],
    "PATCH group": [K.GROUP_CHANGED],
    "DELETE group": [K.GROUP_DELETED],
    "POST issuers": [K.ISSUER_ADDED],
    "DELETE issuer": [K.ISSUER_REMOVED],
    "POST tokens": [K.TOKEN_CREATED],
    "DELETE token": [K.TOKEN_REVOKED],
    "DELETE token_in_use": [K.TOKEN_REVOKED],
    "PUT user": [K.USER_CREATED],
    "PATCH user": [K.USER_CHANGED],
    "DELETE user": [K.USER_DELETED, K.INDEX_DELETED, K.INDEX_DELETED, K.INDEX_DELETED],
    "POST simple_list": [K.FILE_ADDED],
    # It asks an upstream again, whose answer is no deed of whoever asked.
    "POST refresh": [],
    "DELETE file": [K.FILE_REMOVED],
    "PUT index": [K.INDEX_CREATED],
    "PATCH index": [K.INDEX_CHANGED],
    # A token that was good for nothing else ends with the index.
    "DELETE index": [K.INDEX_DELETED, K.TOKEN_REVOKED],
    "POST index": [K.FILE_ADDED],
    "POST index application/json": [K.FILE_PUSHED],
    "PUSH index application/json": [K.FILE_PUSHED],
    "PATCH project_owners": [K.PROJECT_OWNERS_CHANGED],
    "POST publishers": [K.PUBLISHER_ADDED],
    "DELETE publisher": [K.PUBLISHER_REMOVED],
    "DELETE project_requests": [K.PROJECT_REQUEST_DECLINED],
    "PATCH project": [K.PROJECT_STATUS_CHANGED],
    "DELETE project": [K.PROJECT_REMOVED],
    "PATCH release": [K.FILE_YANKED],
    "DELETE release": [K.FILE_REMOVED, K.RELEASE_REMOVED],
}
"""What each request of the permission table leaves in the journal."""

CHANGING = [row for row in ROWS if row.method != "GET"]
ANEW = {"POST login", "POST tokens", "POST publishers"}
AGAIN = [row for row in CHANGING if str(row) not in ANEW]
"""Requests that change nothing when they are made once more, whether or not that is refused."""


@pytest.fixture
def world(fresh_world: Worlds) -> World:
    """A world to be changed."""
    return fresh_world()


def journal(site: Site, after: int) -> list[JournalEntry]:
    """What people did after a serial."""
    with site.database.reading() as unit:
        entries = unit.journal.since(after, 1_000)
    return [entry for entry in entries if entry.event.kind not in OF_MIRRORS]


def performer(world: World, row: Row) -> tuple[httpx.Client, str | None, str | None]:
    """A client, at its address, of somebody who may; the name of the user, the id of the token."""
    if row in OPEN_ROWS:
        return world.site.client(remote_addr=ADDRESS), None, None
    role = ROOT if ROOT in row.allowed else OWNER
    user = "root" if role == ROOT else "owner"
    if role not in row.allowed:
        user, role = "owner", OWNER
    token = new_token(world.clients[role], user, expires_in=60)
    headers = {"Authorization": f"Bearer {token['token']}"}
    return world.site.client(remote_addr=ADDRESS, **headers), user, token["id"]


def ask(client: httpx.Client, world: World, row: Row) -> httpx.Response:
    answer = client.request(row.method, world.place(row.path), **row.kwargs)
    assert answer.status_code == row.status, answer.text
    return answer


def test_every_request_that_may_change_something_is_here() -> None:
    assert {str(row) for row in CHANGING} == set(EVENTS)


@pytest.mark.parametrize("row", CHANGING, ids=str)
def test_a_change_leaves_its_trace(world: World, row: Row) -> None:
    client, user, token = performer(world, row)
    before = world.site.database.serial()
    answer = ask(client, world, row)
    entries = journal(world.site, before)
    assert [entry.event.kind for entry in entries] == EVENTS[str(row)]
    for entry in entries:
        event = entry.event
        assert event.actor == (user or event.user)
        assert (event.token, event.address) == (token, ADDRESS)
        assert event.request == answer.headers["X-Request-ID"]
        assert event.index or event.user or event.details


@pytest.mark.parametrize("row", AGAIN, ids=str)
def test_what_changes_nothing_leaves_no_trace(world: World, row: Row) -> None:
    client, _user, _token = performer(world, row)
    path = world.place(row.path)
    first = client.request(row.method, path, **row.kwargs)
    assert first.status_code == row.status, first.text
    with world.site.unchanged():
        client.request(row.method, path, **row.kwargs)


def test_who_is_not_logged_in_leaves_an_address(world: World) -> None:
    owner = world.clients[OWNER]
    answer = owner.patch("/owner/open", json=["acl_upload=:ANONYMOUS:"])
    assert answer.status_code == 200, answer.text
    row = next(row for row in CHANGING if str(row) == "POST index")
    before = world.site.database.serial()
    answer = world.ask(ANONYMOUS, row, path="/owner/open")
    assert answer.status_code == 200, answer.text
    [entry] = journal(world.site, before)
    assert (entry.event.actor, entry.event.token) == (None, None)
    assert entry.event.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/root/mirror/public/1.0", [K.RELEASE_REMOVED]),
        ("/root/mirror/public", [K.PROJECT_REMOVED]),
        (file_url("root/mirror", "public", PUBLIC), [K.FILE_REMOVED]),
    ],
)
def test_what_a_mirror_is_made_to_forget_leaves_its_trace(
    site: Site, upstream: LocalUpstream, path: str, kinds: list[EventKind]
) -> None:
    upstream.add(PUBLIC)
    new_index(site.root, "root/mirror", type="mirror", mirror_url=upstream.url)
    assert site.root.get(file_url("root/mirror", "public", PUBLIC)).status_code == 200
    before = site.database.serial()
    assert site.root.delete(path).status_code == 200
    entries = journal(site, before)
    assert [entry.event.kind for entry in entries] == kinds
    assert {entry.event.actor for entry in entries} == {"root"}
