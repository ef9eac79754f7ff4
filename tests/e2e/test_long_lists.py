"""A list of 50,000 names over real sockets: how it is framed, and how it breaks off."""

import io
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from stillroom_server.domain.names import IndexName
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.testing import LocalUpstream, generated_name
from support.distributions import make_wheel
from support.servers import ServerProcess
from support.site import HTML, JSON, new_index, upload

COUNT = 50_000
STAGE, MIRROR = "root/stage", "root/lister"
LIST = f"/{STAGE}/simple/"
NAMES = ["own", *(generated_name(number) for number in range(COUNT))]


class Place:
    """A server on one of the databases, with a stage above a mirror of a large upstream."""

    def __init__(
        self, server: ServerProcess, root: httpx.Client, upstream: LocalUpstream, database: str
    ) -> None:
        self.server = server
        self.upstream = upstream
        self.database = database
        self.root = root
        for name in ("lister", "broken"):
            options = {"type": "mirror", "mirror_url": upstream.url}
            new_index(self.root, f"root/{name}", mirror_no_project_list=False, **options)
        new_index(self.root, STAGE, bases=[MIRROR], acl_read=[":ANONYMOUS:"])
        upload(self.root, STAGE, make_wheel("own"))

    def says(self, request: str) -> tuple[str, bytes]:
        """The head and the rest of all that the server sends on one connection."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as client:
            client.sendall(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            received = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, rest = received.partition(b"\r\n\r\n")
        return head.decode(), rest


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp(f"lists-{request.param}")
    with ExitStack() as stack:
        upstream = stack.enter_context(LocalUpstream())
        upstream.generated_names = COUNT
        database = f"sqlite:///{folder / 'data' / 'stillroom.sqlite'}"
        settings = {"public_index": upstream.url}
        if request.param == "postgres":
            postgres = request.getfixturevalue("postgres_server")
            database = settings["database"] = stack.enter_context(postgres.database())
        server = stack.enter_context(ServerProcess(folder / "data", **settings))
        root = stack.enter_context(closing(server.login()))
        yield Place(server, root, upstream, database)


def in_chunks(body: bytes) -> Iterator[bytes]:
    """The chunks of a body (RFC 9112 §7.1), up to and with the last one, which is empty."""
    stream = io.BytesIO(body)
    while size := stream.readline():
        yield stream.read(int(size, 16))
        assert stream.read(2) == b"\r\n"


def test_a_long_list_is_sent_in_chunks_to_its_end(place: Place) -> None:
    head, rest = place.says(f"GET {LIST} HTTP/1.1\nHost: localhost\nAccept: {JSON}")
    assert head.startswith("HTTP/1.1 200 OK")
    assert re.search("^Transfer-Encoding: chunked\r?$", head, re.MULTILINE)
    assert "Content-Length" not in head
    chunks = list(in_chunks(rest))
    assert len(chunks) > 10
    assert [len(chunk) for chunk in chunks].index(0) == len(chunks) - 1
    listed = json.loads(b"".join(chunks))["projects"]
    assert [project["name"] for project in listed] == NAMES


def test_an_old_client_gets_it_until_the_connection_ends(place: Place) -> None:
    head, rest = place.says(f"GET {LIST} HTTP/1.0\nAccept: {JSON}")
    assert "Transfer-Encoding" not in head
    assert len(json.loads(rest)["projects"]) == len(NAMES)


def test_head_has_no_body_at_all(place: Place) -> None:
    head, rest = place.says(f"HEAD {LIST} HTTP/1.1\nHost: localhost\nAccept: {JSON}")
    assert head.startswith("HTTP/1.1 200 OK")
    assert rest == b""


@pytest.mark.parametrize("accept", [JSON, HTML])
@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_a_client_reads_it_in_every_coding_and_again_for_nothing(
    place: Place, accept: str, coding: str
) -> None:
    headers = {"Accept": accept, "Accept-Encoding": coding}
    with httpx.Client(base_url=place.server.url, timeout=60, headers=headers) as client:
        answer = client.get(LIST)
        assert answer.headers.get("Content-Encoding", "identity") == coding
        named = r'"name":"([^"]+)"' if accept == JSON else r'<a href="([^"]+)/">'
        assert re.findall(named, answer.text) == NAMES
        for _ in range(2):
            again = client.get(LIST, headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")


def test_the_upstream_was_asked_once(place: Place) -> None:
    httpx.get(place.server.url + LIST, timeout=60)
    asked = place.upstream.paths.count("/simple/")
    for _ in range(2):
        httpx.get(place.server.url + LIST, timeout=60)
    assert place.upstream.paths.count("/simple/") == asked


def test_a_name_is_found_by_its_beginning(place: Place) -> None:
    found = place.root.get(f"/{STAGE}/+projects", params={"prefix": "Project_00499"})
    assert found.json()["result"] == [name for name in NAMES if name.startswith("project-00499")]
    assert found.json()["more"] is False


def test_a_list_that_loses_names_under_way_is_not_taken_for_a_whole_one(place: Place) -> None:
    url = f"{place.server.url}/root/broken/simple/"
    headers = {"Accept": JSON, "Authorization": place.root.headers["Authorization"]}
    assert len(httpx.get(url, timeout=60, headers=headers).json()["projects"]) == COUNT
    database = SqlDatabase(place.database)
    with database.writing() as unit:
        index = unit.indexes.get(IndexName.parse("root/broken"))
        names = unit.mirror_names.current(index)
        # As `drop` does with one that holds no more, while somebody still reads it.
        unit.mirror_names.expire(index)
        assert unit.mirror_names.discard(names.id, 1) == 1
        unit.mirror_names.complete(index, names)
    database.close()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url, timeout=60, headers=headers)
    assert "was replaced while it was read" in place.server.log.read_text()
