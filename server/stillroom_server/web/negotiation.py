"""Which form of an answer a client wants (RFC 9110 §12, PEP 691)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pyramid.request import Request
from webob.acceptparse import create_accept_header

JSON: Final = "application/json"
HTML: Final = "text/html"
SIMPLE_JSON: Final = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML: Final = "application/vnd.pypi.simple.v1+html"
_LATEST = {
    "application/vnd.pypi.simple.latest+json": SIMPLE_JSON,
    "application/vnd.pypi.simple.latest+html": SIMPLE_HTML,
}

MAX_HEADER = 2_000
"""Characters of an Accept header that are looked at; a longer one counts as none."""


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


@functools.lru_cache(maxsize=512)
def simple_type(accept: str | None) -> str | None:
    """The type of a Simple page for an Accept header; None if there is none that suits.

    On equal quality JSON comes before HTML. Without a preference (`*/*`, no header, or one that
    cannot be read) it is `text/html`: what browsers, curl and old installers expect.
    """
    if accept is None or not accept.strip() or len(accept) > MAX_HEADER:
        return HTML
    header = create_accept_header(accept)
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


@functools.lru_cache(maxsize=512)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client takes gzip (RFC 9110 §12.5.3)."""
    if accept_encoding is None or len(accept_encoding) > MAX_HEADER:
        return False
    refused: dict[str, bool] = {}
    for part in accept_encoding.split(","):
        coding, _, parameters = part.partition(";")
        quality = parameters.replace(" ", "").lower()
        refused[coding.strip().lower()] = quality in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return not refused.get("gzip", refused.get("*", True))
