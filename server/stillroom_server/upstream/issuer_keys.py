"""The keys of issuers of identity tokens: found by discovery, kept for a while, asked anew.

OpenID Connect Discovery 1.0 says where they are, RFC 7517 how they are written.
"""

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import Trouble, UpstreamFailed
from stillroom_server.domain.publishing import insecure
from stillroom_server.services.caching import SingleFlight

from .deadline import within
from .limits import Limits
from .raw import Unreadable, document_url
from .shared_session import SharedSession

log = logging.getLogger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
MAX_DOCUMENT = 1024 * 1024
"""Bytes of a discovery document, and of a set of keys."""
MAX_KEYS = 100
MIN_SECONDS, MAX_SECONDS = 300.0, 3600.0
"""For how long keys are kept; within that, what the issuer's Cache-Control says."""
UNKNOWN_KEY_SECONDS = 60.0
"""How old keys must be before a token by another key makes us ask for them again."""
FAILURE_SECONDS = 10.0
"""For how long an issuer that failed is not asked again."""
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip"}
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age=([0-9]{1,9})\s*(?:,|$)", re.IGNORECASE)

_ALGORITHMS: Mapping[tuple[object, object], frozenset[str]] = {
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
    ("OKP", "Ed448"): frozenset({"EdDSA"}),
}
"""What a key of a type and curve can sign with (RFC 7518 §3.1, RFC 8037): no shared secrets."""
ALGORITHMS = frozenset[str]().union(*_ALGORITHMS.values())
_PUBLIC = ("kty", "crv", "n", "e", "x", "y")


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key: its name, what it may sign with, and its numbers as RFC 7518 §6 has them."""

    kid: str | None
    algorithms: frozenset[str]
    numbers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Known:
    """What an issuer said at a monotonic time, and until when that holds."""

    keys: Sequence[IssuerKey]
    asked: float
    until: float


@dataclass(frozen=True, slots=True)
class _Failed:
    """How an issuer could not be asked, and until when it is left alone."""

    kind: type[Trouble]
    until: float


class IssuerKeys:
    """Asks issuers for their keys. Safe to share by threads.

    `private` are the hosts that may be asked although their addresses are not public. The HTTP
    library is imported and the session opened at first use.
    """

    def __init__(
        self, *, user_agent: str, private: PrivateUpstreams, limits: Limits | None = None
    ) -> None:
        self._private = private
        self._limits = limits or Limits(page=10)
        self._session = SharedSession(user_agent=user_agent, limits=self._limits, private=private)
        self._known: dict[str, _Known] = {}
        self._failed: dict[str, _Failed] = {}
        self._flights: SingleFlight[str, _Known] = SingleFlight()

    def named(self, issuer: str, kid: str | None) -> Sequence[IssuerKey]:
        """The keys of that name; all of them without a name.

        Keys that are too old are never used: somebody may have got hold of one that the issuer
        has withdrawn. Raises UpstreamFailed and UpstreamTimeout.
        """
        known = self._known.get(issuer)
        now = time.monotonic()
        if known is None or now >= known.until:
            known = self._flights.run(issuer, lambda: self._asked(issuer, known))
        found = _of_name(known.keys, kid)
        if found or now < known.asked + UNKNOWN_KEY_SECONDS:
            return found
        old = known
        return _of_name(self._flights.run(issuer, lambda: self._asked(issuer, old)).keys, kid)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _asked(self, issuer: str, seen: _Known | None) -> _Known:
        """What the issuer says now, unless somebody has asked since `seen`."""
        current = self._known.get(issuer)
        if current is not None and current is not seen:
            return current
        failed = self._failed.get(issuer)
        if failed is not None and time.monotonic() < failed.until:
            raise _untold(failed.kind, issuer)
        try:
            with within(self._limits.page):
                keys, seconds = self._ask(issuer)
        except Trouble as trouble:
            log.warning("the issuer %s cannot be asked for its keys: %s", issuer, trouble)
            kind = type(trouble)
            self._failed[issuer] = _Failed(kind, time.monotonic() + FAILURE_SECONDS)
            raise _untold(kind, issuer) from trouble
        now = time.monotonic()
        self._known[issuer] = _Known(keys, now, now + seconds)
        self._failed.pop(issuer, None)
        return self._known[issuer]

    def _ask(self, issuer: str) -> tuple[Sequence[IssuerKey], float]:
        """The keys, and for how many seconds they hold."""
        configuration, _seconds = self._document(issuer.rstrip("/") + DISCOVERY)
        if configuration.get("issuer") != issuer:
            raise UpstreamFailed("its discovery document is another issuer's")
        url = document_url("", configuration.get("jwks_uri"))
        if url is None or insecure(url, self._private) is not None:
            raise UpstreamFailed("its discovery document names no https URL for its keys")
        content, seconds = self._document(url)
        listed = content.get("keys")
        if not isinstance(listed, list) or len(listed) > MAX_KEYS:
            raise UpstreamFailed(f"it has no list of up to {MAX_KEYS} keys")
        keys = [key for key in map(_key, listed) if key is not None]
        return keys, min(max(seconds, MIN_SECONDS), MAX_SECONDS)

    def _document(self, url: str) -> tuple[Mapping[str, Any], float]:
        """A JSON object, and for how many seconds it holds by its Cache-Control."""
        with closing(self._session.get().ask(url, _HEADERS, None, stay=True)) as answer:
            if answer.status != 200:
                raise UpstreamFailed(f"{answer.host} answers with status {answer.status}")
            try:
                content = json.loads(answer.read(MAX_DOCUMENT))
            except (Unreadable, ValueError, RecursionError) as error:
                raise UpstreamFailed(f"{answer.host} sends no JSON: {error}") from error
            found = _MAX_AGE.search(answer.header("Cache-Control") or "")
        if not isinstance(content, dict):
            raise UpstreamFailed(f"{answer.host} sends no JSON object")
        return content, float(found[1]) if found else MAX_SECONDS


def _untold(kind: type[Trouble], issuer: str) -> Trouble:
    """The same trouble, for who need not learn what our network looks like."""
    return kind(f"The issuer {issuer} cannot be asked for its keys; try again.")


def _of_name(keys: Sequence[IssuerKey], kid: str | None) -> Sequence[IssuerKey]:
    return [key for key in keys if kid is None or key.kid == kid]


def _key(listed: object) -> IssuerKey | None:
    """A public key for signatures; None for any other, which the issuer may have as well."""
    if not isinstance(listed, dict) or listed.get("use", "sig") != "sig":
        return None
    operations = listed.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        possible = _ALGORITHMS.get((listed.get("kty"), listed.get("crv")))
    except TypeError:  # a list or an object in the place of a text
        return None
    kid, algorithm = listed.get("kid"), listed.get("alg")
    if possible is None or not isinstance(kid, str | None):
        return None
    if algorithm is not None:
        possible = frozenset(each for each in possible if each == algorithm)
    numbers = {name: listed[name] for name in _PUBLIC if name in listed}
    if not possible or not all(isinstance(value, str) for value in numbers.values()):
        return None
    return IssuerKey(kid, possible, numbers)
