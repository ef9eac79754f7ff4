"""Laws 4 and 5: nobody learns what they may not, neither by an answer nor by what it costs.

Who may not see what is at an address asks for it, and for its twins, which do not exist. The
answers must not differ in anything, nor may what the server does for them.
"""

from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from stillroom_server.services.access import Access
from stillroom_server.services.accounts import Authenticator
from stillroom_server.web.routes import ROUTES
from support.hushed import STRANGERS, hush, strangers_of
from support.observer import Observer, Seen
from support.permission_table import (
    ELSEWHERE_TOKEN,
    GUARDED_ROWS,
    KNOWN,
    OPEN_ROWS,
    OTHER,
    OWNER,
    READERS,
    Row,
)
from support.permission_world import World
from support.site import HTML, JSON, new_index
from support.twins import VISIBLE, Twin, addresses, allowed_at, send, twins, twins_in

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PUSH", "OPTIONS")
LOGGED_IN = (OTHER, ELSEWHERE_TOKEN)
"""Who may not read owner/private, and knows the names of all users and indexes."""


@pytest.fixture(scope="module")
def world(fresh_world: Callable[[], World]) -> World:
    """A world for requests that change nothing, because they are refused."""
    made = fresh_world()
    hush(made)
    return made


@pytest.fixture(scope="module")
def people(world: World) -> Mapping[str, httpx.Client]:
    """Strangers and people who are logged in, by what they bring or who they are."""
    return world.clients | strangers_of(world)


@pytest.fixture(scope="module")
def observer(world: World) -> Iterator[Observer]:
    with pytest.MonkeyPatch.context() as patch:
        yield Observer(world.site, patch)


def test_every_address_that_names_something_has_twins() -> None:
    alone = {row.route for row in addresses() if len(twins(row)) == 1}
    nameless = {route.name for route in ROUTES if "{" not in route.pattern.replace("{slash", "")}
    assert alone <= nameless
    assert twins(next(row for row in GUARDED_ROWS if row.route == "release"))[-1] == Twin(
        "/nobody/absent/absent/9.9",
        {"nobody": "owner", "absent": "example", "9.9": "1.0"},
    )


# What is answered


@pytest.mark.parametrize("brings", STRANGERS)
@pytest.mark.parametrize("row", GUARDED_ROWS, ids=str)
def test_strangers_see_no_difference(
    world: World, people: Mapping[str, httpx.Client], row: Row, brings: str
) -> None:
    for method in (row.method, *METHODS) if row in addresses() else (row.method,):
        seen = [
            Seen.of(send(people[brings], world, row, method=method, path=twin.path))
            for twin in twins_in(world, row)
        ]
        assert seen[0].status in {401, 403}, method
        assert all(other == seen[0] for other in seen), method


@pytest.mark.parametrize("role", sorted(KNOWN - READERS))
@pytest.mark.parametrize("row", GUARDED_ROWS, ids=str)
def test_who_is_logged_in_sees_no_difference_of_contents(
    world: World, row: Row, role: str
) -> None:
    for method in METHODS:
        if role in allowed_at(row).get(method, set()):
            continue
        seen = []
        for twin in twins_in(world, row, keep=VISIBLE):
            answer = send(world.clients[role], world, row, method=method, path=twin.path)
            seen.append(Seen.of(answer, twin.names))
        assert seen[0].status >= 400, method
        assert all(other == seen[0] for other in seen), method


CONDITIONS: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    "If-None-Match": lambda etag: {"If-None-Match": etag},
    "If-None-Match: *": lambda _etag: {"If-None-Match": "*"},
    "If-Match": lambda etag: {"If-Match": etag},
    "If-Modified-Since": lambda _etag: {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    "Range": lambda _etag: {"Range": "bytes=0-3"},
    "If-Range": lambda etag: {"Range": "bytes=0-3", "If-Range": etag},
}


@pytest.mark.parametrize("brings", ["nothing", "a wrong password", *LOGGED_IN])
@pytest.mark.parametrize("row", [row for row in GUARDED_ROWS if row.method == "GET"], ids=str)
def test_who_has_the_right_etag_is_refused_all_the_same(
    world: World, people: Mapping[str, httpx.Client], row: Row, brings: str
) -> None:
    if brings in row.allowed:
        return
    for accept in ("application/json", HTML, JSON):
        served = send(world.clients[OWNER], world, row, Accept=accept)
        etag = served.headers.get("ETag", '"anything"')
        plain = Seen.of(send(people[brings], world, row, Accept=accept))
        assert plain.status in {401, 403}
        for name, headers in CONDITIONS.items():
            asked = {"Accept": accept, **headers(etag)}
            assert Seen.of(send(people[brings], world, row, **asked)) == plain, name
            head = Seen.of(send(people[brings], world, row, method="HEAD", **asked))
            assert (head.status, head.headers) == (plain.status, plain.headers), name


# What it costs


@pytest.mark.parametrize("brings", ["nothing", "a wrong password", "a wrong token", *LOGGED_IN])
@pytest.mark.parametrize("row", GUARDED_ROWS, ids=str)
def test_a_refusal_costs_the_same_whatever_is_remembered_of_what_is_there(
    world: World,
    observer: Observer,
    people: Mapping[str, httpx.Client],
    row: Row,
    brings: str,
) -> None:
    if brings in allowed_at(row).get(row.method, set()):
        return
    asked = twins_in(world, row, keep=VISIBLE if brings in LOGGED_IN else frozenset())
    for in_use in (False, True):
        observer.make_cold()
        if in_use:
            send(world.clients[OWNER], world, row, method="GET")
            world.clients[OWNER].get("/owner/private")
        # Who asks is remembered in both cases, and so is an index of which they know.
        people[brings].get("/owner/private" if brings in LOGGED_IN else "/third/thing")
        costs = []
        for twin in asked if in_use else asked * 2:
            with observer.counting() as cost:
                send(people[brings], world, row, path=twin.path)
            costs.append(cost)
        assert all(cost.counted == costs[0].counted for cost in costs), costs


@pytest.mark.parametrize("brings", ["nothing", "a wrong password", *LOGGED_IN])
@pytest.mark.parametrize("row", GUARDED_ROWS, ids=str)
def test_a_refusal_costs_the_same_when_nothing_is_remembered(
    world: World,
    observer: Observer,
    people: Mapping[str, httpx.Client],
    row: Row,
    brings: str,
) -> None:
    if brings in allowed_at(row).get(row.method, set()):
        return
    costs = []
    for twin in twins_in(world, row, keep=VISIBLE if brings in LOGGED_IN else frozenset()):
        observer.make_cold()
        with observer.counting() as cost:
            send(people[brings], world, row, path=twin.path)
        costs.append(cost)
    assert all(cost.counted == costs[0].counted for cost in costs), costs


@pytest.mark.parametrize("brings", ["nothing", "a wrong password", "a wrong token"])
@pytest.mark.parametrize("place", ["owner", "owner/private"])
def test_discovery_tells_strangers_the_same_of_what_there_is_and_is_not(
    world: World,
    observer: Observer,
    people: Mapping[str, httpx.Client],
    place: str,
    brings: str,
) -> None:
    row = next(row for row in OPEN_ROWS if row.path == f"/{place}/+api")
    for cold in (True, False):
        observer.make_cold()
        # What is there is remembered, by those who may see it.
        world.clients[OWNER].get("/owner/private")
        people[brings].get("/third/thing/+api")
        seen, costs = [], []
        for twin in twins(row):
            if cold:
                observer.make_cold()
            with observer.counting() as cost:
                answer = send(people[brings], world, row, path=twin.path)
            seen.append(Seen.of(answer, twin.names))
            costs.append(cost.counted)
        assert seen[0].status == 200
        assert seen == seen[:1] * len(seen)
        assert costs == costs[:1] * len(costs)


@pytest.mark.parametrize("brings", [*STRANGERS, OTHER])
@pytest.mark.parametrize("index", ["owner/private", "owner/absent"])
def test_a_refusal_of_a_page_is_found_out_once(
    world: World,
    people: Mapping[str, httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    brings: str,
    index: str,
) -> None:
    """The gate in front of Pyramid asks first, and what it is told is not asked again."""
    asked: list[str] = []

    def counted(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def count(*arguments: object, **how: object) -> object:
            asked.append(name)
            return original(*arguments, **how)

        monkeypatch.setattr(owner, name, count)

    counted(Authenticator, "identify")
    counted(Access, "check_index")
    answer = people[brings].get(f"/{index}/simple/example/", headers={"Accept": HTML})
    assert answer.status_code in {401, 403, 404}
    who = [] if brings == "nothing" else ["identify"]
    is_known = brings in {"nothing", OTHER}
    assert asked == [*who, *(["check_index"] if is_known else [])]


def test_an_heir_of_a_private_index_costs_strangers_what_nothing_does(
    world: World, observer: Observer
) -> None:
    new_index(world.clients[OWNER], "owner/heir", bases="owner/private", acl_read=[":ANONYMOUS:"])
    new_index(world.clients[OWNER], "owner/second", bases="owner/heir", acl_read=[":ANONYMOUS:"])
    paths = ["/owner/heir/simple/x/", "/owner/second/simple/x/", "/owner/absent/simple/x/"]
    for cold in (True, False):
        seen, costs = [], []
        for path in paths:
            if cold:
                observer.make_cold()
            with observer.counting() as cost:
                seen.append(Seen.of(world.site.anonymous.get(path)))
            costs.append(cost.counted)
        assert seen[0].status == 401
        assert seen == seen[:1] * 3
        assert costs == costs[:1] * 3


@pytest.mark.parametrize("again", [False, True])
def test_a_login_tells_nobody_which_users_there_are(
    world: World, observer: Observer, again: bool
) -> None:
    seen, costs = [], []
    for number, user in enumerate(("owner", "nobody", "root", "other", "some-body")):
        observer.make_cold()
        login = {"user": user, "password": f"a wrong guess {again} {number}"}
        if again:
            world.site.anonymous.post("/+login", json=login)
        with observer.counting() as cost:
            seen.append(Seen.of(world.site.anonymous.post("/+login", json=login)))
        costs.append(cost.counted)
    assert seen[0].status == 401
    assert seen == seen[:1] * 5
    assert costs == costs[:1] * 5
    assert costs[0]["hashes"] == (0 if again else 1)


def test_the_observer_sees_what_differs(world: World, observer: Observer) -> None:
    """The tests above could fail."""
    path = "/owner/private/example"
    absent = "/owner/private/absent"
    observer.make_cold()
    costs, seen = [], []
    for one in (path, path, absent):
        with observer.counting() as cost:
            seen.append(Seen.of(world.clients[OWNER].get(one)))
        costs.append(cost.counted)
    assert costs[0]["statements"] > costs[1]["statements"]
    assert seen[0] == seen[1] != seen[2]
    with observer.counting() as cost:
        world.site.anonymous.post("/+login", json={"user": "owner", "password": "a fresh guess"})
    assert (cost.counted["hashes"], cost.counted["serials"] > 0) == (1, True)
