"""Rows H-03, H-05, H-07, H-12 to H-14, H-17: paths, hosts and forwarding headers, on the wire.

Where each row about requests is tested:

| row        | what                           | where                                            |
|------------|--------------------------------|--------------------------------------------------|
| H-01, H-02 | ambiguous and oversized heads  | test_heads, test_bodies (chunks)                 |
| H-03, H-05 | dots, slashes, double encoding | here; tests/web/test_page_addresses, more routes |
| H-04       | static views and docs          | there are none                                   |
| H-06       | control characters             | test_heads; tests/web/test_page_addresses        |
| H-07       | NUL and `%ff`                  | here; tests/web/test_page_addresses              |
| H-08, H-10 | slow clients, many connections | test_slow_clients                                |
| H-09       | large and odd forms            | test_bodies; tests/web/test_refused_uploads      |
| H-11       | headers of downloads           | tests/web/test_files                             |
| H-12       | redirects that leave the host  | here; no request names where it is redirected to |
| H-13       | forged hosts and forwarding    | here; tests/web/test_proxy                       |
| H-14       | HEAD                           | here; tests/web/test_permission_matrix           |
| H-15       | Range                          | tests/web/test_files, test_mirror_files          |
| H-16       | Accept                         | tests/web/test_page_negotiation                  |
| H-17       | search text                    | here                                             |
| J-01..J-04 | broken JSON                    | here, some; tests/web/test_json_bodies           |
| J-05       | changes at the same time       | tests/web/test_options_tag                       |
| J-06       | bases                          | tests/web/test_indexes                           |
| J-07       | unknown names                  | tests/web/test_strangers, test_indexes           |
| J-08       | every route and method         | tests/web/test_permission_matrix                 |
"""

from collections.abc import Callable

import httpx
import pytest

from support.raw_http import Wire

NewWire = Callable[..., Wire]
OUTSIDE = "https://packages.example.org/caf%C3%A9"


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"outside_url": OUTSIDE, "hosts": "index.example.org,[2001:db8::1]"}


def get(path: bytes, host: bytes = b"%HOST%", *fields: bytes, method: bytes = b"GET") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return method + b" " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + lines + b"\r\n"


PIECES = [
    b"..", b"%2e%2e", b"%2E%2E%2f%2e%2e", b"..%2f..%2fetc%2fpasswd", b"%2f", b"%5c", b"//", b"/",
    b"%2F%2F..%2F", b";", b"..;", b"%c0%ae%c0%ae", b"%c0%af", b"%e0%80%ae", b"%252e%252e",
    b"%2525", b"%00", b"%ff", b"%fe%ff", b"a%00b", b"%0d%0aX-Evil:1", b"%0a", b"\\", b"%",
    b"%zz", b"%u002e", b"~root", b"C:%5c", b"file:%2f%2f", b"%e2%80%ae", b"\xff", b"\xc3\xa9",
]  # fmt: skip
PLACES = [
    b"/%s", b"//%s", b"/root/stage/%s", b"/root/stage/+f/%s", b"/root/stage/+f/a/b/%s",
    b"/root/stage/simple/%s/", b"/root/%s/simple/a/", b"/+%s", b"/?%s", b"/root/stage/simple/?%s",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_h03_h05_h07_no_path_is_more_than_a_name(
    wire: NewWire, root: httpx.Client, piece: bytes
) -> None:
    token = b"Authorization: " + root.headers["Authorization"].encode()
    for target in (place % piece for place in PLACES):
        for fields in ([], [token]):
            answer = wire().send(get(target, b"%HOST%", *fields)).answer()
            assert answer.status < 500, target
            assert "x-evil" not in answer.headers
            assert b"root:" not in answer.body
            assert answer.headers.get("location", OUTSIDE).startswith(OUTSIDE), target


@pytest.mark.parametrize("path", [b"//evil.example", b"/\\evil.example", b"/%09/evil.example"])
def test_h12_no_redirect_leaves_the_host(wire: NewWire, root: httpx.Client, path: bytes) -> None:
    token = b"Authorization: " + root.headers["Authorization"].encode()
    for more in (b"", b"/simple", b"/root/stage/simple"):
        answer = wire().send(get(path + more, b"%HOST%", token, b"Accept: text/html")).answer()
        assert answer.status < 500
        assert answer.headers.get("location", OUTSIDE).startswith(OUTSIDE)


# Hosts

MALFORMED = [
    b"", b" ", b"a b", b"a/b", b"user@a", b"a:b", b"a:99999", b"a:", b":80", b"a,b", b"<a>",
    b'"a"', b"[::1", b"::1", b"[a]", b"a\\b", b"a?b", b"\xff", b"a" * 300, b"-a", b"http://a",
    b"a%00b",
]  # fmt: skip
OURS = [
    b"%HOST%", b"localhost", b"LOCALHOST:1", b"127.0.0.1:8080", b"127.8.9.1", b"[::1]:3141",
    b"a.localhost", b"packages.example.org", b"Packages.Example.org:443", b"packages.example.org.",
    b"index.example.org", b"[2001:db8::1]:8443",
]  # fmt: skip
FOREIGN = [
    b"evil.example", b"evil.example:3141", b"localhost.evil.example",
    b"packages.example.org.evil.x", b"evilpackages.example.org", b"192.0.2.1", b"[2001:db8::2]",
]  # fmt: skip


@pytest.mark.parametrize("host", MALFORMED, ids=repr)
@pytest.mark.parametrize("path", [b"/+api", b"/+live"])
def test_h13_a_malformed_host_is_refused(wire: NewWire, host: bytes, path: bytes) -> None:
    answer = wire().send(get(path, host)).answer()
    assert answer.status == 400
    assert answer.text.startswith("Host: ")


@pytest.mark.parametrize("host", OURS, ids=repr)
def test_h13_our_names_are_answered(wire: NewWire, host: bytes) -> None:
    answer = wire().send(get(b"/+api", host, b"Accept: application/json")).answer()
    assert answer.status == 200
    assert f'"{OUTSIDE}/+login"' in answer.text


@pytest.mark.parametrize("host", FOREIGN, ids=repr)
def test_h13_a_name_that_is_not_ours_is_refused_and_the_setting_named(
    wire: NewWire, host: bytes
) -> None:
    for path in (b"/+api", b"/", b"/root/pypi/simple/", b"/+live/x"):
        answer = wire().send(get(path, host)).answer()
        assert answer.status == 400
        assert "hosts" in answer.text
    for path in (b"/+live", b"/+ready"):
        assert wire().send(get(path, host)).answer().status == 200


FORGED = [
    b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: gopher", b"X-Forwarded-For: 192.0.2.1",
    b"X-Forwarded-Prefix: /evil", b"X-Outside-URL: https://evil.example/",
    b"Forwarded: for=192.0.2.1;host=evil.example", b"X-Forwarded-Port: 1", b"X-Request-ID: evil",
]  # fmt: skip


@pytest.mark.parametrize("field", FORGED, ids=lambda field: field.split(b":")[0].decode())
def test_h13_what_clients_say_of_themselves_changes_nothing(wire: NewWire, field: bytes) -> None:
    answer = wire().send(get(b"/+api", b"%HOST%", field)).answer()
    assert answer.status == 200
    assert "evil" not in answer.text
    assert "evil" not in answer.headers["x-request-id"]
    assert f'"{OUTSIDE}/+login"' in answer.text


# And the rest


@pytest.mark.parametrize(
    "path", [b"/+api", b"/", b"/+live", b"/root/pypi", b"/root/stage/simple/", b"/absent/x"]
)
def test_h14_head_is_get_without_its_body_and_the_connection_goes_on(
    wire: NewWire, root: httpx.Client, path: bytes
) -> None:
    token = b"Authorization: " + root.headers["Authorization"].encode()
    with wire() as client:
        for _ in range(2):
            got = client.send(get(path, b"%HOST%", token)).answer()
            client.send(get(path, b"%HOST%", token, method=b"HEAD"))
            head = client.answer(head=True)
            assert head.status == got.status
            changing = {"date", "x-request-id"}
            assert {k: v for k, v in head.headers.items() if k not in changing} == {
                k: v for k, v in got.headers.items() if k not in changing
            }


SEARCHES = [
    b"%25",
    b"_",
    b"%5C",
    b"'",
    b"%22",
    b"a" * 8_000,
    b".*",
    b"(a+)+$",
    b"[",
    b"%00",
    b"%ff",
]


@pytest.mark.parametrize("text", SEARCHES, ids=lambda text: text[:8].decode())
def test_h17_a_search_is_for_text(wire: NewWire, root: httpx.Client, text: bytes) -> None:
    token = b"Authorization: " + root.headers["Authorization"].encode()
    for key in (b"prefix", b"q", b"after"):
        client = wire()
        client.send(get(b"/root/stage/+projects?" + key + b"=" + text, b"%HOST%", token))
        assert client.answer().status in {200, 400}


BROKEN = [
    b"", b"{", b"[" * 20_000, b'{"user": ' + b"9" * 5_000 + b"}", b'{"user": NaN}', b"\xff{}",
    b'{"user": "\\ud800", "password": "x"}', b'{"user": "a", "user": "b"}', b'{"user": null}',
]  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: body[:12].decode("latin-1"))
def test_j01_to_j04_broken_json_is_refused(wire: NewWire, body: bytes) -> None:
    client = wire()
    client.send(b"POST /+login HTTP/1.1\r\nHost: %HOST%\r\n")
    client.send(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert client.answer().status == 400
