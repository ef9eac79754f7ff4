"""Behind a reverse proxy: who asks, by which name of ours, and below which path."""

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stillroom_server.domain.addresses import Address
from stillroom_server.domain.hosts import (
    OutsideUrl,
    host_name,
    is_loopback,
    read_address,
    read_networks,
    read_outside_url,
    read_prefix,
)

from .environ import HEALTH, REQUEST_ID
from .errors import refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_OUTSIDE_URL",
    "HTTP_X_REQUEST_ID",
)
NOWHERE = "0.0.0.0"  # noqa: S104 - nothing listens on it
"""The address of a client that has none, such as one on a Unix socket."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


class BehindProxies:
    """A WSGI middleware that makes the rest of the server see the request that clients sent.

    The setting `outside_url` always wins. Without it, a trusted proxy may say the scheme, host
    and prefix by `X-Forwarded-*`, or the whole by `X-Outside-URL` as devpi's nginx
    configurations do. From anybody else such headers are dropped. A prefix is taken off the
    path where the proxy left it on. `Forwarded` (RFC 7239) is dropped always: proxies that set
    the other headers pass it on from their clients.

    Behind it, REMOTE_ADDR is the address of the client, and always one; the request has a name
    (`REQUEST_ID`), its proxy's or a new one.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        outside_url: str | None,
        hosts: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        self._application = application
        self._outside = None if outside_url is None else read_outside_url(outside_url)
        ours = [*hosts, *([self._outside.host] if self._outside is not None else [])]
        self._hosts = frozenset(map(host_name, ours))
        self._trusted = read_networks(trusted_proxies)

    def __call__(
        self, environ: dict[str, Any], start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Rewrite the environ and pass it on, or refuse a host that is not ours."""
        said = {name: environ.pop(name) for name in FORWARDED if name in environ}
        peer = read_address(environ.get("REMOTE_ADDR", ""))
        if peer is None or not self._trusts(peer):
            said = {}
        environ[REQUEST_ID] = _request_id(said.get("HTTP_X_REQUEST_ID"))
        client = peer if peer is None else self._client(peer, said.get("HTTP_X_FORWARDED_FOR"))
        environ["REMOTE_ADDR"] = NOWHERE if client is None else str(client)
        host = environ.get("HTTP_HOST")
        if host is not None and host_name(host) is None:
            return refusal(400, "Host: it is not a host name or address.")(environ, start_response)
        if self._outside is None:
            _apply_forwarded(environ, said)
            host = environ.get("HTTP_HOST")
        else:
            _appear_as(environ, self._outside)
        if not self._is_ours(host) and environ["PATH_INFO"] not in HEALTH:
            return _not_ours(host)(environ, start_response)
        return self._application(environ, start_response)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _client(self, peer: Address, chain: str | None) -> Address:
        """Who asks: the nearest of the chain whom we do not trust to say for whom it asks."""
        client = peer
        for text in reversed((chain or "").split(",")):
            if not self._trusts(client):
                break
            address = read_address(text)
            if address is None:
                break
            client = address
        return client

    def _is_ours(self, host: str | None) -> bool:
        """Whether clients may call us so. Without a name, nothing can be forged by it."""
        if not self._hosts or host is None:
            return True
        name = host_name(host)
        return name in self._hosts or is_loopback(name or "")


def _not_ours(host: str | None) -> "WSGIApplication":
    name = host_name(host or "")
    return refusal(
        400, f"Host: {name} is not a name of this server; its setting hosts lists them."
    )


def _request_id(said: str | None) -> str:
    if said is not None and _REQUEST_ID.fullmatch(said):
        return said
    return secrets.token_hex(8)


def _appear_as(environ: dict[str, Any], outside: OutsideUrl) -> None:
    environ["wsgi.url_scheme"] = outside.scheme
    environ["HTTP_HOST"] = outside.host
    _mount(environ, outside.prefix)


def _apply_forwarded(environ: dict[str, Any], said: Mapping[str, str]) -> None:
    """Follow a trusted proxy; what is malformed of what it says is as if it were not said."""
    if not said:
        return
    outside = read_outside_url(said.get("HTTP_X_OUTSIDE_URL", ""))
    if outside is not None:
        _appear_as(environ, outside)
        return
    scheme = _last(said.get("HTTP_X_FORWARDED_PROTO")).lower()
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
    host = _last(said.get("HTTP_X_FORWARDED_HOST"))
    if host_name(host) is not None:
        port = _last(said.get("HTTP_X_FORWARDED_PORT"))
        has_port = host.rpartition("]")[2].count(":") or port in {"80", "443"}
        with_port = f"{host}:{port}"
        good = not has_port and _PORT.fullmatch(port) and host_name(with_port) is not None
        environ["HTTP_HOST"] = with_port if good else host
    _mount(environ, read_prefix(_last(said.get("HTTP_X_FORWARDED_PREFIX"))) or "")


def _last(header: str | None) -> str:
    """What the nearest proxy said: it appends to what it was told itself."""
    return (header or "").rsplit(",", 1)[-1].strip()


def _mount(environ: dict[str, Any], prefix: str) -> None:
    if not prefix:
        return
    environ["SCRIPT_NAME"] = prefix
    path = environ.get("PATH_INFO", "")
    if path == prefix or path.startswith(prefix + "/"):
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
