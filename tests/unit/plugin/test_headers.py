"""Credentials in the headers that clients send."""

import base64

import pytest

from stillroom_server.plugin.api import Credentials, NotAuthenticated
from stillroom_server.plugin.manager import Plugins


def _encoded(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(raw).decode()


def _basic(text: str | bytes) -> dict[str, str]:
    return {"authorization": f"Basic {_encoded(text)}"}


def _read(headers: dict[str, str]) -> Credentials | None:
    return Plugins().credentials(headers)


@pytest.mark.parametrize(
    ("headers", "user", "secret"),
    [
        (_basic("dev:secret"), "dev", "secret"),
        (_basic("dev:with:colons"), "dev", "with:colons"),
        (_basic("dev:pässword"), "dev", "pässword"),
        (_basic("dev:pässword".encode("latin-1")), "dev", "pässword"),
        (_basic("__token__:abc"), None, "abc"),
        (_basic("abc:"), None, "abc"),
        (_basic(":abc"), None, "abc"),
        ({"authorization": f"bAsIc  {_encoded('dev:secret')} "}, "dev", "secret"),
        ({"authorization": "Bearer abc"}, None, "abc"),
        ({"authorization": "bearer  abc "}, None, "abc"),
        ({"x-devpi-auth": _encoded("dev:abc")}, "dev", "abc"),
        ({"x-devpi-auth": _encoded("dev:abc"), **_basic("other:x")}, "dev", "abc"),
    ],
)
def test_all_forms_that_clients_use_are_read(headers, user, secret):
    assert _read(headers) == Credentials(user, secret)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer   "},
        {"authorization": "Negotiate abc"},
        {"x-devpi-auth": ""},
        _basic(":"),
    ],
)
def test_no_credentials_are_no_mistake(headers):
    assert _read(headers) is None


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"authorization": "Basic !!!"}, "not base64"),
        ({"authorization": "Basic dev:secret"}, "not base64"),
        ({"authorization": "Basic é"}, "not base64"),
        ({"x-devpi-auth": "dev:secret"}, "not base64"),
        (_basic("no colon here"), "no colon"),
        ({"authorization": "Basic "}, "no colon"),
    ],
)
def test_credentials_that_cannot_be_read_are_refused_without_repeating_them(headers, rule):
    with pytest.raises(NotAuthenticated, match=rule) as caught:
        _read(headers)
    assert "secret" not in caught.value.message
