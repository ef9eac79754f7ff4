"""Which network addresses an upstream may have.

Whoever chooses an upstream's URL, a redirect or an answer of the DNS could otherwise make the
server ask what only the server can reach: itself, its neighbours, the metadata of its cloud.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from .names import shown

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: Sequence[tuple[str, str]] = (
    ("0.0.0.0/8", "an unspecified address (RFC 1122)"),
    ("127.0.0.0/8", "a loopback address (RFC 1122)"),
    ("10.0.0.0/8", "a private address (RFC 1918)"),
    ("172.16.0.0/12", "a private address (RFC 1918)"),
    ("192.168.0.0/16", "a private address (RFC 1918)"),
    ("100.64.0.0/10", "an address shared behind a carrier's NAT (RFC 6598)"),
    ("169.254.0.0/16", "a link-local address (RFC 3927)"),
    ("192.0.0.0/24", "an address for protocols of the network itself (RFC 6890)"),
    ("224.0.0.0/4", "a multicast address (RFC 5771)"),
    ("240.0.0.0/4", "a reserved address (RFC 1112)"),
    ("::/128", "an unspecified address (RFC 4291)"),
    ("::1/128", "a loopback address (RFC 4291)"),
    ("fe80::/10", "a link-local address (RFC 4291)"),
    ("fec0::/10", "a site-local address (RFC 3879)"),
    ("fc00::/7", "a unique local address (RFC 4193)"),
    ("64:ff9b:1::/48", "an address for local translation to IPv4 (RFC 8215)"),
    ("ff00::/8", "a multicast address (RFC 4291)"),
)
"""Networks, and what an address in them is. The networks for documentation (RFC 5737) are not
among them: nobody is there."""

_REFUSED = tuple((ipaddress.ip_network(network), kind) for network, kind in _NOT_PUBLIC)

_IPV4_AT_THE_END = tuple(
    IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible, RFC 4291 §2.5.5.1
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291 §2.5.5.2
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
        "64:ff9b::/96",  # NAT64, RFC 6052
    )
)


def _inside(address: Address) -> Iterator[Address]:
    """An address, and those that packets to it may reach in the end."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if any(address in network for network in _IPV4_AT_THE_END):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:  # 2002::/16, RFC 3056
        yield address.sixtofour
    if address.teredo is not None:  # 2001::/32, RFC 4380: the server and the client
        yield from address.teredo


def _kind(address: Address) -> str | None:
    """What an address is if it is not public."""
    for network, kind in _REFUSED:
        if address in network:
            return kind
    return None


def literals(host: str) -> tuple[Address, ...]:
    """The addresses that a host stands for without a look-up; none if it is a name.

    Resolvers take more spellings than the standards have: `2130706433`, `0x7f.1` and `127.1` are
    all 127.0.0.1, and so are digits and dots of other scripts. `localhost` and names below it are
    loopback (RFC 6761).
    """
    text = _plain(unicodedata.normalize("NFKC", host).replace("。", "."))
    text = text.removeprefix("[").removesuffix("]")
    if text == "localhost" or text.endswith(".localhost"):
        return (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    old = _inet_aton(text)
    if old is not None:
        return (old,)
    try:
        return (ipaddress.ip_address(text.partition("%")[0]),)
    except ValueError:
        return ()


_NUMBER = re.compile(r"0x[0-9a-f]{0,16}|[0-9]{1,22}", re.ASCII)


def _inet_aton(text: str) -> IPv4Address | None:
    """One to four numbers, each decimal, octal or hexadecimal; the last fills what is left."""
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        return None
    value = last
    for position, number in enumerate(leading):
        value += number << (24 - 8 * position)
    return IPv4Address(value)


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") else int(text)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One item of the setting: a host by its name or a network, at one port or at all."""

    host: str | None
    network: Network | None
    port: int | None

    def covers(self, host: str, address: Address, port: int) -> bool:
        if self.port not in {None, port}:
            return False
        if self.network is not None:
            return address in self.network
        return self.host == _plain(host)


def _plain(host: str) -> str:
    return host.strip().lower().removesuffix(".")


@dataclass(frozen=True, slots=True)
class PrivateUpstreams:
    """The hosts and networks that upstreams may be in although they are not public."""

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def parse(cls, items: Iterable[str]) -> "PrivateUpstreams":
        """Read hosts, addresses and networks; hosts and addresses may carry `:port`.

        Raises ValueError naming an item that is none of these.
        """
        return cls(tuple(_entry(item) for item in items))

    def refusal(self, host: str, address: Address, port: int) -> str | None:
        """Why there may be no connection to this address of a host; None if there may."""
        for target in _inside(address):
            kind = _kind(target)
            if kind is not None and not self._allows(host, address, target, port):
                also = "" if target == address else f", which leads to {target},"
                return f"{address}{also} is {kind}; {HINT}"
        return None

    def refusal_of_literal(self, host: str, port: int) -> str | None:
        """Why there may be no connection to a host, as far as its name says; None if there may."""
        reasons = [self.refusal(host, address, port) for address in literals(host)]
        if not reasons or None in reasons:
            return None
        return reasons[0]

    def refusal_of_url(self, url: str) -> str | None:
        """The same of the host in an http or https URL."""
        return self.refusal_of_literal(*_host_and_port(url))

    def names(self, url: str) -> bool:
        """Whether the host of an http(s) URL is itself among the entries, whatever the DNS says.

        A host that is an address is there with its network too.
        """
        host, port = _host_and_port(url)
        mine = [entry for entry in self.entries if entry.port in {None, port}]
        if any(entry.host == _plain(host) for entry in mine):
            return True
        found = literals(host)
        return bool(found) and all(self._allows(host, each, each, port) for each in found)

    def _allows(self, host: str, address: Address, target: Address, port: int) -> bool:
        return any(
            entry.covers(host, address, port) or entry.covers(host, target, port)
            for entry in self.entries
        )


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


HINT = "name it in the setting private_upstreams if it may be used"
"""What to do about a refusal; it follows its reason."""

_ITEM = re.compile(
    r"""(?: \[ (?P<bracketed> [0-9a-f:.]+ ) \] | (?P<plain> [^:\[\]]+ ) )
        (?: : (?P<port> [1-9][0-9]{0,4} ) )?""",
    re.ASCII | re.VERBOSE,
)
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


def _entry(item: str) -> _Entry:
    text = item.strip().lower()
    found = _ITEM.fullmatch(text)
    host = text if found is None else found["bracketed"] or found["plain"]
    port = None if found is None or found["port"] is None else int(found["port"])
    if port is None or port < 65_536:
        try:
            return _Entry(None, ipaddress.ip_network(host), port)
        except ValueError:
            if _HOST_NAME.fullmatch(_plain(host)):
                return _Entry(_plain(host), None, port)
    raise ValueError(f"{shown(item)} is not a host, an address or a network such as 10.0.0.0/8")
