"""Identity tokens (OpenID Connect): what one must say, once its signature is known to be right.

All times of one token are judged by the same leeway for clocks that differ, and the note that it
was used is kept for longer than it could be accepted anywhere.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .errors import MintRefused
from .publishing import Issuer

LEEWAY = timedelta(seconds=30)
"""How far the clock of an issuer, or of another of our processes, may be from ours."""

KEPT_AFTER = 10 * LEEWAY
"""For how long after its last moment, leeway included, it is known that a token was used."""

MAX_LIFETIME = timedelta(days=1)
MAX_TOKEN = 16 * 1024
"""Characters of an identity token."""

_END_OF_TIME = 253_402_300_800
"""The year 10000, in seconds since 1970: what no `datetime` reaches."""


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """What an issuer has signed. `digest` is the SHA-256 of all that the signature is for."""

    claims: Mapping[str, object]
    digest: bytes


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """A token that may be exchanged, once, by those whom its claims match.

    `id` tells it from all others of its issuer, in 64 hexadecimal digits; until `kept` it must be
    remembered that it was used. `subject` is the claim `sub`, None where there is none.
    """

    issuer: str
    id: str
    subject: str | None
    claims: Mapping[str, object]
    kept: datetime


def checked(signed: SignedClaims, issuer: Issuer, audience: str, now: datetime) -> IdentityToken:
    """Judge what was signed; raises MintRefused naming the claim that is wrong."""
    claims = signed.claims
    if claims.get("iss") != issuer.url:
        raise _invalid("iss", "it is not the issuer that signed it")
    if claims.get("aud") not in (audience, [audience]):
        raise _invalid("aud", f"it must be {audience}, alone; ask for a token for that audience")
    expires = _check_times(claims, issuer, now)
    subject = claims.get("sub")
    if subject is not None and not _is_storable(subject):
        raise _invalid("sub", "it must be text")
    return IdentityToken(
        issuer=issuer.url,
        id=_id_of(signed),
        subject=str(subject) if subject is not None else None,
        claims=claims,
        kept=expires + LEEWAY + KEPT_AFTER,
    )


def _check_times(claims: Mapping[str, object], issuer: Issuer, now: datetime) -> datetime:
    """When it expires, if it holds now (RFC 7519 §4.1.4 to 4.1.6)."""
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else issued
    if now >= expires + LEEWAY:
        raise _invalid("exp", "the token has expired; ask for a new one")
    if issued > now + LEEWAY:
        raise _invalid("iat", "it is in the future; compare the clocks of the two servers")
    if begins > now + LEEWAY:
        raise _invalid("nbf", "the token is not valid yet")
    if not issued < expires <= issued + MAX_LIFETIME:
        raise _invalid("exp", "it must be after iat, by a day at most")
    # Whoever removes an issuer and adds it again must not let old tokens be used again.
    if issued < issuer.created.replace(microsecond=0):
        raise _invalid("iat", "the token is older than the issuer's entry here; ask for a new one")
    return expires


def _time(claims: Mapping[str, object], name: str) -> datetime:
    value = claims.get(name)
    # The comparison is also false for what is no number at all (NaN).
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(name, "it must be a number of seconds")
    if not 0 <= value < _END_OF_TIME - MAX_LIFETIME.total_seconds() - KEPT_AFTER.total_seconds():
        raise _invalid(name, "it must be a time, in seconds since 1970")
    return datetime.fromtimestamp(value, UTC)


def _id_of(signed: SignedClaims) -> str:
    """By its `jti`, else by what was signed: the signature itself can be written in two ways."""
    token_id = signed.claims.get("jti")
    if token_id is None or token_id == "":
        return signed.digest.hex()
    if not _is_storable(token_id):
        raise _invalid("jti", "it must be text")
    # Its length is the issuer's choice, that of a key in our tables is not.
    return hashlib.sha256(b"jti:" + str(token_id).encode()).hexdigest()


def _is_storable(value: object) -> bool:
    """Whether it is text that every database takes: without NUL and without halves of pairs."""
    return isinstance(value, str) and "\0" not in value and value.isprintable()


def _invalid(claim: str, rule: str) -> MintRefused:
    return MintRefused("invalid-token", f"The identity token is refused for its {claim}: {rule}.")
