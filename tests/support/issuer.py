"""An issuer of identity tokens on loopback: discovery, keys that rotate, and what a CI job asks.

with Issuer() as issuer:
    token = issuer.token(aud="…", sub="repo:team/app:ref:refs/heads/main")
"""

import base64
import functools
import itertools
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from stillroom_server.domain.errors import MintRefused
from stillroom_server.services.ports import IdentityTokens
from stillroom_server.testing import HttpServer, Reply, Request

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
JOB_TOKEN = "/job-token"
JOB_SECRET = "the-secret-of-the-job"
SUBJECT = "repo:team/app:environment:release"

_MAKERS = {
    "RS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "PS": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
_numbers = itertools.count(1)


def new_private_key(algorithm: str) -> Any:
    """A key for an algorithm of RFC 7518 or RFC 8037."""
    return _MAKERS[algorithm if algorithm in _MAKERS else algorithm[:2]]()


@functools.cache
def _first_private_key(algorithm: str) -> Any:
    # RSA keys take a tenth of a second; issuers of different tests may share their first one.
    return new_private_key(algorithm)


class SigningKey:
    """A private key with its name, and what is published of it (RFC 7517)."""

    def __init__(self, algorithm: str = "RS256", private: Any = None, **published: Any) -> None:
        self.algorithm = algorithm
        self.kid = f"key-{next(_numbers)}"
        self.private = private or _first_private_key(algorithm)
        public = get_default_algorithms()[algorithm].to_jwk(self.private.public_key())
        said = {"kid": self.kid, "alg": algorithm, "use": "sig", **published}
        self.published = {
            **json.loads(public),
            **{name: value for name, value in said.items() if value is not None},
        }
        self.published.pop("key_ops", None)

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A JWT with these claims; a header of None is left out."""
        said = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid, **header}
        said = {name: value for name, value in said.items() if value is not None}
        parts = ".".join(segment(json.dumps(part).encode()) for part in (said, claims))
        signer = get_default_algorithms()[self.algorithm]
        return f"{parts}.{segment(signer.sign(parts.encode(), self.private))}"


def segment(content: bytes) -> str:
    """A part of a JWT: base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Issuer(HttpServer):
    """Publishes `keys` and signs with the first of them.

    `said_issuer` and `said_keys` are what its discovery document says; None for the truth. To a
    job that shows JOB_SECRET it gives tokens about `SUBJECT`, as a CI does.
    """

    def __init__(self, *keys: SigningKey, **how: Any) -> None:
        super().__init__(**how)
        self.keys = list(keys) or [SigningKey()]
        self.said_issuer: str | None = None
        self.said_keys: str | None = None
        self.headers: dict[str, str] = {}
        self.job_claims: dict[str, Any] = {"sub": SUBJECT}

    @property
    def url(self) -> str:
        """The claim `iss` of its tokens."""
        return self.root

    def rotate(self, algorithm: str = "RS256") -> SigningKey:
        """Sign with a new key from now on, and publish no other."""
        self.keys = [SigningKey(algorithm, new_private_key(algorithm))]
        return self.keys[0]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a good token, with changes; those that are None are left out."""
        now = int(time.time())
        given = {
            "iss": self.url,
            "sub": SUBJECT,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": f"token-{next(_numbers)}",
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}

    def token(self, **changes: Any) -> str:
        """A token signed with the first key."""
        return self.keys[0].sign(self.claims(**changes))

    def job_environment(self) -> dict[str, str]:
        """The variables by which a job on GitHub Actions finds where to ask for its tokens."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}{JOB_TOKEN}?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_SECRET,
        }

    def respond(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        if url.path == DISCOVERY:
            return self._json(
                {
                    "issuer": self.said_issuer or self.url,
                    "jwks_uri": self.said_keys or self.url + KEYS,
                }
            )
        if url.path == KEYS:
            return self._json({"keys": [key.published for key in self.keys]})
        if url.path == JOB_TOKEN:
            if request.headers.get("authorization", "").lower() != f"bearer {JOB_SECRET}".lower():
                return Reply(401, body=b"who are you?\n")
            [audience] = parse_qs(url.query)["audience"]
            return self._json({"value": self.token(aud=audience, **self.job_claims)})
        return super().respond(request)

    def _json(self, value: Any) -> Reply:
        headers = {"Content-Type": "application/json", **self.headers}
        return Reply(headers=headers, body=json.dumps(value).encode())


def unsigned(claims: Mapping[str, Any]) -> str:
    """A JWT that nobody signed (RFC 7519 §6)."""
    header = segment(json.dumps({"alg": "none"}).encode())
    return f"{header}.{segment(json.dumps(claims).encode())}."


def by_shared_secret(claims: Mapping[str, Any], secret: bytes, kid: str) -> str:
    """A JWT whose HMAC is made with what everybody can fetch."""
    parts = f"{segment(json.dumps({'alg': 'HS256', 'kid': kid}).encode())}."
    parts += segment(json.dumps(claims).encode())
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        parts.encode(), secret
    )
    return f"{parts}.{segment(signature)}"


def why_refused(reader: IdentityTokens, token: str, issuer: Issuer) -> str:
    """Why a reader of identity tokens refuses this one."""
    with pytest.raises(MintRefused) as caught:
        reader.verified(token, issuer.url)
    assert caught.value.code == "invalid-token"
    return caught.value.message
