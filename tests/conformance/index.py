"""An index as clients meet it over HTTP."""

import contextlib
import http.client
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from conformance.adapter import Adapter, Login
from conformance.pages import HTML, JSON, Document, parse_html
from stillroom_server.testing import Distribution, basic_authorization
from support.forms import Part, encode, form_of

SECONDS = 120


@dataclass(frozen=True)
class Place:
    """Where a server is reached: `url` is its own or that of a proxy in front."""

    adapter: Adapter
    url: str
    trust: ssl.SSLContext

    def connection(self) -> http.client.HTTPConnection:
        """A connection for what a client would not send, or not send like that."""
        url = urlsplit(self.url)
        if url.scheme == "https":
            return http.client.HTTPSConnection(url.netloc, timeout=SECONDS, context=self.trust)
        return http.client.HTTPConnection(url.netloc, timeout=SECONDS)


class Index:
    """An index of a server.

    A request carries the login unless there is none, and asks for neither a form nor a
    compression unless a header says so; redirects are not followed.
    """

    def __init__(self, place: Place, name: str, login: Login | None) -> None:
        self.name = name
        self.login = login
        self.place = place
        self.simple = place.url + place.adapter.simple_path(name)
        self.upload_url = place.url + place.adapter.upload_path(name)
        self._client = httpx.Client(
            auth=login,
            verify=place.trust,
            timeout=SECONDS,
            headers={"Accept-Encoding": "identity"},
        )
        del self._client.headers["Accept"]
        self._others: list[Index] = []

    def close(self) -> None:
        """Close the connections, also of those who saw the same."""
        self._client.close()
        for other in self._others:
            other.close()

    def as_seen_by(self, login: Login | None) -> "Index":
        """The same for somebody else, or for nobody in particular."""
        self._others.append(Index(self.place, self.name, login))
        return self._others[-1]

    @property
    def simple_with_login(self) -> str:
        """The URL of the Simple API with the login in it, as it stands in configurations."""
        assert self.login is not None
        user, password = (quote(part, safe="") for part in self.login)
        return self.simple.replace("://", f"://{user}:{password}@", 1)

    # Reading

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] = {}, **how: Any
    ) -> httpx.Response:
        """Send one request to an absolute URL, or one below that of the Simple API."""
        return self._client.request(method, self.url_of(url), headers=headers, **how)

    def get(self, url: str = "", accept: str | None = None, **headers: str) -> httpx.Response:
        """GET; a header is written with `_` for `-`."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("GET", url, said | ({"Accept": accept} if accept is not None else {}))

    def raw(self, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """GET; the answer, and the bytes of its body as they were on the wire."""
        with self._client.stream("GET", self.url_of(url), headers=headers) as answer:
            return answer, b"".join(answer.iter_raw())

    def timed(self, url: str, headers: Mapping[str, str]) -> tuple[float, httpx.Response, bytes]:
        """GET; the seconds to the first byte, the answer, and its body as it was on the wire."""
        begun = time.monotonic()
        with self._client.stream("GET", self.url_of(url), headers=headers) as answer:
            first = time.monotonic() - begun
            return first, answer, b"".join(answer.iter_raw())

    def status_of_target(self, target: str) -> int:
        """The status of a GET whose request target is sent exactly as it is given."""
        with contextlib.closing(self.place.connection()) as connection:
            connection.request("GET", target, headers=self.authorization)
            return connection.getresponse().status

    @property
    def authorization(self) -> Mapping[str, str]:
        """The header with the login, for requests that are sent by hand."""
        if self.login is None:
            return {}
        return {"Authorization": basic_authorization(*self.login)}

    def url_of(self, url: str) -> str:
        """The absolute URL."""
        return url if url.startswith(("http://", "https://")) else self.simple + url

    def projects(self) -> list[str]:
        """The names on the list of projects."""
        answer = self.get("", JSON)
        assert answer.status_code == 200, answer.text
        return [project["name"] for project in answer.json()["projects"]]

    def page(self, project: str) -> dict[str, Any]:
        """The page of a project in JSON."""
        answer = self.get(f"{project}/", JSON)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        page: dict[str, Any] = answer.json()
        return page

    def html(self, project: str) -> Document:
        """The page of a project in HTML."""
        answer = self.get(f"{project}/", HTML)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return parse_html(answer.text)

    def rows(self, project: str) -> dict[str, dict[str, Any]]:
        """What the page in JSON says of each file, by its name."""
        return {file["filename"]: file for file in self.page(project)["files"]}

    def file_url(self, project: str, filename: str) -> str:
        """The absolute URL of a file by the page in JSON."""
        page = f"{self.simple}{project}/"
        return str(httpx.URL(page).join(self.rows(project)[filename]["url"]))

    # Uploading

    def send(
        self,
        distribution: Distribution,
        changes: Mapping[str, str | None] = {},
        headers: Mapping[str, str] = {},
    ) -> httpx.Response:
        """Upload a file as tools do, with changes to the fields of the form."""
        return self.send_parts(form_of(distribution, changes), headers)

    def send_parts(
        self, parts: Sequence[Part], headers: Mapping[str, str] = {}, url: str = ""
    ) -> httpx.Response:
        """Upload a form made of these parts, to its usual address unless told."""
        body, said = encode(parts)
        return self.ask("POST", url or self.upload_url, {**said, **headers}, content=body)

    def upload(self, *distributions: Distribution) -> None:
        """Upload files, which must work."""
        for distribution in distributions:
            answer = self.send(distribution)
            assert answer.status_code == 200, f"{answer.status_code} {answer.text}"


OpenIndex = Callable[..., Index]
"""`open_index(name, login=…, front=…)`: an index by its name, seen by a login or by nobody."""
