"""The keys of issuers: kept, asked for anew, and hostile issuers (A-09)."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import (
    Overloaded,
    Trouble,
    UpstreamFailed,
    UpstreamTimeout,
)
from stillroom_server.testing import Reply, Request
from stillroom_server.upstream import identity_tokens
from stillroom_server.upstream.identity_tokens import JwtIdentityTokens
from stillroom_server.upstream.limits import Limits
from support.clock import SetClock
from support.issuer import (
    DISCOVERY,
    KEYS,
    Issuer,
    SigningKey,
    why_refused,
)

# Where keys come from


def test_keys_are_asked_for_once_and_kept(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock
) -> None:
    for _ in range(3):
        reader.verified(issuer.token(), issuer.url)
    assert issuer.paths == [DISCOVERY, KEYS]
    clock.advance(minutes=59)
    reader.verified(issuer.token(), issuer.url)
    assert len(issuer.paths) == 2
    clock.advance(minutes=2)
    reader.verified(issuer.token(), issuer.url)
    assert issuer.paths == [DISCOVERY, KEYS] * 2


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("max-age=0", 5), ("public, max-age=1200", 20), ("max-age=86400", 60), ("no-store", 60),
     ("max-age=x", 60)],
)  # fmt: skip
def test_keys_are_kept_as_the_issuer_says_within_bounds(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock, said: str, minutes: int
) -> None:
    issuer.headers = {"Cache-Control": said}
    reader.verified(issuer.token(), issuer.url)
    clock.advance(minutes=minutes, seconds=-1)
    reader.verified(issuer.token(), issuer.url)
    assert len(issuer.paths) == 2
    clock.advance(seconds=2)
    reader.verified(issuer.token(), issuer.url)
    assert len(issuer.paths) == 4


def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock
) -> None:
    old = issuer.keys[0]
    reader.verified(issuer.token(), issuer.url)
    clock.advance(seconds=61)
    issuer.rotate()
    reader.verified(issuer.token(), issuer.url)
    assert "no key" in why_refused(reader, old.sign(issuer.claims()), issuer)


def test_unknown_keys_make_nobody_ask_more_than_once_a_minute(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock
) -> None:
    def ask(number: int) -> None:
        token = issuer.keys[0].sign(issuer.claims(), kid=f"made-up-{number}")
        assert "no key" in why_refused(reader, token, issuer)

    for number in range(20):
        ask(number)
    assert len(issuer.paths) == 2
    clock.advance(seconds=61)
    for number in range(20):
        ask(number)
    assert len(issuer.paths) == 4


def test_many_at_once_ask_for_the_keys_once(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    hold = threading.Event()
    issuer.fault(DISCOVERY, hold=hold)
    token = issuer.token()
    with ThreadPoolExecutor(6) as pool:
        results = [pool.submit(reader.verified, token, issuer.url) for _ in range(6)]
        issuer.wait_for(DISCOVERY)
        hold.set()
        assert all(result.result().claims["iss"] == issuer.url for result in results)
    assert issuer.paths == [DISCOVERY, KEYS]


def test_who_comes_just_after_an_answer_does_not_ask_again(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    reader.verified(issuer.token(), issuer.url)
    keys = reader._keys
    assert keys._asked(issuer.url, None) is keys._known[issuer.url]
    assert issuer.paths == [DISCOVERY, KEYS]


def test_more_than_a_few_at_once_are_told_to_come_back(
    reader: JwtIdentityTokens, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_tokens, "PATIENCE_SECONDS", 0.05)
    hold = threading.Event()
    issuer.fault(DISCOVERY, hold=hold)
    token = issuer.token()
    with ThreadPoolExecutor(identity_tokens.AT_ONCE) as pool:
        results = [
            pool.submit(reader.verified, token, issuer.url) for _ in range(identity_tokens.AT_ONCE)
        ]
        issuer.wait_for(DISCOVERY)
        while reader._places._value:
            threading.Event().wait(0.01)
        with pytest.raises(Overloaded):
            reader.verified(token, issuer.url)
        hold.set()
        assert [result.result() is not None for result in results]
    assert reader.verified(token, issuer.url)


# Issuers in trouble


def test_an_issuer_that_is_away_is_trouble_and_left_alone_for_a_moment(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock
) -> None:
    issuer.fault(DISCOVERY, status=500)
    for _ in range(3):
        with pytest.raises(UpstreamFailed, match="try again"):
            reader.verified(issuer.token(), issuer.url)
    assert issuer.paths == [DISCOVERY]
    issuer.heal()
    clock.advance(seconds=11)
    assert reader.verified(issuer.token(), issuer.url)


def test_keys_that_are_too_old_are_not_used_while_the_issuer_is_away(
    reader: JwtIdentityTokens, issuer: Issuer, clock: SetClock
) -> None:
    reader.verified(issuer.token(), issuer.url)
    issuer.stop()
    clock.advance(minutes=59)
    assert reader.verified(issuer.token(), issuer.url)
    clock.advance(minutes=2)
    with pytest.raises(UpstreamFailed):
        reader.verified(issuer.token(), issuer.url)


def test_a_slow_issuer_is_given_up(
    make_reader: Callable[..., JwtIdentityTokens], issuer: Issuer
) -> None:
    issuer.fault(KEYS, drip=0.05)
    hasty = make_reader(Limits(connect=0.5, read=0.5, page=0.5))
    with pytest.raises(UpstreamTimeout):
        hasty.verified(issuer.token(), issuer.url)


def trouble(reader: JwtIdentityTokens, issuer: Issuer, caplog: pytest.LogCaptureFixture) -> str:
    """What the log says of an issuer that is not believed."""
    with pytest.raises(Trouble) as caught:
        reader.verified(issuer.token(), issuer.url)
    assert caught.value.message == (
        f"The issuer {issuer.url} cannot be asked for its keys; try again."
    )
    return caplog.messages[-1]


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"[" * 100_000, b"<html>", b"{}", b'{"keys": {}}',
     b" " * (1024 * 1024 + 1), json.dumps({"keys": [{}] * 101}).encode()],
)  # fmt: skip
def test_documents_that_are_none_are_not_believed(
    reader: JwtIdentityTokens, path: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Issuer):
        def respond(self, request: Request) -> Reply:
            return Reply(body=body) if request.path == path else super().respond(request)

    with Broken() as broken:
        assert trouble(reader, broken, caplog)


def test_a_hundred_keys_and_some_that_are_none_are_fine(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    class Odd(SigningKey):
        published: Any

    for odd in (None, "key", 7, [], {}, {"kty": {}}):
        key = Odd()
        key.published = odd
        issuer.keys.append(key)
    assert reader.verified(issuer.token(), issuer.url)


def test_the_discovery_document_must_be_the_issuers_own(
    reader: JwtIdentityTokens, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.said_issuer = f"{issuer.url}/"
    assert "another issuer's" in trouble(reader, issuer, caplog)


@pytest.mark.parametrize(
    "keys",
    [" ", "keys", "/keys", "http:keys", "file:///etc/passwd", "ftp://127.0.0.1/",
     "http://keys.invalid/", "//", 7, "http://user:password@127.0.0.1/"],
)  # fmt: skip
def test_keys_are_at_a_secure_url(
    reader: JwtIdentityTokens, issuer: Issuer, caplog: pytest.LogCaptureFixture, keys: Any
) -> None:
    issuer.said_keys = keys
    assert "names no https URL for its keys" in trouble(reader, issuer, caplog)
    assert issuer.paths == [DISCOVERY]


def test_an_address_that_is_not_public_is_not_asked(
    make_reader: Callable[..., JwtIdentityTokens],
    issuer: Issuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = make_reader(private=PrivateUpstreams.parse([f"127.0.0.1:{issuer.port}"]))
    issuer.said_keys = "https://127.0.0.1:9/keys"
    assert "private_upstreams" in trouble(reader, issuer, caplog)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
def test_redirects_lead_to_no_other_host(
    reader: JwtIdentityTokens,
    make_reader: Callable[..., JwtIdentityTokens],
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Moved(Issuer):
        target = ""

        def respond(self, request: Request) -> Reply:
            if request.path == path:
                return Reply(302, {"Location": f"{self.target}/moved"})
            moved = Request(request.method, path, request.headers)
            return super().respond(moved if request.path == "/moved" else request)

    with Issuer() as elsewhere, Moved() as moved:
        assert reader.verified(moved.token(), moved.url)
        moved.target = elsewhere.url
        assert "redirects elsewhere" in trouble(make_reader(), moved, caplog)
        assert elsewhere.requests == []
