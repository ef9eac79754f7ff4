"""What an identity token must say (A-09: clocks, leeway, one use)."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from stillroom_server.domain.errors import MintRefused
from stillroom_server.domain.identity_tokens import (
    KEPT_AFTER,
    LEEWAY,
    IdentityToken,
    SignedClaims,
    checked,
)
from stillroom_server.domain.publishing import Issuer
from support.rows import NOW

ISSUER = Issuer(1, "https://issuer.example.com", NOW - timedelta(days=365))
AUDIENCE = "stillroom-test"
SECOND = timedelta(seconds=1)
NOW_SECONDS = NOW.timestamp()
MINUTES = 60
MONTH = 30 * 24 * 3600


def check(ahead: timedelta = timedelta(0), **changes: Any) -> IdentityToken:
    """Judge a token that is good from now on for five minutes, when our clock is `ahead`."""
    given = {
        "iss": ISSUER.url,
        "aud": AUDIENCE,
        "sub": "a job",
        "iat": NOW_SECONDS,
        "nbf": NOW_SECONDS,
        "exp": NOW_SECONDS + 5 * MINUTES,
        "jti": "t1",
        **changes,
    }
    claims = {name: value for name, value in given.items() if value is not ...}
    return checked(SignedClaims(claims, b"\x12" * 32), ISSUER, AUDIENCE, NOW + ahead)


def refused(claim: str, ahead: timedelta = timedelta(0), **changes: Any) -> None:
    with pytest.raises(MintRefused, match=f"for its {claim}: ") as caught:
        check(ahead, **changes)
    assert caught.value.code == "invalid-token"


def test_a_good_token_is_known_by_its_claims() -> None:
    token = check(environment="release")
    assert (token.issuer, token.subject) == (ISSUER.url, "a job")
    assert token.claims["environment"] == "release"


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    five = timedelta(minutes=5)
    check(five + LEEWAY - SECOND)
    refused("exp", five + LEEWAY)
    check(-LEEWAY)
    refused("iat", -LEEWAY - SECOND)
    check(-LEEWAY, iat=NOW_SECONDS - MINUTES)
    refused("nbf", -LEEWAY - SECOND, iat=NOW_SECONDS - MINUTES)
    refused("iat", timedelta(minutes=-5))
    refused("exp", timedelta(minutes=10))


def test_its_use_is_remembered_until_no_process_can_accept_it() -> None:
    token = check()
    expires = NOW + timedelta(minutes=5)
    assert token.kept == expires + LEEWAY + KEPT_AFTER
    # Also by a process whose clock is behind by as much as two clocks may differ.
    with pytest.raises(MintRefused):
        check(token.kept - NOW - 2 * LEEWAY)


@pytest.mark.parametrize("claim", ["exp", "iat"])
@pytest.mark.parametrize(
    "value",
    [..., None, "1700000000", True, [], {}, float("nan"), float("inf"), float("-inf"), -1,
     10**18, 10**400, 1e308, 253_402_300_799],
)  # fmt: skip
def test_times_are_numbers_that_are_times(claim: str, value: Any) -> None:
    refused(claim, **{claim: value})


@pytest.mark.parametrize("value", [None, "1700000000", True, float("nan"), 10**18])
def test_the_begin_may_be_missing_but_not_wrong(value: Any) -> None:
    check(nbf=...)
    refused("nbf", nbf=value)


def test_fractions_of_a_second_are_fine() -> None:
    check(iat=NOW_SECONDS + 0.25, exp=NOW_SECONDS + 60.5)


def test_a_token_lives_a_day_at_most() -> None:
    day = 24 * 3600
    check(exp=NOW_SECONDS + day)
    refused("exp", exp=NOW_SECONDS + day + 1)
    refused("exp", exp=NOW_SECONDS)
    refused("exp", exp=NOW_SECONDS + MINUTES, iat=NOW_SECONDS - MONTH)


def test_a_token_is_no_older_than_the_issuers_entry() -> None:
    def against(created_ahead: float) -> IdentityToken:
        issuer = Issuer(1, ISSUER.url, NOW + timedelta(seconds=created_ahead))
        claims = {
            "iss": ISSUER.url,
            "aud": AUDIENCE,
            "iat": int(NOW_SECONDS),
            "exp": NOW_SECONDS + 60,
        }
        return checked(SignedClaims(claims, b""), issuer, AUDIENCE, NOW)

    against(0)
    with pytest.raises(MintRefused, match="iat"):
        against(1)


@pytest.mark.parametrize("issuer", [..., None, f"{ISSUER.url}/", ISSUER.url.upper(), [ISSUER.url]])
def test_the_issuer_is_the_one_whose_key_signed(issuer: Any) -> None:
    refused("iss", iss=issuer)


@pytest.mark.parametrize(
    "audience",
    [..., None, "", "other", AUDIENCE.upper(), f"{AUDIENCE} ", [], [AUDIENCE, "other"],
     [[AUDIENCE]], [AUDIENCE, AUDIENCE], {AUDIENCE: 1}, True],
)  # fmt: skip
def test_the_audience_is_ours_alone(audience: Any) -> None:
    check(aud=[AUDIENCE])
    refused("aud", aud=audience)


def test_a_token_is_told_from_others_by_its_jti_else_by_what_was_signed() -> None:
    assert check(jti="a").id == check(jti="a", sub="another job").id
    assert len({check(jti=jti).id for jti in ("a", "A", "a ", "b")}) == 4
    for none in (..., None, ""):
        assert check(jti=none).id == "12" * 32
    # Nobody can name a token so that it is taken for one without a name.
    assert check(jti="12" * 32).id != "12" * 32
    signed = SignedClaims(check().claims, hashlib.sha256(b"t1").digest())
    assert checked(signed, ISSUER, AUDIENCE, NOW).id != signed.digest.hex()
    assert len(check(jti="x" * 10_000).id) == 64


@pytest.mark.parametrize("value", [1, True, [], {}, "a\0", "a\nb", "\ud800"])
def test_names_in_it_are_text_that_can_be_stored(value: Any) -> None:
    refused("jti", jti=value)
    refused("sub", sub=value)


def test_a_token_without_a_subject_is_fine_if_the_rules_name_others() -> None:
    assert check(sub=...).subject is None
