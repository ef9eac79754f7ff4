"""Which form of an answer a client wants (RFC 9110 §12, PEP 691)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote

from pyramid.request import Request
from webob.acceptparse import create_accept_header

from stillroom_server.domain.remembering import remembers_short

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
HTML: Final = "text/html"
TEXT: Final = "text/plain"
SIMPLE_JSON: Final = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML: Final = "application/vnd.pypi.simple.v1+html"
_LATEST = {
    "application/vnd.pypi.simple.latest+json": SIMPLE_JSON,
    "application/vnd.pypi.simple.latest+html": SIMPLE_HTML,
}

MAX_HEADER = 2_000
"""Characters of an Accept header that are looked at; a longer one counts as none."""

Coding = Literal["zstd", "gzip", "identity"]
"""A content coding (RFC 9110 §8.4.1) in which we send pages; `identity` is the page as it is."""

CODINGS: Final[tuple[Coding, ...]] = ("zstd", "gzip", "identity")
"""In the order in which we like to send them."""

VARY: Final = "Accept, Accept-Encoding"
"""What the form of a page depends on; said with every answer at its address."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A type that we could send, under the name that the client knows it by."""

    name: str
    sends: str


_SIMPLE_OFFERS = (
    _Offer(SIMPLE_JSON, SIMPLE_JSON),
    *(_Offer(name, sends) for name, sends in _LATEST.items()),
    _Offer(SIMPLE_HTML, SIMPLE_HTML),
    _Offer(HTML, HTML),
)


_CHARSET = re.compile(r";\s*charset=\"?utf-8\"?", re.ASCII | re.IGNORECASE)


@remembers_short(512)
def simple_type(accept: str | None) -> str | None:
    """The type of a Simple page for an Accept header; None if there is none that suits.

    On equal quality JSON comes before HTML. Without a preference (`*/*`, no header, or one that
    cannot be read) it is `text/html`: what browsers, curl and old installers expect.
    """
    if accept is None or not accept.strip() or len(accept) > MAX_HEADER:
        return HTML
    # That is how our HTML is sent, and there is no other.
    header = create_accept_header(_CHARSET.sub("", accept))
    if not hasattr(header, "parsed") or header.parsed is None:
        return HTML
    names = [offer.name for offer in _SIMPLE_OFFERS]
    ranked = header.acceptable_offers(names)
    if not ranked:
        return None
    best_quality = ranked[0][1]
    best = [name for name, quality in ranked if quality == best_quality]
    named = [name for name in best if _is_named(header.parsed, name)]
    if not named and HTML in best and _is_wildcard(header.parsed):
        return HTML
    chosen = min(named or best, key=names.index)
    return next(offer.sends for offer in _SIMPLE_OFFERS if offer.name == chosen)


def page_type(environ: Mapping[str, Any]) -> str | None:
    """The type of a Simple page for a request; None if there is none that suits.

    `?format=` with one of the types wins over the Accept header (PEP 691); its `+` may be
    encoded or not.
    """
    wanted = forms_in_url(environ)
    if not wanted:
        return simple_type(environ.get("HTTP_ACCEPT"))
    known = {offer.name: offer.sends for offer in _SIMPLE_OFFERS}
    return known.get(next(iter(wanted))) if len(wanted) == 1 else None


def forms_in_url(environ: Mapping[str, Any]) -> frozenset[str]:
    """The values of `?format=`, one if the client makes sense."""
    query = environ.get("QUERY_STRING", "")
    pairs = (part.partition("=") for part in query.split("&")) if query else ()
    return frozenset(unquote(value).strip().lower() for key, _, value in pairs if key == "format")


def _is_named(parsed: Sequence[tuple[str, float, object, object]], name: str) -> bool:
    return any(media.lower() == name and quality > 0 for media, quality, *_rest in parsed)


def _is_wildcard(parsed: Sequence[tuple[str, float, object, object]]) -> bool:
    return any(media == "*/*" for media, *_rest in parsed)


def wants_page(request: Request) -> bool:
    """Whether a client at an address that has a JSON view means the Simple page instead."""
    offers = [JSON, SIMPLE_JSON, *_LATEST, SIMPLE_HTML, HTML]
    ranked = request.accept.acceptable_offers(offers)
    if not ranked:
        return False
    best = ranked[0][1]
    named = [name for name, quality in ranked if quality == best]
    return JSON not in named


def wants_html(request: Request) -> bool:
    """Whether a client prefers HTML to JSON, as browsers do."""
    ranked = request.accept.acceptable_offers([JSON, HTML])
    return bool(ranked) and ranked[0][0] == HTML


def accepts_json(request: Request) -> bool:
    """Whether a client names `application/json` in its Accept header."""
    accept = request.environ.get("HTTP_ACCEPT", "")
    return JSON in accept


_ERROR_TYPES = {
    JSON: JSON,
    PROBLEM: PROBLEM,
    # uv reads a problem from any address; pip shows the reason phrase whatever the body is.
    SIMPLE_JSON: PROBLEM,
    "application/vnd.pypi.simple.latest+json": PROBLEM,
}
"""The type in which an error is told to a client that names one of these in Accept; to others it
is a line of text."""


@remembers_short(512)
def error_type(accept: str) -> str | None:
    """The type of the body of an error that an Accept header names; None if it names none."""
    if len(accept) > MAX_HEADER:
        return None
    named = [name for name in _ERROR_TYPES if name in accept.lower()]
    ranked = create_accept_header(accept).acceptable_offers(named) if named else []
    return _ERROR_TYPES[ranked[0][0]] if ranked else None


_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


@remembers_short(512)
def content_coding(accept_encoding: str | None) -> Coding | None:
    """The coding in which to send a page (RFC 9110 §12.5.3); None if there is none that suits.

    That with the highest weight, on equal weight the one that we like best. Without the header,
    or with one that is too long, it is `identity`. Codings that we do not know and weights that
    cannot be read are passed over. `*` stands for gzip and identity only: a client that reads
    zstd says so.
    """
    if accept_encoding is None or len(accept_encoding) > MAX_HEADER:
        return "identity"
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    # What is not named is not wanted, but identity is always good enough unless it is refused.
    unnamed = {"zstd": 0.0, "gzip": others, "identity": weights.get("*", 0.0001)}
    best = max(CODINGS, key=lambda coding: weights.get(coding, unnamed[coding]))
    return best if weights.get(best, unnamed[best]) > 0 else None


def _weights(accept_encoding: str) -> dict[str, float]:
    weights = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        weight = _WEIGHT.fullmatch(parameter.replace(" ", "") or "q=1")
        if weight is not None:
            weights[coding.strip().removeprefix("x-")] = float(weight[1])
    return weights
