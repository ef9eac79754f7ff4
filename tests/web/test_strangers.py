"""What strangers learn of what is not open to everyone: one refusal, existing or not."""

import pytest

from stillroom_server.services.access import REFUSED
from stillroom_server.web.routes import PUBLISHING, ROUTES, Route
from support.observer import Seen
from support.permission_table import ANONYMOUS, GUARDED_ROWS, OTHER, OWNER, ROOT, ROWS
from support.permission_world import World
from support.site import HTML, basic

STRANGERS = {
    "nothing": {},
    "a wrong password": basic("owner", "wrong-password"),
    "a wrong token": {"Authorization": "Bearer stillroom_no-such-token"},
    "an unknown user": basic("nobody", "wrong-password"),
}


def test_strangers_get_one_sentence_for_everything_that_is_not_open(world: World) -> None:
    for row in GUARDED_ROWS:
        answer = world.ask(ANONYMOUS, row)
        assert REFUSED in answer.text, row
        assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401), row


def test_a_page_in_memory_is_refused_as_if_it_were_not(world: World) -> None:
    path = "/owner/private/simple/example/"
    before = Seen.of(world.site.anonymous.get(path, headers={"Accept": HTML}))
    assert world.clients[OWNER].get(path, headers={"Accept": HTML}).status_code == 200
    assert Seen.of(world.site.anonymous.get(path, headers={"Accept": HTML})) == before


@pytest.mark.parametrize("brings", STRANGERS)
def test_discovery_says_the_same_of_every_index_to_strangers(world: World, brings: str) -> None:
    stranger = world.site.client(**STRANGERS[brings])
    private, absent = (
        stranger.get(f"/owner/{name}/+api").text.replace(name, "NAME")
        for name in ("private", "absent")
    )
    assert private == absent


def test_an_installer_that_asks_the_bare_index_url_is_told_to_log_in(world: World) -> None:
    answer = world.site.anonymous.get("/owner/private", headers={"Accept": HTML})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


# No route, no method


ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PUSH", "OPTIONS", "BREW"]
NOWHERE = [
    "/+nothing",
    "/owner/+nothing",
    "/owner/private/+nothing",
    "/owner/private/+f/example",
    "/owner/private/example/1.0/more",
    "/owner/private/simple/example/more/",
    "/owner//example",
]


@pytest.mark.parametrize("method", ANY_METHOD)
@pytest.mark.parametrize("path", NOWHERE)
def test_where_nothing_is_strangers_are_refused_and_others_told(
    world: World, path: str, method: str
) -> None:
    refused = world.site.anonymous.request(method, path)
    assert refused.status_code == 401
    assert REFUSED in refused.text or method == "HEAD"
    assert world.clients[OTHER].request(method, path).status_code == 404


NOT_OURS = [
    "/_/oidc/no-such",
    "/_/",
    "/.well-known/pytp",
    "/.well-known/x/y",
]


@pytest.mark.parametrize("method", ANY_METHOD)
@pytest.mark.parametrize("path", NOT_OURS)
def test_what_clients_look_for_at_any_host_is_not_there_for_anybody(
    world: World, path: str, method: str
) -> None:
    stranger = world.site.client(**STRANGERS["a wrong password"])
    for client in (world.site.anonymous, stranger, world.clients[OWNER], world.clients[ROOT]):
        answer = client.request(method, path)
        assert answer.status_code == 404
        assert "WWW-Authenticate" not in answer.headers
        assert answer.headers["Content-Type"] == "application/json"
        assert method == "HEAD" or answer.json()["message"] == "There is nothing at this address."
        other = client.request(method, path, headers={"Accept": "*/*"})
        assert (other.status_code, other.headers["Content-Type"][:10]) == (404, "text/plain")


# The addresses of pages under the name `simple` are also those of a project of that name.
# To publishing tools, nothing is where a method is not possible.
PLAIN = [route for route in ROUTES if not route.simple and route.name not in PUBLISHING]


@pytest.mark.parametrize("route", PLAIN, ids=[route.name for route in PLAIN])
def test_a_method_that_is_not_possible_is_refused_to_strangers_and_told_to_others(
    world: World, route: Route
) -> None:
    possible = {method for view in route.views for method in view.methods}
    path = next(row.path for row in ROWS if row.route == route.name)
    for method in set(ANY_METHOD) - possible:
        assert world.site.anonymous.request(method, path).status_code == 401, method
        answer = world.clients[OTHER].request(method, path)
        assert answer.status_code == 405, method
        assert set(answer.headers["Allow"].split(", ")) == possible
