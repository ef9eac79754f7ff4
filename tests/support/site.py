"""A server in this process with its people: what the web suite asks, in few words."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from stillroom_server.app.assembly import Server
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore

from .canary import MARK
from .distributions import Distribution
from .forms import encode, form_of
from .servers import ROOT_PASSWORD, local_server
from .wsgi import WsgiTransport

API = "application/json"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"

BASE_URL = "http://stillroom.test"


def basic(user: str, password: str) -> dict[str, str]:
    """The header of Basic authentication."""
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def password_of(user: str) -> str:
    """The password that a user of the tests has."""
    return ROOT_PASSWORD if user == "root" else f"{user}{MARK}"


@dataclass(frozen=True)
class Stored:
    """All that a refused request must leave as it was."""

    serial: int
    blobs: frozenset[str]


class Site:
    """One application with its database and store. Clients ask for JSON unless told otherwise."""

    def __init__(self, server: Server, database: SqlDatabase, store: DiskBlobStore) -> None:
        self.server = server
        self.application = server.application
        self.services = server.services
        self.database = database
        self.store = store
        self.anonymous = self.client()
        self.root = self.client(**basic("root", ROOT_PASSWORD))

    def client(self, *, remote_addr: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """A client that sends these headers with every request."""
        return httpx.Client(
            transport=WsgiTransport(self.application, remote_addr=remote_addr),
            base_url=BASE_URL,
            headers={"Accept": API, **headers},
        )

    def user(self, name: str) -> httpx.Client:
        """A client of a user who exists."""
        return self.client(**basic(name, password_of(name)))

    def new_user(self, name: str) -> httpx.Client:
        """Create a user; their client."""
        answer = self.root.put(f"/{name}", json={"password": password_of(name)})
        assert answer.status_code == 201, answer.text
        return self.user(name)

    def bearer(self, secret: str) -> httpx.Client:
        """A client with a token."""
        return self.client(Authorization=f"Bearer {secret}")

    def stored(self) -> Stored:
        """What is there now. Nothing half received may be left."""
        later = datetime.now(UTC) + timedelta(hours=1)
        assert self.store.clean_incoming(later) == 0, "something half received was left behind"
        blobs = frozenset(sha256 for sha256, _size in self.store.walk())
        return Stored(self.database.serial(), blobs)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Whatever is done in the block must change and store nothing."""
        before = self.stored()
        yield
        assert self.stored() == before


@contextmanager
def new_site(database: SqlDatabase, store: DiskBlobStore, **settings: Any) -> Iterator[Site]:
    """A site on a fresh, migrated database, or a second application on one that is in use."""
    with local_server(database, store, **settings) as local:
        yield Site(local.server, database, store)


def lasting_headers(answer: httpx.Response) -> dict[str, str]:
    """The headers of an answer without the name of its request, which no other one has."""
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


# What is asked of a site, by one of its clients


def new_index(client: httpx.Client, name: str, **options: Any) -> None:
    """Create an index."""
    answer = client.put(f"/{name}", json=options)
    assert answer.status_code == 200, answer.text


def new_token(client: httpx.Client, user: str, **body: Any) -> dict[str, Any]:
    """Make a token for a user; its `id`, `token` and the rest."""
    answer = client.post(f"/{user}/+tokens", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["result"]


def send(
    client: httpx.Client,
    index: str,
    distribution: Distribution,
    changes: Mapping[str, str | None] = {},
    **kwargs: Any,
) -> httpx.Response:
    """Upload a file as tools do, with changes to the form's fields; the answer."""
    body, headers = encode(form_of(distribution, changes))
    headers |= kwargs.pop("headers", {})
    return client.post(f"/{index}/", content=body, headers=headers, **kwargs)


def upload(client: httpx.Client, index: str, *distributions: Distribution) -> None:
    """Upload files, which must work."""
    for distribution in distributions:
        answer = send(client, index, distribution)
        assert answer.status_code == 200, answer.text


def page(client: httpx.Client, index: str, project: str) -> dict[str, Any]:
    """The page of a project in JSON."""
    answer = client.get(f"/{index}/simple/{project}/", headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return answer.json()


def filenames(client: httpx.Client, index: str, project: str) -> list[str]:
    """The names of the files on a project's page."""
    return [file["filename"] for file in page(client, index, project)["files"]]


def file_url(index: str, project: str, distribution: Distribution) -> str:
    """The path of a file under an index."""
    name = distribution.filename.replace("+", "%2B")
    return f"/{index}/+f/{project}/{distribution.sha256}/{name}"


def faulty_fields(answer: httpx.Response) -> set[str]:
    """The fields that an invalid request is told to correct."""
    assert answer.status_code == 400, answer.text
    return {fault["field"] for fault in answer.json()["faults"]}
