"""Names and addresses of servers, proxies and clients, as requests and settings spell them."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from .addresses import Address, Network
from .remembering import remembers_short

_HOST = re.compile(
    r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_][a-z0-9._-]{0,254})(?::([0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)

MAX_URL = 2_000
"""Characters of a server's URL. Python remembers the last ones that it took apart."""


@remembers_short(1024)
def host_name(host: str) -> str | None:
    """The name or address in a `Host` header, in lower case; None if the header is malformed.

    An IPv6 address keeps its brackets; a port (RFC 3986 §3.2.3) and the dot of the root go.
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 0) > 65535:
        return None
    name = match[1].lower()
    if name.startswith("["):
        return None if read_address(name) is None else name
    return name.rstrip(".") or None


@remembers_short(4096)
def read_address(text: str) -> Address | None:
    """An address, maybe with a port or in brackets; None for what holds none.

    An IPv4 address is one even where it comes as an IPv6 one (RFC 4291 §2.5.5.2).
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_loopback(name: str) -> bool:
    """Whether a host is this very machine (RFC 6761 §6.3)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = read_address(name)
    return address is not None and address.is_loopback


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks (`10.0.0.0/8`) and single addresses; raises ValueError for what is neither."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


@dataclass(frozen=True, slots=True)
class OutsideUrl:
    """A URL of a server as clients use it.

    `host` is with its port. `prefix` begins with a slash or is empty; it is decoded and, like all
    texts of an environ (PEP 3333), Latin-1.
    """

    scheme: str
    host: str
    prefix: str


@remembers_short(64)
def read_outside_url(url: str) -> OutsideUrl | None:
    """Take such a URL apart; None if it is not http or https, or has no good host or path."""
    if len(url) > MAX_URL:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    prefix = read_prefix(parts.path)
    if parts.scheme not in {"http", "https"} or host_name(parts.netloc) is None or prefix is None:
        return None
    return OutsideUrl(parts.scheme, parts.netloc, prefix)


def read_prefix(path: str) -> str | None:
    """The prefix in a path of a URL; None if it is not UTF-8, or holds what no path may."""
    try:
        text = unquote_to_bytes(path.encode("latin-1")).decode()
    except UnicodeError:
        return None
    if not text.isprintable() or "?" in path or "#" in path:
        return None
    trimmed = text.strip("/")
    return f"/{trimmed}".encode().decode("latin-1") if trimmed else ""
