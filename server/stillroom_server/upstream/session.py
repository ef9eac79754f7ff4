"""Requests to upstreams: redirects within bounds, no state kept, errors in the domain's words."""

import itertools
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.upstream_credentials import Origin, UpstreamCredential

from .body import unpacked
from .network import Transport

MAX_REDIRECTS = 5
MAX_LOCATION = 4096
"""How many characters the URL may have to which a redirect leads."""
_SHORT_REST = 4
"""How many parts of an unwanted answer are read, each of at most 64 KiB."""


class Session:
    """Sends GET requests without cookies. Safe to share by threads.

    All use of it and of its answers must be inside `deadline.within`.
    """

    def __init__(
        self, *, user_agent: str, connect: float, read: float, private: PrivateUpstreams
    ) -> None:
        self._client = httpx.Client(
            transport=Transport(private),
            headers={"User-Agent": user_agent},
            timeout=httpx.Timeout(read, connect=connect, pool=connect),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # An Auth that does nothing: httpx would take credentials out of redirects' URLs.
            auth=httpx.Auth(),
        )

    def ask(
        self,
        url: str,
        headers: Mapping[str, str],
        credential: UpstreamCredential | None,
        *,
        stay: bool = False,
    ) -> "Answer":
        """Send a request and follow its redirects. The answer is the caller's to close.

        The credential goes to its own origin only, also when redirects lead elsewhere and back.
        With `stay`, redirects to other origins are not followed. Raises UpstreamFailed and
        UpstreamTimeout.
        """
        with _trouble_of("the upstream"):
            request = self._client.build_request("GET", url, headers=headers)
        for _ in range(MAX_REDIRECTS + 1):
            authorize(request, credential)
            with _trouble_of(_host(request.url)):
                answer = Answer(self._client.send(request, stream=True))
            if answer.following is None:
                return answer
            answer.discard()
            _check_redirect(answer, answer.following, stay=stay)
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
        self.url = str(response.url.copy_with(userinfo=b""))
        self.host = _host(response.url)
        self.following = response.next_request

    def header(self, name: str) -> str | None:
        """The value of a header; None if it is missing or not ASCII."""
        value = self._response.headers.get(name)
        return value if value is not None and value.isascii() else None

    def read(self, limit: int) -> bytes:
        """The whole content, its content coding undone; raises as `content` does."""
        return b"".join(self.content(limit))

    def content(self, limit: int) -> Iterator[bytes]:
        """The content bit by bit, its content coding undone.

        Raises Unreadable if it is over `limit` bytes or broken, and UpstreamFailed and
        UpstreamTimeout if it does not come.
        """
        with _trouble_of(self.host):
            yield from unpacked(self._parts, self.header("Content-Encoding") or "", limit)

    def take(self) -> bytes:
        """What comes next of the content, as it was sent; nothing at its end.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        with _trouble_of(self.host):
            return next(filter(None, self._parts), b"")

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


def authorize(request: httpx.Request, credential: UpstreamCredential | None) -> None:
    """Let a request carry the credential if it goes to its origin, and none else."""
    # httpx carries the header over redirects by rules of its own.
    request.headers.pop("Authorization", None)
    if credential is not None and Origin.of(str(request.url)) == credential.origin:
        request.headers["Authorization"] = credential.authorization


def _check_redirect(answer: Answer, following: httpx.Request, *, stay: bool) -> None:
    scheme, target = answer.url.partition(":")[0], following.url.scheme
    allowed = {"https"} if scheme == "https" else {"http", "https"}
    if target not in allowed:
        raise UpstreamFailed(
            f"{answer.host} redirects from {scheme} to {target[:20]}, which is not followed"
        )
    if stay and Origin.of(answer.url) != Origin.of(str(following.url)):
        raise UpstreamFailed(f"{answer.host} redirects elsewhere, which is not followed")
    if len(answer.header("Location") or "") > MAX_LOCATION:
        raise UpstreamFailed(
            f"{answer.host} redirects to a URL of more than {MAX_LOCATION} characters"
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
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise UpstreamFailed(f"{host} {_what_happened(error)}") from error
    except RuntimeError as error:  # httpx's word for a session that was closed meanwhile
        raise UpstreamFailed(f"{host} is not asked any more: the server is stopping") from error


def _what_happened(error: Exception) -> str:
    match error:
        case httpx.ConnectError():
            return f"cannot be reached: {_why_unreachable(error)}"
        case httpx.ProxyError():
            return f"cannot be reached through the proxy: {error}"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return "has an address that is not an http or https URL"
        case UnicodeError():  # httpx decodes names of hosts that are in Punycode
            return "leads to no valid host name"
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
