"""Requests to upstreams: redirects within bounds, no state kept, errors in the domain's words."""

import itertools
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from stillroom_server.domain.errors import UpstreamFailed, UpstreamTimeout

from .body import read_bounded
from .network import Transport

MAX_REDIRECTS = 5
_SHORT_REST = 4
"""How many parts of an unwanted answer are read, each of at most 64 KiB."""


class Session:
    """Sends GET requests that carry no credentials and no cookies. Safe to share by threads.

    All use of it and of its answers must be inside `deadline.within`.
    """

    def __init__(self, *, user_agent: str, connect: float, read: float) -> None:
        self._client = httpx.Client(
            transport=Transport(),
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(read, connect=connect, pool=connect),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # An Auth that does nothing: httpx would take credentials out of redirects' URLs.
            auth=httpx.Auth(),
        )

    def ask(self, url: str, headers: Mapping[str, str]) -> "Answer":
        """Send a request and follow its redirects. The answer is the caller's to close.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        with _trouble_of("the upstream"):
            request = self._client.build_request("GET", url, headers=headers)
        for _ in range(MAX_REDIRECTS + 1):
            with _trouble_of(_host(request.url)):
                answer = Answer(self._client.send(request, stream=True))
            if answer.following is None:
                return answer
            answer.discard()
            _check_redirect(request.url, answer.following.url)
            request = answer.following
        raise UpstreamFailed(f"{answer.host} redirects more than {MAX_REDIRECTS} times")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class Answer:
    """What an upstream answered: status and headers, with the content still on its way."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self._parts = response.iter_raw()
        self.status = response.status_code
        self.url = str(response.url)
        self.host = _host(response.url)
        self.following = response.next_request

    def header(self, name: str) -> str | None:
        """The value of a header; None if it is missing or not ASCII."""
        value = self._response.headers.get(name)
        return value if value is not None and value.isascii() else None

    def read(self, limit: int) -> bytes:
        """The whole content, its content coding undone.

        Raises Unreadable if it is over `limit` bytes or broken, and UpstreamFailed and
        UpstreamTimeout if it does not come.
        """
        with _trouble_of(self.host):
            return read_bounded(self._parts, self.header("Content-Encoding") or "", limit)

    def take(self, at_least: int) -> bytes:
        """The next part of the content as it was sent: that many bytes or more, fewer at its end.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        taken = bytearray()
        with _trouble_of(self.host):
            for part in self._parts:
                taken += part
                if len(taken) >= at_least:
                    break
        return bytes(taken)

    def discard(self) -> None:
        """Read a short rest that nobody wants, so that the connection can be used again; close.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        with closing(self), _trouble_of(self.host):
            for _ in itertools.islice(self._parts, _SHORT_REST):
                pass

    def close(self) -> None:
        """Let go of the connection, and end it if there was more to come."""
        self._response.close()


def _check_redirect(origin: httpx.URL, target: httpx.URL) -> None:
    allowed = {"https"} if origin.scheme == "https" else {"http", "https"}
    if target.scheme not in allowed:
        raise UpstreamFailed(
            f"{_host(origin)} redirects from {origin.scheme} to {target.scheme[:20]}, "
            "which is not followed"
        )


def _host(url: httpx.URL) -> str:
    # Without credentials, with a port that is not the scheme's own.
    return url.netloc.decode("ascii")


@contextmanager
def _trouble_of(host: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise UpstreamTimeout(f"{host} did not answer in time") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UpstreamFailed(f"{host} {_what_happened(error)}") from error


def _what_happened(error: Exception) -> str:
    match error:
        case httpx.ConnectError():
            return f"cannot be reached: {_why_unreachable(error)}"
        case httpx.ProxyError():
            return f"cannot be reached through the proxy: {error}"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return "has an address that is not an http or https URL"
        case _:
            return "broke off its answer, or did not answer in HTTP"


def _why_unreachable(error: BaseException) -> str:
    # By __context__: httpcore clears __cause__ on the way.
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({cause.verify_message})"
            case ssl.SSLError():
                return "no secure connection could be agreed on"
            case socket.gaierror() | UnicodeError():
                return "its name has no address"
            case OSError(strerror=str(reason)):
                return reason.lower()
        cause = cause.__context__
    return "no connection could be made"
