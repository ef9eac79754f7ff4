"""The port `IdentityTokens`, by PyJWT and the keys that issuers publish.

From the token itself nothing is taken but its algorithm and the name of its key, and both only as
choices among what the issuer's own keys allow: keys and addresses in its header (`jwk`, `jku`,
`x5u`, `x5c`) are not looked at.
"""

import base64
import binascii
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import MintRefused, Overloaded
from stillroom_server.domain.identity_tokens import MAX_TOKEN, SignedClaims
from stillroom_server.domain.names import shown

from .issuer_keys import ALGORITHMS, IssuerKey, IssuerKeys
from .limits import Limits

AT_ONCE = 8
"""How many tokens are looked at at the same time: anybody may send some, and some need keys."""
PATIENCE_SECONDS = 1.0


class JwtIdentityTokens:
    """Reads JWTs in the compact form (RFC 7515 §7.1). Safe to share by threads."""

    def __init__(
        self, *, user_agent: str, private: PrivateUpstreams, limits: Limits | None = None
    ) -> None:
        self._keys = IssuerKeys(user_agent=user_agent, private=private, limits=limits)
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def issuer_of(self, token: str) -> str:
        """Who signed it by its own words; raises MintRefused for what is no JWT."""
        issuer = _object(_decoded(_parts(token)[1])).get("iss")
        if not isinstance(issuer, str):
            raise _refused("its claim iss must be text")
        return issuer

    def verified(self, token: str, issuer: str) -> SignedClaims:
        """What that issuer has signed.

        Raises MintRefused, UpstreamFailed, UpstreamTimeout and Overloaded.
        """
        algorithm, kid = _chosen(_object(_decoded(_parts(token)[0])))
        with self._place():
            keys = [key for key in self._keys.named(issuer, kid) if algorithm in key.algorithms]
            if len(keys) != 1:
                what = "more than one key" if keys else "no key"
                raise _refused(f"the issuer has {what} for {algorithm} with the kid {shown(kid)}")
            claims = _object(_signed(token, keys[0], algorithm))
        signed_part = token.rpartition(".")[0]
        return SignedClaims(claims, hashlib.sha256(signed_part.encode()).digest())

    def close(self) -> None:
        """Close all connections."""
        self._keys.close()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise Overloaded("Too many identity tokens are being checked; try again in a moment.")
        try:
            yield
        finally:
            self._places.release()


def _refused(reason: str) -> MintRefused:
    return MintRefused("invalid-token", f"The identity token is refused: {reason}.")


def _parts(token: str) -> list[str]:
    if len(token) > MAX_TOKEN:
        raise _refused(f"it is longer than {MAX_TOKEN} characters")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():
        raise _refused("it is not a JWT of three parts")
    return parts


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _refused("its parts are not in base64url") from None


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise _refused("its header and claims must be JSON") from None
    if not isinstance(value, dict):
        raise _refused("its header and claims must be JSON objects")
    return value


def _chosen(header: Mapping[str, Any]) -> tuple[str, str | None]:
    """The algorithm and the name of the key that a header chooses."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refused(f"its alg must be one of {', '.join(sorted(ALGORITHMS))}")
    if "crit" in header or "b64" in header:
        raise _refused("its header asks for extensions (crit, b64) that are not supported")
    if not isinstance(kid, str | None):
        raise _refused("its kid must be text")
    return algorithm, kid


def _signed(token: str, key: IssuerKey, algorithm: str) -> bytes:
    """The payload, if the key has signed it."""
    import jwt  # with its cryptography it takes memory that most servers never need

    try:
        whole = jwt.PyJWS(algorithms=[algorithm]).decode_complete(
            token,
            jwt.PyJWK(dict(key.numbers), algorithm),
            [algorithm],
            {"verify_signature": True, "enforce_minimum_key_length": True},
        )
    except jwt.InvalidKeyError:
        raise _refused("the issuer's key is none, or too short") from None
    except jwt.PyJWTError:
        raise _refused("its signature is not by the issuer's key") from None
    payload: bytes = whole["payload"]
    return payload
