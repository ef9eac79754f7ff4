"""HTTP to the server: one request, one answer, and a sentence for each thing that goes wrong.

It imports httpx, so it is itself imported late, by `session`.
"""

import base64
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx
import truststore

from .addresses import origin
from .errors import (
    LocalTrouble,
    NotLoggedIn,
    NotStillroom,
    Refused,
    ServerError,
    ServerTrouble,
    Unreachable,
    WrongUsage,
)
from .secret import Secret

API_VERSION = "2"
CONNECT_SECONDS = 10
# An upload is inspected, and a push may fetch from an upstream, before the answer comes.
ANSWER_SECONDS = 300
JSON = "application/json"
PAGE_ACCEPT = "application/vnd.pypi.simple.v1+json, application/json"
"""A page in JSON (PEP 691), and what goes wrong as elsewhere."""
INSTALLER_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer of the server: the envelope of `{"type", "result", "message"}`.

    `url` is where it came from, after redirects.
    """

    url: str
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        """What the server says for people."""
        return str(self.body.get("message", ""))

    @property
    def result(self) -> Any:
        """The data."""
        return self.body.get("result")

    def mapping(self) -> Mapping[str, Any]:
        """The data, which must be a JSON object; raises NotStillroom if it is not."""
        if not isinstance(self.result, dict):
            raise NotStillroom(f"{self.url} answers without the data that a Stillroom gives")
        return self.result


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials of a request, as the value of its Authorization header."""

    header: Secret

    @classmethod
    def bearer(cls, token: Secret) -> "Login":
        """A token, as the client's own requests send it; raises LocalTrouble if it is none."""
        value = token.reveal()
        # Left to the HTTP library, it would be quoted in the error.
        if not (value.isascii() and value.isprintable()):
            raise LocalTrouble("the token holds characters that no token has: log in again")
        return cls(Secret(f"Bearer {value}"))

    @classmethod
    def basic(cls, user: str, secret: Secret) -> "Login":
        """A user with a password or token, as pip and uv send them (RFC 7617)."""
        pair = f"{user}:{secret.reveal()}".encode()
        return cls(Secret(f"Basic {base64.b64encode(pair).decode('ascii')}"))


class Connection:
    """Sends requests. `tell` gets a line about each one; no line ever holds a secret."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._client = httpx.Client(
            verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "Accept": JSON,
                "User-Agent": f"stillroom-client/{version('stillroom')}",
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        login: Login | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        accept: str = JSON,
    ) -> Answer:
        """Send a request and read its JSON answer.

        Redirects are followed for GET only: any other method might become a GET on the way.
        Raises Unreachable, NotStillroom, NotLoggedIn, Refused and ServerTrouble.
        """
        headers = {"Accept": accept}
        return _read(self._exchange(method, url, login, headers=headers, params=params, json=json))

    def upload(
        self, url: str, fields: Mapping[str, str], name: str, file: BinaryIO, login: Login | None
    ) -> Answer:
        """Send a form with one file, which is read piece by piece as it is sent.

        Raises what `send` raises.
        """
        files = {"content": (name, file, "application/octet-stream")}
        return _read(self._exchange("POST", url, login, data=fields, files=files))

    def read_other(self, url: str, login: Login) -> Mapping[str, Any]:
        """GET a JSON object from a server that is no Stillroom, such as that of a CI.

        Raises Unreachable, Refused and NotStillroom; no message repeats what it said.
        """
        response = self._exchange("GET", url, login)
        if not response.is_success:
            status = response.status_code
            raise Refused(f"{origin(url)} answers {status}: check the rights of this job", status)
        body = _json(response)
        if body is None:
            raise NotStillroom(f"{origin(url)} answers without JSON")
        return body

    def status(self, url: str, login: Login | None = None) -> int:
        """The status that an installer gets for a page, whatever it holds; raises Unreachable."""
        accept = {"Accept": INSTALLER_ACCEPT}
        return self._exchange("GET", url, login, headers=accept, read_body=False).status_code

    def _exchange(
        self,
        method: str,
        url: str,
        login: Login | None,
        *,
        headers: Mapping[str, str] | None = None,
        read_body: bool = True,
        **body: Any,
    ) -> httpx.Response:
        headers = dict(headers or {})
        if login is not None:
            headers["Authorization"] = login.header.reveal()
        started = time.monotonic()
        try:
            with self._client.stream(
                method, url, headers=headers, follow_redirects=method == "GET", **body
            ) as response:
                if read_body:
                    response.read()
        except httpx.HTTPError as error:
            raise _unreachable(url, error) from error
        except httpx.InvalidURL as error:
            raise WrongUsage(f"{url!r} is not a URL: {error}") from None
        milliseconds = (time.monotonic() - started) * 1000
        self._tell(f"{method} {url} {response.status_code} {milliseconds:.0f} ms")
        return response


def _unreachable(url: str, error: httpx.HTTPError) -> Unreachable:
    place = origin(url)
    if isinstance(error, httpx.TimeoutException):
        return Unreachable(
            f"{place} does not answer in time: check that the server runs and can be reached"
        )
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ProxyError):
        return Unreachable(f"the proxy on the way to {place} fails: {reason}")
    if isinstance(error, httpx.ConnectError):
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return Unreachable(
                f"this machine does not trust the certificate of {place}: add the certificate "
                f"authority to the system's own store ({reason})"
            )
        if "SSL" in reason:
            return Unreachable(f"{place} does not speak https: try http:// ({reason})")
        return Unreachable(
            f"no server answers at {place}: check the address, and that the server runs ({reason})"
        )
    if isinstance(error, httpx.TooManyRedirects):
        return Unreachable(f"{place} redirects in a circle: check the address")
    return Unreachable(f"the connection to {place} broke: try again ({reason})")


def _read(response: httpx.Response) -> Answer:
    url = str(response.url)
    reason = f"{response.status_code} {response.reason_phrase}".strip()
    api_version = response.headers.get("X-DEVPI-API-VERSION")
    if api_version is None and response.status_code >= 500:
        raise ServerTrouble(
            f"{origin(url)} answers {reason}: the server behind it may be down, try again later"
        )
    if api_version is None:
        raise NotStillroom(
            f"{url} answers {reason}, but not as a Stillroom (or devpi) server: check the address"
        )
    if api_version != API_VERSION:
        raise NotStillroom(
            f"{origin(url)} speaks version {api_version} of the API, this client "
            f"{API_VERSION}: upgrade the older one"
        )
    body = _json(response)
    if response.is_success and body is not None:
        return Answer(url, body)
    raise _refusal(response, str((body or {}).get("message") or reason))


def _json(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _refusal(response: httpx.Response, message: str) -> ServerError:
    status = response.status_code
    if status == 401:
        return NotLoggedIn(message)
    if status >= 500:
        return ServerTrouble(f"the server has trouble, try again later: {message}")
    if status >= 400:
        return Refused(message, status)
    if response.is_redirect:
        target = urlsplit(response.headers.get("Location", ""))._replace(query="").geturl()
        return NotStillroom(f"{response.url} has moved to {target}: use that address")
    return NotStillroom(f"{response.url} answers {status} without JSON: check the address")
