"""What strangers learn of what is not open to everyone: one refusal, existing or not."""

import pytest

from stillroom_server.services.access import REFUSED
from stillroom_server.web.routes import ROUTES, Route
from support.permission_table import ANONYMOUS, GUARDED_ROWS, OTHER, OWNER, ROOT, ROWS, WHEEL, Row
from support.permission_world import World
from support.site import HTML, basic

STRANGERS = {
    "nothing": {},
    "a wrong password": basic("owner", "wrong-password"),
    "a wrong token": {"Authorization": "Bearer stillroom_no-such-token"},
    "an unknown user": basic("nobody", "wrong-password"),
}
TWINS = [
    ("/owner", "/nobody"),
    ("owner/private", "owner/absent"),
    ("owner/private", "absent/private"),
    ("example", "absent"),
    ("1.0", "9.9"),
    (WHEEL.sha256, "0" * 64),
    ("{token}", "no-such-token"),
]


def _twins(row: Row) -> list[str]:
    """Paths that differ from that of the row in something that does not exist."""
    changed = [row.path.replace(there, absent) for there, absent in TWINS]
    return [path for path in changed if path != row.path]


@pytest.mark.parametrize("brings", STRANGERS)
@pytest.mark.parametrize("row", GUARDED_ROWS, ids=str)
def test_strangers_cannot_tell_what_exists(world: World, row: Row, brings: str) -> None:
    stranger = world.site.client(**STRANGERS[brings])
    answers = [
        stranger.request(row.method, path.replace("{token}", world.token), **row.kwargs)
        for path in [row.path, *_twins(row)]
    ]
    first = answers[0]
    assert first.status_code in {401, 403}
    for other in answers[1:]:
        assert other.status_code == first.status_code
        assert other.headers == first.headers
        assert other.content == first.content


def test_strangers_get_one_sentence_for_everything_that_is_not_open(world: World) -> None:
    for row in GUARDED_ROWS:
        answer = world.ask(ANONYMOUS, row)
        assert REFUSED in answer.text, row
        assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401), row


def test_a_page_in_memory_is_refused_as_if_it_were_not(world: World) -> None:
    path = "/owner/private/simple/example/"
    before = world.site.anonymous.get(path, headers={"Accept": HTML})
    assert world.clients[OWNER].get(path, headers={"Accept": HTML}).status_code == 200
    after = world.site.anonymous.get(path, headers={"Accept": HTML})
    assert (after.status_code, after.headers, after.content) == (
        before.status_code, before.headers, before.content,
    )  # fmt: skip


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
    "/_/oidc/audience",
    "/_/oidc/mint-token",
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
PLAIN = [route for route in ROUTES if not route.simple]


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
