"""Law 5: what a private index holds is told to nobody who may not read it, on any way."""

from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from support.distributions import make_wheel
from support.hushed import MARK, MURMUR, NAMES_OF_MURMUR, WORDS, hush, strangers_of
from support.observer import Seen
from support.permission_table import ELSEWHERE_TOKEN, OTHER, OWNER, READER, ROWS
from support.permission_world import World
from support.site import HTML, JSON, basic, new_index, page, password_of, upload
from support.twins import allowed_at, renamed, send

Worlds = Callable[[], World]
FORMS = ("application/json", HTML, JSON, "text/html")


@pytest.fixture(scope="module")
def world(fresh_world: Worlds) -> World:
    made = fresh_world()
    hush(made)
    return made


@pytest.fixture(scope="module")
def people(world: World) -> Mapping[str, httpx.Client]:
    return world.clients | strangers_of(world)


def answers(world: World, client: httpx.Client, role: str) -> Iterator[httpx.Response]:
    """What a client is answered at every address, as it stands in the table and for `murmur`.

    With methods other than GET it is asked where it is refused.
    """
    for row in ROWS:
        allowed = allowed_at(row).get(row.method, set())
        for path in {row.path, renamed(row, NAMES_OF_MURMUR)}:
            for accept in FORMS:
                yield send(client, world, row, method="GET", path=path, Accept=accept)
            if row.method != "GET" and role not in allowed:
                yield send(client, world, row, path=path)


def said(answer: httpx.Response) -> str:
    """All that an answer says."""
    return f"{answer.extensions['reason_phrase']!r} {answer.headers} {answer.text}"


@pytest.mark.parametrize("brings", ["nothing", "a wrong password", OTHER, ELSEWHERE_TOKEN])
def test_no_word_of_a_private_index_is_told(
    world: World, people: Mapping[str, httpx.Client], brings: str
) -> None:
    role = brings if brings in world.clients else "anonymous"
    for answer in answers(world, people[brings], role):
        assert MARK not in said(answer), answer.request


def test_readers_and_managers_are_told_every_word(world: World) -> None:
    """The test above finds what it looks for."""
    told = "".join(
        said(answer)
        for role in (READER, OWNER)
        for path in ("/owner/private", "/owner/private/murmur", "/owner/private/simple/hushed/")
        for answer in [world.clients[role].get(path, headers={"Accept": FORMS[0]})]
    )
    told += page(world.clients[READER], "owner/private", MARK)["files"][0]["filename"]
    for word in WORDS:
        assert word in told


# Ways around


def test_a_push_out_of_a_private_index_tells_nothing(world: World) -> None:
    new_index(world.clients[OTHER], "other/stage")
    seen = []
    for name, version in (("murmur", "4.2"), ("murmur", "9.9"), ("absent", "4.2")):
        body = {"name": name, "version": version, "targetindex": "other/stage"}
        seen.append(Seen.of(world.clients[OTHER].post("/owner/private", json=body)))
    assert seen[0].status == 403
    assert seen == seen[:1] * 3


def test_a_push_into_a_private_index_tells_nothing(world: World) -> None:
    other = world.clients[OTHER]
    new_index(other, "other/source")
    upload(other, "other/source", MURMUR, make_wheel("absent", "4.2"))
    seen = []
    for name in ("murmur", "absent"):
        body = {"name": name, "version": "4.2", "targetindex": "owner/private"}
        seen.append(Seen.of(other.post("/other/source", json=body), {"absent": "murmur"}))
    assert seen[0].status == 403
    assert seen[0] == seen[1]


@pytest.mark.parametrize("body", [{"bases": ["owner/private"]}, ["bases+=owner/private"]])
def test_a_private_index_is_no_base_for_others(world: World, body: object) -> None:
    other = world.clients[OTHER]
    name = f"other/heir-{isinstance(body, list)}".lower()
    if isinstance(body, list):
        new_index(other, name)
        answer = other.patch(f"/{name}", json=body)
    else:
        answer = other.put(f"/{name}", json=body)
    assert answer.status_code == 403
    assert "owner/private" in answer.json()["message"]
    assert MARK not in answer.text


def test_a_token_for_a_private_index_is_refused(world: World) -> None:
    body = {"indexes": ["owner/private"], "allow": ["read"]}
    answer = world.clients[OTHER].post("/other/+tokens", json=body)
    assert answer.status_code == 403
    assert MARK not in answer.text


@pytest.mark.parametrize("accept", FORMS)
def test_the_start_page_and_the_users_show_others_no_contents(world: World, accept: str) -> None:
    for client in (world.site.anonymous, world.clients[OTHER]):
        for path in ("/", "/owner", "/+status", "/owner/+api", "/owner/private/+api"):
            assert MARK not in said(client.get(path, headers={"Accept": accept}))
    start = world.site.anonymous.get("/", headers={"Accept": accept}).text
    assert "owner/private" not in start
    assert '"private"' not in start
    assert "owner/open" in start or '"open"' in start


def test_lists_and_searches_of_an_open_index_do_not_reach_a_private_one(world: World) -> None:
    new_index(world.clients[OWNER], "owner/beside", acl_read=[":ANONYMOUS:"], bases="owner/open")
    for path in ("simple/", "+projects?q=", "+projects?prefix=hus", "pypi/murmur/json", "murmur"):
        answer = world.site.anonymous.get(f"/owner/beside/{path}", headers={"Accept": JSON})
        assert MARK not in said(answer)
        assert path == "murmur" or "murmur" not in answer.text.replace("no project murmur", "")


def test_the_right_password_of_another_user_is_no_key(world: World) -> None:
    client = world.site.client(**basic("owner", password_of("other")))
    assert client.get("/owner/private/murmur").status_code == 401
