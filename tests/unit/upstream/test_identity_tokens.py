"""The real `IdentityTokens`: hostile tokens (A-09)."""

import json
import subprocess
import sys
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stillroom_server.domain.errors import (
    MintRefused,
)
from stillroom_server.domain.identity_tokens import MAX_TOKEN
from stillroom_server.upstream.identity_tokens import JwtIdentityTokens
from support.issuer import (
    KEYS,
    Issuer,
    SigningKey,
    by_shared_secret,
    new_private_key,
    segment,
    unsigned,
    why_refused,
)

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
              "ES256", "ES384", "ES512", "EdDSA"]  # fmt: skip


# Signatures


@pytest.mark.parametrize("said", [True, False], ids=["with its alg", "without an alg"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_the_issuer_signed_is_believed(
    reader: JwtIdentityTokens, issuer: Issuer, algorithm: str, *, said: bool
) -> None:
    issuer.keys = [SigningKey(algorithm, **({} if said else {"alg": None}))]
    token = issuer.token(environment="release", nested={"a": [1]})
    assert reader.issuer_of(token) == issuer.url
    signed = reader.verified(token, issuer.url)
    assert signed.claims["environment"] == "release"
    assert signed.claims["nested"] == {"a": [1]}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_somebody_else_signed_is_not(
    reader: JwtIdentityTokens, issuer: Issuer, algorithm: str
) -> None:
    own = issuer.keys[0] = SigningKey(algorithm)
    thief = SigningKey(algorithm, new_private_key(algorithm))
    token = thief.sign(issuer.claims(), kid=own.kid)
    assert "signature" in why_refused(reader, token, issuer)


def test_a_changed_claim_is_found_out(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    header, _payload, signature = issuer.token().split(".")
    payload = segment(json.dumps(issuer.claims(sub="another job")).encode())
    assert "signature" in why_refused(reader, f"{header}.{payload}.{signature}", issuer)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, "HS256", "HS512", "ES256K",
                                 "RS1", "dir", 7, ["RS256"]])  # fmt: skip
def test_the_algorithm_is_one_for_public_keys(
    reader: JwtIdentityTokens, issuer: Issuer, alg: object
) -> None:
    assert "alg" in why_refused(reader, issuer.keys[0].sign(issuer.claims(), alg=alg), issuer)
    assert issuer.requests == []


def test_a_token_that_nobody_signed_is_refused(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    assert "alg" in why_refused(reader, unsigned(issuer.claims()), issuer)
    stripped = issuer.token().rpartition(".")[0] + "."
    assert "signature" in why_refused(reader, stripped, issuer)


def test_the_public_key_is_no_shared_secret(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    key = issuer.keys[0]
    public = key.private.public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.published).encode(),
        b"",
    ):
        assert "alg" in why_refused(
            reader, by_shared_secret(issuer.claims(), secret, key.kid), issuer
        )


def test_a_key_is_used_with_its_own_algorithm_only(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    key = issuer.keys[0]
    other = SigningKey("PS256", key.private)
    other.kid = key.kid
    assert "no key for PS256" in why_refused(reader, other.sign(issuer.claims()), issuer)


def test_a_shared_secret_among_the_keys_is_never_used(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    class Careless(SigningKey):
        published: dict[str, Any]

    careless = Careless()
    careless.published = {"kty": "oct", "kid": "shared", "alg": "HS256", "k": segment(b"x" * 32)}
    issuer.keys.append(careless)
    assert "alg" in why_refused(
        reader, by_shared_secret(issuer.claims(), b"x" * 32, "shared"), issuer
    )
    careless.published["alg"] = "RS256"
    token = issuer.keys[0].sign(issuer.claims(), kid="shared")
    assert "no key" in why_refused(reader, token, issuer)


@pytest.mark.parametrize(
    "published",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"alg": "RSA-OAEP"},
     {"kty": "EC"}, {"kty": ["RSA"]}, {"crv": "P-256"}, {"n": 7}, {"kid": 7}],
)  # fmt: skip
def test_a_key_for_something_else_is_not_used(
    reader: JwtIdentityTokens, issuer: Issuer, published: dict[str, Any]
) -> None:
    issuer.keys[0].published |= published
    assert "no key" in why_refused(reader, issuer.token(), issuer)


@pytest.mark.parametrize("numbers", [{"n": ""}, {"n": "!"}, {"e": ""}, {"e": "AA"}, {"n": "AA"},
                                     {"n": "A" * 100_000}, {"n": None}])  # fmt: skip
def test_a_key_of_wrong_numbers_refuses_its_tokens(
    reader: JwtIdentityTokens, issuer: Issuer, numbers: dict[str, str | None]
) -> None:
    issuer.keys[0].published |= {k: v for k, v in numbers.items() if v is not None}
    for missing in (k for k, v in numbers.items() if v is None):
        del issuer.keys[0].published[missing]
    assert why_refused(reader, issuer.token(), issuer)


def test_a_point_that_is_on_no_curve_refuses_its_tokens(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    issuer.keys = [SigningKey("ES256")]
    issuer.keys[0].published["y"] = issuer.keys[0].published["x"]
    assert why_refused(reader, issuer.token(), issuer)


def test_a_short_key_is_not_believed(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    issuer.keys = [SigningKey("RS256", short)]
    assert "short" in why_refused(reader, issuer.token(), issuer)


# Headers


def test_keys_and_addresses_in_the_header_are_not_looked_at(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    with Issuer(SigningKey("RS256", new_private_key("RS256"))) as thief:
        header = {
            "jwk": thief.keys[0].published,
            "jku": thief.url + KEYS,
            "x5u": thief.url + KEYS,
            "x5c": ["AAAA"],
        }
        own = issuer.keys[0].kid
        for kid in (own, thief.keys[0].kid, None):
            token = thief.keys[0].sign(issuer.claims(), **header, kid=kid)
            assert why_refused(reader, token, issuer)
        assert thief.requests == []
    assert reader.verified(issuer.keys[0].sign(issuer.claims(), **header), issuer.url)


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": "b64"},
                                    {"crit": ["b64"], "b64": False}, {"b64": True},
                                    {"b64": False}])  # fmt: skip
def test_extensions_that_must_be_understood_are_not(
    reader: JwtIdentityTokens, issuer: Issuer, header: dict[str, Any]
) -> None:
    token = issuer.keys[0].sign(issuer.claims(), **header)
    assert "crit" in why_refused(reader, token, issuer)


@pytest.mark.parametrize("kid", [7, ["x"], {}, True])
def test_the_name_of_a_key_is_text(reader: JwtIdentityTokens, issuer: Issuer, kid: object) -> None:
    assert "kid" in why_refused(reader, issuer.keys[0].sign(issuer.claims(), kid=kid), issuer)


def test_without_the_name_of_a_key_there_must_be_one_that_fits(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    issuer.keys.append(SigningKey("ES256"))
    nameless = issuer.keys[0].sign(issuer.claims(), kid=None)
    assert reader.verified(nameless, issuer.url)


def test_two_keys_of_one_name_are_none(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    issuer.keys.append(SigningKey("RS256", new_private_key("RS256")))
    issuer.keys[1].published["kid"] = issuer.keys[0].kid
    assert "more than one key" in why_refused(reader, issuer.token(), issuer)


# Forms


def test_what_is_no_jwt_is_refused(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    header, payload, signature = issuer.token().split(".")
    deep = segment(b"[" * 9_000)
    for token in (
        "", ".", "..", "a.b", f"{header}.{payload}", f"{header}.{payload}.{signature}.",
        f"{header}.{payload}.{signature}!", f"{header}.{payload}.{signature}=", f" {header}.a.b",
        f"{segment(b'[]')}.{payload}.{signature}", f"{segment(b'{')}.{payload}.{signature}",
        f"{segment(bytes([255]))}.{payload}.{signature}", f"{deep}.{payload}.{signature}",
        f"{header}.{payload}.{signature}é", "x" * (MAX_TOKEN + 1),
    ):  # fmt: skip
        assert why_refused(reader, token, issuer)


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b"{", b"[" * 9_000, b"\xff",
                                     b"not json", b'{"iss": 7}', b"{}"])  # fmt: skip
def test_claims_that_are_none_name_no_issuer(reader: JwtIdentityTokens, payload: bytes) -> None:
    with pytest.raises(MintRefused):
        reader.issuer_of(f"{segment(b'{}')}.{segment(payload)}.")


def test_a_token_is_as_long_as_it_may_be(reader: JwtIdentityTokens, issuer: Issuer) -> None:
    empty = len(issuer.token(filler=""))
    room = (MAX_TOKEN - empty) * 3 // 4 - 8
    assert reader.verified(issuer.token(filler="x" * room), issuer.url)
    assert "longer" in why_refused(reader, issuer.token(filler="x" * MAX_TOKEN), issuer)


def test_a_signature_that_is_written_in_another_way_changes_no_name(
    reader: JwtIdentityTokens, issuer: Issuer
) -> None:
    issuer.keys = [SigningKey("ES256")]
    token = issuer.token(jti=None)
    signed_part, _, signature = token.rpartition(".")
    half = 32
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    raw = jwt.utils.base64url_decode(signature)
    other = raw[:half] + (order - int.from_bytes(raw[half:])).to_bytes(half)
    twin = f"{signed_part}.{segment(other)}"
    assert twin != token
    digests = {reader.verified(each, issuer.url).digest for each in (token, twin)}
    assert len(digests) == 1


# What it costs


def test_nothing_of_it_is_imported_before_a_token_comes() -> None:
    script = (
        "import sys\n"
        "import stillroom_server.app.assembly, stillroom_server.upstream.identity_tokens\n"
        "print(sorted({'jwt', 'cryptography', 'httpx'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
