"""Trusted publishers: whoever an issuer says they are, by claims that an administrator names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .addresses import PrivateUpstreams
from .errors import Fault, InvalidRequest
from .identity import Action, Grant
from .names import IndexName, ProjectName, UserName, shown
from .options import check_url

ACTIONS = frozenset({Action.READ, Action.UPLOAD, Action.DELETE})
"""What a publisher can be trusted with."""

REGISTERED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})
"""Claims that every token of an issuer has, whoever it is for (RFC 7519 §4.1): no rules."""

MAX_URL = 255
MAX_RULES = 20
MAX_NAME = 100
MAX_PATTERN = 500
ANYTHING = "*"
"""In a pattern: any characters, or none."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs identity tokens (OpenID Connect): `url` is the claim `iss`, to the letter."""

    id: int
    url: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who may act for `user` in `index`: bearers of identity tokens whose claims match.

    `claims` are patterns by the name of a claim, in which `*` stands for any characters. All of
    them must match.
    """

    id: str
    issuer: str
    index: IndexName
    user: UserName
    claims: Mapping[str, str]
    actions: frozenset[Action]
    projects: frozenset[ProjectName] | None
    note: str
    created: datetime

    @property
    def grant(self) -> Grant:
        """What a token made for it may be used for."""
        return Grant(self.actions, frozenset({self.index}), self.projects)

    def matches(self, claims: Mapping[str, object]) -> bool:
        """Whether these claims, which its issuer has signed, meet all of its rules.

        Texts, whole numbers and booleans (as `true` and `false`) are compared as text; a claim
        that is missing, or anything else, matches nothing.
        """
        return all(_meets(claims.get(name), pattern) for name, pattern in self.claims.items())


def _meets(value: object, pattern: str) -> bool:
    match value:
        case bool():
            text = str(value).lower()
        case str() | int():
            text = str(value)
        case _:
            return False
    return matches_pattern(text, pattern)


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether a whole text is what a pattern says, in time linear in both for each `*`."""
    first, *others = pattern.split(ANYTHING)
    if not others:
        return text == pattern
    *inner, last = others
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return False
    place = len(first)
    for part in inner:
        # The earliest place leaves the most room for what follows.
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def claim_rules(raw: object) -> Mapping[str, str]:
    """Read the rules of a publisher, patterns by the names of claims.

    Raises InvalidRequest unless at least one of them says more than `*`, and none is about a
    claim that identifies nobody.
    """
    if not isinstance(raw, dict) or not raw or len(raw) > MAX_RULES:
        raise InvalidRequest.one(
            "claims", f"it must be an object of 1 to {MAX_RULES} patterns by the names of claims"
        )
    faults = [Fault("claims", f"{shown(name)}: {rule}") for name, rule in _faulty(raw)]
    if not faults and not any(pattern.strip(ANYTHING) for pattern in raw.values()):
        faults.append(Fault("claims", "at least one pattern must hold more than '*'"))
    if faults:
        raise InvalidRequest(faults)
    return dict(raw)


def _faulty(raw: Mapping[object, object]) -> list[tuple[object, str]]:
    """The rules that are none, each with why."""
    found: list[tuple[object, str]] = []
    for name, pattern in raw.items():
        if name in REGISTERED:
            found.append((name, "this claim says nothing about who asks; name another, as sub"))
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
            found.append((name, f"the name of a claim has 1 to {MAX_NAME} characters"))
        if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
            found.append((name, f"its pattern must be text of 1 to {MAX_PATTERN} characters"))
        elif not pattern.isprintable():
            found.append((name, "its pattern must hold no control characters"))
    return found


def check_issuer_url(text: str, private: PrivateUpstreams) -> str:
    """Check the URL of an issuer, and give it back to the letter: its tokens repeat it so.

    Raises InvalidRequest for what is no http(s) URL in ASCII, for plain http to a host that
    `private` does not name, and for an address that may not be reached.
    """
    try:
        check_url(text)
    except ValueError as error:
        raise InvalidRequest.one("url", str(error)) from None
    if text != text.strip() or not text.isascii() or len(text) > MAX_URL:
        raise InvalidRequest.one(
            "url", f"it must be up to {MAX_URL} ASCII characters, as the claim `iss` has them"
        )
    refusal = private.refusal_of_url(text) or insecure(text, private)
    if refusal is not None:
        raise InvalidRequest.one("url", refusal)
    return text


def insecure(url: str, private: PrivateUpstreams) -> str | None:
    """Why keys cannot be believed that come from a URL; None if they can.

    Whoever sits between could put in their own, except on the way to what an administrator names
    as their own network.
    """
    if url.startswith("https://") or private.names(url):
        return None
    return "it must be an https URL, unless the setting private_upstreams names its host"
