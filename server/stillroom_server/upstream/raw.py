"""A page as an upstream sent it, and what its two forms have in common."""

import enum
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from stillroom_server.domain.upstream_urls import is_host

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"
_PLAIN_HTML = "text/html"

ACCEPT = f"{_JSON}, {_HTML};q=0.2, {_PLAIN_HTML};q=0.01"
"""The forms that can be read, as an HTTP header."""


class Unreadable(ValueError):
    """A page that is not one of the Simple API. The message says why, of "it"."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as it was sent; `url` is where it came from after all redirects, without userinfo."""

    content: bytes
    content_type: str
    url: str


class Form(enum.Enum):
    """The forms of the Simple API."""

    JSON = "json"
    HTML = "html"


def form_of(content_type: str) -> Form:
    """The form that a content type stands for. Raises Unreadable if it is none of them."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == _JSON:
        return Form.JSON
    if media_type in {_HTML, _PLAIN_HTML}:
        return Form.HTML
    raise Unreadable(f"its type is {media_type[:80]!r}, no form of the Simple API")


def check_version(version: object) -> None:
    """Raise Unreadable unless the major version of the API is 1 (PEP 629)."""
    shown = str(version)[:20]
    if shown.strip().partition(".")[0] != "1":
        raise Unreadable(f"it is of version {shown!r} of the Simple API, not of 1.x")


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URI = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", re.ASCII)
"""Only characters that a URI may hold (RFC 3986 §2)."""


def absolute_url(base: str, reference: str) -> str | None:
    """A link made absolute, its fragment kept; None unless it leads to something on the web.

    It is in ASCII: what a URI may not hold is encoded (RFC 3987 §3.1). A link with a name or
    password in it leads nowhere: only the administrator gives credentials.
    """
    link = reference.strip()
    if _CONTROL.search(link):
        return None
    try:
        url = urljoin(base, link)
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError unless it is a number that a port can have
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    if not is_host(parts.hostname):
        return None
    return url if _URI.fullmatch(url) else _encoded(url)


def _encoded(url: str) -> str | None:
    import httpx  # it costs start-up time

    try:
        return str(httpx.URL(url))
    except (httpx.InvalidURL, UnicodeError):
        return None


def document_url(base: str, reference: object) -> str | None:
    """The absolute URL of a document, without a fragment; None unless it is on the web."""
    url = absolute_url(base, reference) if isinstance(reference, str) and reference else None
    return None if url is None else url.partition("#")[0]
