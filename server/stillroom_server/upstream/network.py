"""Connections to upstreams: pooled, under a deadline, direct or through a proxy.

A connection is opened to an address that was looked at, not to a name that may have another one a
moment later: what a mirror may not reach it cannot be led to, whatever redirects and the DNS say.

httpx bounds each read, not their sum, so an upstream that sends a byte now and then could hold
a thread for ever. Here every read is also bounded by what is left of `deadline.within`.
"""

import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
import truststore

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed

from .deadline import remaining

MAX_CONNECTIONS = 100
MAX_IDLE_CONNECTIONS = 20
IDLE_SECONDS = 5.0
"""Shorter than servers keep idle connections, so that we rarely use one that is just closing."""


class Transport(httpx.BaseTransport):
    """Sends requests directly or through the proxy that the environment names for them.

    Company networks let servers out through a proxy only, and everything else on the machine
    (pip, uv, curl) finds it in HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. The proxy may be
    anywhere; it looks up names itself, so of hosts behind it only literal addresses are checked.
    """

    def __init__(self, private: PrivateUpstreams) -> None:
        self._private = private
        self._lock = threading.Lock()
        self._pools: dict[str | None, httpcore.ConnectionPool] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the answer is still to be read.

        Raises UpstreamFailed for an address that may not be reached, and httpx's own errors.
        """
        assert isinstance(request.stream, httpx.SyncByteStream)
        with _httpx_errors():
            answer = self._pool_for(request.url).handle_request(
                httpcore.Request(
                    method=request.method,
                    url=_core_url(request.url),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _pool_for(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy_url = _proxy_for(url)
        if proxy_url is not None:
            refusal = self._private.refusal_of_url(str(url))
            if refusal is not None:
                raise _unreachable(url.host, refusal)
        with self._lock:
            if proxy_url not in self._pools:
                self._pools[proxy_url] = self._new_pool(proxy_url)
            return self._pools[proxy_url]

    def _new_pool(self, proxy_url: str | None) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            proxy=None if proxy_url is None else _proxy(proxy_url),
            ssl_context=_tls_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=_Backend(self._private if proxy_url is None else None),
        )


def _proxy_for(url: httpx.URL) -> str | None:
    proxies = getproxies()
    proxy_url = proxies.get(url.scheme) or proxies.get("all")
    if proxy_url is None or proxy_bypass(url.host):
        return None
    return proxy_url if "://" in proxy_url else f"http://{proxy_url}"


def _proxy(proxy_url: str) -> httpcore.Proxy:
    try:
        proxy = httpx.Proxy(proxy_url)
    except (ValueError, httpx.InvalidURL) as error:
        raise httpx.ProxyError("the environment names one that is no URL") from error
    if proxy.url.scheme not in {"http", "https"}:
        raise httpx.ProxyError("the environment names one that is not http or https")
    return httpcore.Proxy(_core_url(proxy.url), auth=proxy.raw_auth, ssl_context=_tls_context())


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def _tls_context() -> ssl.SSLContext:
    # Trusts what the machine trusts, as pip does; OpenSSL lets SSL_CERT_FILE replace that.
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Body(httpx.SyncByteStream):
    """The body of an answer; closing it before its end closes the connection."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _httpx_errors():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        # httpx names its errors as httpcore does.
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _Backend(httpcore.NetworkBackend):
    """Opens connections, to the first address of a host that may be reached and takes one.

    With `private` None all may be reached.
    """

    def __init__(self, private: PrivateUpstreams | None) -> None:
        self._private = private
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect. Each address has the time-out to itself, all of them the deadline.

        The name is looked up once. Raises UpstreamFailed if none of its addresses may be reached.
        """
        failure: Exception = httpcore.ConnectError("it has no address")
        for address in self._reachable(host, port):
            bound = _bound(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._plain.connect_tcp(
                    address, port, bound, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream)
        raise failure

    def _reachable(self, host: str, port: int) -> list[str]:
        found = _addresses(host, port)
        if self._private is None:
            return found
        refusals = {
            address: self._private.refusal(host, ip_address(address.partition("%")[0]), port)
            for address in found
        }
        reachable = [address for address, refusal in refusals.items() if refusal is None]
        if refusals and not reachable:
            raise _unreachable(host, next(filter(None, refusals.values())))
        return reachable


def _unreachable(host: str, refusal: str) -> UpstreamFailed:
    return UpstreamFailed(f"{host} may not be reached: {refusal}")


def _addresses(host: str, port: int) -> list[str]:
    # The resolver's own time-outs bound this; Python offers no other.
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(error) from error
    return [str(address[0]) for *_, address in found]


class _Stream(httpcore.NetworkStream):
    """A connection of which no operation outlives the deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _bound(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _bound(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 - replaced, see below
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        # truststore locks its context for the whole handshake: in a shared one, an upstream that
        # stalls there would hold up all others. A new context costs nothing more, because the
        # certificates are read again at each handshake in any case.
        bound = _bound(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(_tls_context(), server_hostname, bound))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _bound(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float:
    left = remaining()
    if left <= 0:
        raise expired("its time is over")
    return left if timeout is None else min(left, timeout)
