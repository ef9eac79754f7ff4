"""Which credentials go to which upstream. A secret is never part of a text that is shown."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from .upstream_urls import has_dot_segments

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454): what credentials are given to, and nobody else."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of an http or https URL. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("it is not an http or https URL")
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])


@dataclass(frozen=True, slots=True)
class UpstreamCredential:
    """What to say to the upstreams below a path of an origin.

    `authorization` is the value of the header Authorization, of the scheme Basic (RFC 7617) or
    Bearer (RFC 6750).
    """

    origin: Origin
    path: str
    authorization: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "UpstreamCredential":
        """Read `https://user:password@host/path/`; without a user name it is a Bearer token.

        Name and password are percent-decoded. Raises ValueError with the rule that is broken,
        and nothing of the text.
        """
        try:
            parts = urlsplit(text.strip())
            origin = Origin.of(text.strip())
        except ValueError:
            raise ValueError("it must be an http or https URL with credentials in it") from None
        if parts.username is None or parts.password is None:
            raise ValueError(
                "it must be of the form https://user:password@host/path/, or "
                "https://:token@host/path/ for a Bearer token; encode '@', ':' and '/' in the "
                "password as %40, %3A and %2F"
            )
        if parts.query or parts.fragment:
            raise ValueError("it must have no query and no fragment")
        if has_dot_segments(parts.path):
            raise ValueError("it must have no '.' or '..' between slashes, however encoded")
        path = parts.path.rstrip("/") + "/"
        return cls(origin, path, _authorization(unquote(parts.username), unquote(parts.password)))

    def is_for(self, base_url: str) -> bool:
        """Whether an upstream with this base URL gets it; none whose path may lead elsewhere."""
        try:
            origin, path = Origin.of(base_url), urlsplit(base_url).path
        except ValueError:
            return False
        below = f"{path}/".startswith(self.path) and not has_dot_segments(path)
        return origin == self.origin and below


def _authorization(user: str, password: str) -> str:
    if not user:
        if not re.fullmatch(r"[!-~]+", password, re.ASCII):
            raise ValueError("a Bearer token must be of visible ASCII characters")
        return f"Bearer {password}"
    if re.search(r"[\x00-\x1f\x7f]", user + password) or ":" in user:
        raise ValueError(
            "user names hold no ':', and neither they nor passwords control characters"
        )
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class UpstreamCredentials:
    """All credentials for upstreams that the administrator gave."""

    entries: tuple[UpstreamCredential, ...] = ()

    @classmethod
    def parse(cls, items: Iterable[str]) -> "UpstreamCredentials":
        """Read a list of URLs with credentials. Raises ValueError naming the number of an item."""
        entries = []
        for number, item in enumerate(items, 1):
            try:
                entries.append(UpstreamCredential.parse(item))
            except ValueError as error:
                raise ValueError(f"item {number}: {error}") from None
        return cls(tuple(entries))

    @classmethod
    def read(cls, content: str) -> "UpstreamCredentials":
        """Read the text of a file: such a URL on each line; `#` begins a line that is a comment.

        Raises ValueError naming the number of a line.
        """
        entries = []
        for number, line in enumerate(content.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                entries.append(UpstreamCredential.parse(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        return cls(tuple(entries))

    def for_upstream(self, base_url: str) -> UpstreamCredential | None:
        """Those for the upstream with this base URL; the longest path of several decides."""
        found = [entry for entry in self.entries if entry.is_for(base_url)]
        return max(found, key=lambda entry: len(entry.path), default=None)
