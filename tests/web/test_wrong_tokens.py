"""Tokens that are no good: one answer for all of them, and next to no work."""

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from stillroom_server.storage.tokens import SqlTokens
from support.distributions import make_wheel
from support.forms import encode, form_of
from support.site import (
    HTML,
    JSON,
    Site,
    basic,
    file_url,
    new_token,
    send,
    upload,
)

SENTENCE = "Wrong user name, password or token, or the token has expired or was revoked."
SEND, SEND_HEADERS = encode(form_of(make_wheel(version="2.0")))
EVERYWHERE_THEY_MAY = {
    "a page": ("GET", "/dev/stage/simple/example/", {"headers": {"Accept": HTML}}),
    "a list": ("GET", "/dev/stage/simple/", {"headers": {"Accept": JSON}}),
    "a file": ("GET", file_url("dev/stage", "example", make_wheel()), {}),
    "an upload": ("POST", "/dev/stage/", {"content": SEND, "headers": SEND_HEADERS}),
    "an index": ("GET", "/dev/stage", {}),
    "a project": ("GET", "/dev/stage/example", {}),
    "options": ("PATCH", "/dev/stage", {"json": ["title=mine"]}),
    "a deletion": ("DELETE", "/dev/stage/example/1.0", {}),
    "a user": ("GET", "/dev", {}),
    "tokens": ("GET", "/dev/+tokens", {}),
    "the token in use": ("GET", "/dev/+tokens/current", {}),
    "all users": ("GET", "/", {}),
    "the start page": ("GET", "/", {"headers": {"Accept": HTML}}),
    "the status": ("GET", "/+status", {}),
}
everywhere = pytest.mark.parametrize(
    ("method", "path", "kwargs"), EVERYWHERE_THEY_MAY.values(), ids=EVERYWHERE_THEY_MAY
)
WRONG = {
    "truncated": lambda secret: secret[:-1],
    "lengthened": lambda secret: secret + "A",
    "doubled": lambda secret: secret + secret,
    "of 1 MB": lambda secret: secret + "A" * 1_000_000,
    "without its prefix": lambda secret: secret.removeprefix("stillroom_"),
    "with another prefix": lambda secret: secret.replace("stillroom_", "pypi-"),
    "in capitals": str.upper,
    "the prefix alone": lambda _secret: "stillroom_",
}


@pytest.fixture(scope="module")
def stocked(shared_site: Site) -> Site:
    """The shared site with a project; whatever is refused leaves it as it is."""
    upload(shared_site.user("dev"), "dev/stage", make_wheel())
    return shared_site


@everywhere
@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_quite_one_is_refused_with_one_sentence(
    stocked: Site,
    change: Callable[[str], str],
    method: str,
    path: str,
    kwargs: dict[str, Any],
) -> None:
    wrong = change(new_token(stocked.user("dev"), "dev", expires_in=60)["token"])
    with stocked.unchanged():
        answer = stocked.bearer(wrong).request(method, path, **kwargs)
    assert answer.status_code == 401
    assert SENTENCE in answer.text
    assert "WWW-Authenticate" in answer.headers


@everywhere
@pytest.mark.parametrize("how", ["expired", "revoked", "somebody else's"])
def test_a_token_that_is_over_is_refused_with_the_same_sentence(
    clock: Any,
    site: Site,
    dev: httpx.Client,
    how: str,
    method: str,
    path: str,
    kwargs: dict[str, Any],
) -> None:
    upload(dev, "dev/stage", make_wheel())
    made = new_token(dev, "dev", expires_in=60)
    client = site.bearer(made["token"])
    assert client.get("/dev/stage/simple/example/", headers={"Accept": HTML}).status_code == 200
    if how == "expired":
        clock.advance(61)
    elif how == "revoked":
        assert dev.delete(f"/dev/+tokens/{made['id']}").status_code == 200
    else:
        client = site.client(**basic("root", made["token"]))
    with site.unchanged():
        answer = client.request(method, path, **kwargs)
    assert answer.status_code == 401
    assert SENTENCE in answer.text


def test_a_token_that_is_not_there_costs_one_look_into_the_database(
    stocked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    by_digest = SqlTokens.by_digest

    def counted(tokens: SqlTokens, digest: bytes) -> Any:
        asked.append(digest)
        return by_digest(tokens, digest)

    monkeypatch.setattr(SqlTokens, "by_digest", counted)
    secret = "stillroom_" + "A" * 43
    assert stocked.bearer(secret).get("/dev").status_code == 401
    assert asked == [hashlib.sha256(secret.encode()).digest()]
    # Longer than any: nothing is computed from it, and nobody is asked.
    assert stocked.bearer(secret * 100).get("/dev").status_code == 401
    assert len(asked) == 1


def test_an_upload_that_has_begun_ends_although_its_token_is_revoked(
    site: Site, dev: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_token(dev, "dev", allow=["upload"])
    client = site.bearer(made["token"])
    receive = site.services.uploads.receive

    def revoked_meanwhile() -> Any:
        assert dev.delete(f"/dev/+tokens/{made['id']}").status_code == 200
        return receive()

    with monkeypatch.context() as patch:
        patch.setattr(site.services.uploads, "receive", revoked_meanwhile)
        assert send(client, "dev/stage", make_wheel()).status_code == 200
    assert send(client, "dev/stage", make_wheel(version="2.0")).status_code == 401
