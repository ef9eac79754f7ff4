"""A page as an upstream sent it, and what its two forms have in common."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit


class Unreadable(ValueError):
    """A page that is not one of the Simple API. The message says why, of "it"."""


@dataclass(frozen=True, slots=True)
class RawPage:
    """A page as it was sent; `url` is where it came from after all redirects."""

    content: bytes
    content_type: str
    url: str

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()


def check_version(version: object) -> None:
    """Raise Unreadable unless the major version of the API is 1 (PEP 629)."""
    shown = str(version)[:20]
    if shown.strip().partition(".")[0] != "1":
        raise Unreadable(f"it is of version {shown!r} of the Simple API, not of 1.x")


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def absolute_url(base: str, reference: str) -> str | None:
    """A link made absolute, its fragment kept; None unless it leads to something on the web.

    A link with a name or password in it leads nowhere: no credentials are sent to upstreams.
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
    return url
