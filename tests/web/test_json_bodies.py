"""Every route that reads JSON, with what is no JSON, or not the JSON that it needs."""

import json
from typing import Any

import httpx
import pytest

from support.distributions import make_wheel
from support.site import Site, faulty_fields, password_of, upload

JSON = {"Content-Type": "application/json"}
ROUTES = {
    "create a user": ("PUT", "/newcomer"),
    "change a user": ("PATCH", "/dev"),
    "log in": ("POST", "/+login"),
    "make a token": ("POST", "/root/+tokens"),
    "create an index": ("PUT", "/dev/new"),
    "change an index": ("PATCH", "/dev/stage"),
    "push": ("POST", "/dev/stage"),
    "push as devpi's client does": ("PUSH", "/dev/stage"),
    "yank": ("PATCH", "/dev/stage/example/1.0"),
}

NO_JSON = {
    "nothing": b"",
    "white space": b" \n",
    "half an object": b'{"name": "x"',
    "two values": b"{} {}",
    "a trailing comma": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "a form": b"user=root&password=x",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "latin-1": '{"name": "é"}'.encode("latin-1"),
    "a depth of 100,000": b"[" * 100_000 + b"]" * 100_000,
    "a depth of 1,000 in an object": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "values without end": b"[" + b"[]," * 10_000 + b"[]]",
    "numbers without end": b'{"a":[' + b"1," * 20_000 + b"1]}",
    "101 levels of lists and objects": b'[{"a":' * 51 + b"1" + b"}]" * 51,
    "a number of 5,000 digits": b'{"expires_in": ' + b"9" * 5_000 + b"}",
    "a float out of range": b'{"expires_in": 1e999}',
    "NaN": b'{"expires_in": NaN}',
    "Infinity": b'{"expires_in": -Infinity}',
    "a key twice": b'{"title": "a", "title": "b"}',
    "a key twice, deep inside": b'{"custom_data": [{"a": 1, "a": 2}]}',
    "a lone surrogate": rb'{"title": "\ud800"}',
    "a lone surrogate in a key": rb'{"\udfff": "x"}',
    "a NUL": rb'{"title": "a\u0000b"}',
    "a NUL in a key": rb'{"a\u0000b": 1}',
    "a NUL in a list": rb'["title=a\u0000b"]',
    "a raw control character": b'{"title": "a\x01b"}',
}


@pytest.fixture(scope="module")
def root(shared_site: Site) -> httpx.Client:
    upload(shared_site.user("dev"), "dev/stage", make_wheel())
    return shared_site.root


@pytest.mark.parametrize("what", NO_JSON)
@pytest.mark.parametrize("route", ROUTES)
def test_what_is_no_json_is_refused_and_the_body_is_named(
    shared_site: Site, root: httpx.Client, route: str, what: str
) -> None:
    method, path = ROUTES[route]
    with shared_site.unchanged():
        answer = root.request(method, path, content=NO_JSON[what], headers=JSON)
    assert faulty_fields(answer) == {"body"}


@pytest.mark.parametrize("body", ["[]", "[1]", '"text"', "1", "null", "true"])
@pytest.mark.parametrize("route", [route for route in ROUTES if route != "change an index"])
def test_json_that_is_no_object_is_refused(
    shared_site: Site, root: httpx.Client, route: str, body: str
) -> None:
    method, path = ROUTES[route]
    with shared_site.unchanged():
        answer = root.request(method, path, content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["message"] == "body: it must be a JSON object"


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_over_a_mebibyte_is_too_large(
    shared_site: Site, root: httpx.Client, route: str
) -> None:
    method, path = ROUTES[route]
    body = b'{"title": "' + b"x" * 1024 * 1024 + b'"}'
    with shared_site.unchanged():
        answer = root.request(method, path, content=body, headers=JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/+login", "/_/oidc/mint-token", "/_/oidc/burn-token"])
def test_who_is_not_logged_in_may_send_32_kibibytes(shared_site: Site, path: str) -> None:
    for size, words in ((32 * 1024, None), (32 * 1024 + 1, "at most 32 KiB")):
        body = b'{"a":"' + b"x" * (size - 8) + b'"}'
        assert len(body) == size
        answer = shared_site.anonymous.post(path, content=body, headers=JSON)
        assert answer.status_code in {400, 413, 422}
        assert (words or "32 KiB") in answer.text if words else "32 KiB" not in answer.text


def test_many_values_are_told_apart_from_too_many(shared_site: Site, root: httpx.Client) -> None:
    names = [f"name-{number}" for number in range(15_000)]
    answer = root.patch("/dev/stage", json={"surprise": names})
    assert faulty_fields(answer) == {"surprise"}


def test_an_answer_stays_short_whatever_was_wrong(shared_site: Site, root: httpx.Client) -> None:
    operations = root.patch("/dev/stage", json=["nonsense"] * 10_000)
    assert faulty_fields(operations) == {"body"}
    keys = root.patch("/dev/stage", json={f"key{number}": 1 for number in range(10_000)})
    assert len(faulty_fields(keys)) == 100
    assert max(len(operations.content), len(keys.content)) < 200_000


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_the_content_type_does_not_matter_where_only_json_is_possible(
    shared_site: Site, root: httpx.Client, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = json.dumps(VALID["log in"])
    assert root.post("/+login", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_a_push_is_known_by_its_media_type_alone(root: httpx.Client, content_type: str) -> None:
    answer = root.post("/dev/stage", content=b"{}", headers={"Content-Type": content_type})
    assert faulty_fields(answer) == {
        "name", "version", "targetindex",
    }  # fmt: skip


KEYS = {
    "create a user": ["password", "email", "title", "custom_data"],
    "change a user": ["email", "title", "custom_data", "created", "indexes"],
    "log in": ["user", "password"],
    "make a token": ["scope", "indexes", "expires_in", "note"],
    "create an index": ["type", "bases", "volatile", "acl_read", "title"],
    "change an index": ["type", "bases", "acl_upload", "reserved", "title", "projects", "result"],
    "push": ["name", "version", "targetindex", "no_docs", "posturl"],
    "push as devpi's client does": ["name", "version", "targetindex", "only_docs"],
    "yank": ["yanked", "filename"],
}
VALID: dict[str, dict[str, Any]] = {
    "create a user": {"password": password_of("newcomer")},
    "log in": {"user": "root", "password": password_of("root")},
    "push": {"name": "example", "version": "1.0", "targetindex": "dev/stage"},
    "push as devpi's client does": {"name": "example", "version": "1.0", "targetindex": "dev/x"},
    "yank": {"yanked": True},
}
ODD_VALUES = [
    None, True, 0, -1, 2**62, 1.5, "", " ", "x", "é💣", "x" * 5_000, "../..", "\r\nX: y",
    [], [None], [[]], ["x"], {}, {"a": {"b": []}},
]  # fmt: skip


@pytest.mark.parametrize(("route", "key"), [(route, key) for route in KEYS for key in KEYS[route]])
def test_odd_values_never_end_in_an_error_of_ours(
    site: Site, dev: httpx.Client, route: str, key: str
) -> None:
    upload(dev, "dev/stage", make_wheel())
    method, path = ROUTES[route]
    for value in ODD_VALUES:
        answer = site.root.request(method, path, json=VALID.get(route, {}) | {key: value})
        assert answer.status_code < 500, (value, answer.text)
        assert {"message", "result"} & set(answer.json())


@pytest.mark.parametrize("route", ROUTES)
def test_unknown_keys_are_named(shared_site: Site, root: httpx.Client, route: str) -> None:
    method, path = ROUTES[route]
    body = VALID.get(route, {}) | {"surprise": 1, "": 2}
    answer = root.request(method, path, json=body)
    if route == "log in":  # devpi's clients may say more than we need
        assert answer.status_code == 200
    else:
        assert faulty_fields(answer) >= {"surprise", ""}
