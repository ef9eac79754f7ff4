"""J. Upload, request forms: items 94 to 110."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from conformance.index import Index
from conformance.memory import Watch
from conformance.pages import JSON
from conformance.shelf import Shelf
from conformance.tools import PUBLISHERS, Tools
from stillroom_server.testing import Distribution
from support.distributions import import_name, make_sdist, make_wheel
from support.forms import BOUNDARY, Part, content, encode, fields_of, form_of, text
from support.large_wheel import write_large_wheel

LARGE = 2_000_000_000
"""Bytes of the large wheel."""
PATIENCE = 600
"""Seconds for which the answer to it may be waited."""
PAUSE = 0.05
"""Seconds between two reads meanwhile."""
WAIT = 2.0
"""Seconds that most of these reads may take."""
MEMORY = 250_000_000
"""By how many bytes a server may grow, whatever else it does meanwhile."""


MakeLargeWheel = Callable[[str, int], Path]


@pytest.fixture
def large_wheel(tmp_path: Path) -> Iterator[MakeLargeWheel]:
    """Makes version 1.0 of a project with so many bytes, and takes it away again."""
    written: list[Path] = []

    def made(name: str, size: int) -> Path:
        written.append(write_large_wheel(tmp_path, name, size))
        return written[-1]

    yield made
    for path in written:
        path.unlink()


@pytest.mark.parametrize("client", PUBLISHERS)
def test_094_real_clients_publish(index: Index, project: str, tools: Tools, client: str) -> None:
    """[C] twine, uv, poetry, pdm, hatch and flit each publish one wheel and one sdist."""
    files = make_wheel(project, "1.0"), make_sdist(project, "1.0")
    tools.publish(client, index, *files)
    rows = index.rows(project)
    stem = f"{import_name(project)}-1.0"
    wheel_name, sdist_name = sorted(rows)
    assert parse_wheel_filename(wheel_name)[0] == parse_sdist_filename(sdist_name)[0] == project
    assert (wheel_name.startswith(stem), sdist_name) == (True, f"{stem}.tar.gz")
    for name, row in rows.items():
        body = index.get(index.file_url(project, name)).content
        assert hashlib.sha256(body).hexdigest() == row["hashes"]["sha256"]
    if client != "flit":  # which builds what it publishes
        sent = {file.filename: file.sha256 for file in files}
        assert {name: row["hashes"]["sha256"] for name, row in rows.items()} == sent


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_095_order_of_parts(index: Index, project: str, order: tuple[int, ...]) -> None:
    """[C] `content` first, in the middle or last: the same result."""
    wheel = make_wheel(project, "1.0")
    fields = [text(name, value) for name, value in fields_of(wheel).items()]
    thirds = [fields[:2], [content(wheel)], fields[2:]]
    answer = index.send_parts([part for third in order for part in thirds[third]])
    assert answer.status_code == 200
    assert index.rows(project)[wheel.filename]["hashes"] == {"sha256": wheel.sha256}


def test_096_content_without_a_type(index: Index, project: str) -> None:
    """[C] A `content` part without Content-Type is accepted (uv, flit)."""
    wheel = make_wheel(project, "1.0")
    *fields, _content = form_of(wheel)
    answer = index.send_parts([*fields, Part("content", wheel.content, wheel.filename)])
    assert answer.status_code == 200
    assert wheel.filename in index.rows(project)


def test_097_slash_of_the_upload_url(index: Index, project: str) -> None:
    """[C] The upload URL with and without a slash at its end: the same 200, no 3xx."""
    addresses = [index.upload_url, index.upload_url.rstrip("/")]
    for number, address in enumerate(addresses, start=1):
        wheel = make_wheel(project, f"{number}.0")
        assert index.send_parts(form_of(wheel), url=address).status_code == 200
        assert wheel.filename in index.rows(project)


def digests(wheel: Distribution) -> dict[str, str]:
    """The fields that tell the digests of a file."""
    return {
        "sha256_digest": wheel.sha256,
        "blake2_256_digest": hashlib.blake2b(wheel.content, digest_size=32).hexdigest(),
        "md5_digest": hashlib.md5(wheel.content).hexdigest(),
    }


@pytest.mark.parametrize("field", ["sha256_digest", "blake2_256_digest", "md5_digest"])
def test_098_digests(index: Index, project: str, field: str) -> None:
    """[S] A wrong digest: 400, nothing stored; any alone is accepted, in upper case too."""
    wheel = make_wheel(project, "1.0")
    right = digests(wheel)[field]
    wrong = digests(make_wheel(project, "2.0"))[field]
    none = {"sha256_digest": None}
    refused = index.send(wheel, {**none, field: wrong})
    assert refused.status_code == 400
    assert field in refused.text
    assert index.get(f"{project}/").status_code == 404
    for value in (right, right.upper()):
        assert index.send(wheel, {**none, field: value}).status_code == 200
    assert wheel.filename in index.rows(project)


def test_099_unknown_fields(index: Index, project: str) -> None:
    """[C] Unknown fields are ignored, and both spellings of those that clients differ in."""
    wheel = make_wheel(project, "1.0")
    names = [
        "import_name", "import_names", "import_namespace", "import_namespaces",
        "provides_extra", "provides_extras", "of_the_future", "attestations",
    ]  # fmt: skip
    parts = [text(name, "something") for name in names for _ in range(2)]
    assert index.send_parts([*parts, *form_of(wheel)]).status_code == 200
    assert wheel.filename in index.rows(project)


@pytest.mark.parametrize("nothing", ["", "UNKNOWN"])
def test_100_values_that_say_nothing(index: Index, project: str, nothing: str) -> None:
    """[C] Empty `requires_python` and `UNKNOWN` count as absent."""
    bare = make_wheel(project, "1.0")
    said = make_wheel(project, "2.0", requires_python=">=3.8")
    fields = ("requires_python", "summary", "license", "home_page", "keywords", "author")
    for wheel in (bare, said):
        assert index.send(wheel, dict.fromkeys(fields, nothing)).status_code == 200
    rows = index.rows(project)
    assert "requires-python" not in rows[bare.filename]
    assert rows[said.filename]["requires-python"] == ">=3.8"


VERSIONS = ["1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.9"]


@pytest.mark.parametrize("version", VERSIONS)
def test_101_metadata_versions(index: Index, project: str, version: str) -> None:
    """[C] Metadata-Version 1.0 to 2.6 are accepted, and 2.9, a minor version of the future."""
    wheel = make_wheel(project, "1.0", metadata_version=version)
    answer = index.send(wheel)
    assert answer.status_code == 200, answer.text
    assert wheel.filename in index.rows(project)


@pytest.mark.parametrize("version", ["3.0", "latest", "2", "2.x", ""])
def test_101_metadata_versions_refused(index: Index, project: str, version: str) -> None:
    """[C] Metadata-Version 3.0 and garbage are refused."""
    answer = index.send(make_wheel(project, "1.0", metadata_version=version))
    assert answer.status_code == 400
    assert "Metadata-Version" in answer.text
    assert index.get(f"{project}/").status_code == 404


@pytest.mark.parametrize("action", ["submit", "doc_upload", "remove_pkg", "FILE_UPLOAD", ""])
def test_102_other_actions(index: Index, project: str, action: str) -> None:
    """[C] `:action` other than file_upload: 410 or 400 with text."""
    answer = index.send(make_wheel(project, "1.0"), {":action": action})
    assert answer.status_code in {400, 410}
    assert len(answer.text) > 10
    assert index.get(f"{project}/").status_code == 404


@pytest.mark.parametrize(("field", "value"), [("name", "other-name"), ("version", "9.8")])
def test_103_a_form_that_contradicts(index: Index, project: str, field: str, value: str) -> None:
    """[P] A form that contradicts the archive: 400, naming both values."""
    answer = index.send(make_wheel(project, "1.0"), {field: value})
    assert answer.status_code == 400
    assert value in answer.text
    assert {"name": project, "version": "1.0"}[field] in answer.text
    assert index.get(f"{project}/").status_code == 404


def test_104_pages_tell_what_the_archive_says(
    index: Index, project: str, legacy_json_path: Callable[..., str]
) -> None:
    """[P] The data of pages come from the archive, not from the form."""
    wheel = make_wheel(project, "1.0", requires_python=">=3.8", summary="Of the archive")
    assert index.send(wheel, {"summary": "Of the form", "requires_python": ""}).status_code == 200
    assert index.rows(project)[wheel.filename]["requires-python"] == ">=3.8"
    told = index.get(index.place.url + legacy_json_path(index.name, project))
    assert told.json()["info"]["summary"] == "Of the archive"


def test_105_multiple_values(
    index: Index, project: str, legacy_json_path: Callable[..., str]
) -> None:
    """[C] Values keep order and duplicates; a project URL is split at its first comma."""
    classifiers = ["Topic :: Utilities", "Programming Language :: Python", "Topic :: Utilities"]
    requirements = ["zeta>=1", "alpha", "zeta<9"]
    headers = [
        *(("Classifier", value) for value in classifiers),
        *(("Project-URL", value) for value in ("Docs, https://example.com/a,b", "Home,x:y")),
    ]
    wheel = make_wheel(project, "1.0", requires_dist=requirements, extra_headers=headers)
    *fields, file = form_of(wheel)
    repeated = [text("classifiers", value) for value in reversed(classifiers)]
    repeated += [text("requires_dist", value) for value in reversed(requirements)]
    assert index.send_parts([*fields, *repeated, file]).status_code == 200
    info = index.get(index.place.url + legacy_json_path(index.name, project)).json()["info"]
    assert info["classifiers"] == classifiers
    assert info["requires_dist"] == requirements
    assert info["project_urls"] == {"Docs": "https://example.com/a,b", "Home": "x:y"}


def licensed(project: str, *headers: tuple[str, str], file: str = "") -> Distribution:
    """A wheel of Metadata 2.4 that says something of its licence, with or without its text."""
    stem = f"{import_name(project)}-1.0.dist-info/licenses"
    members = {f"{stem}/{file}": b"The licence"} if file else {}
    return make_wheel(
        project, "1.0", metadata_version="2.4", extra_headers=headers, members=members
    )


def test_106_licences(index: Index, project: str) -> None:
    """[C] License-Expression with its file; without the file, or with License as well: 400."""
    expression, file = ("License-Expression", "MIT"), ("License-File", "LICENSE.txt")
    refused = [
        licensed(project, expression, file),
        licensed(project, expression, ("License", "MIT"), file, file="LICENSE.txt"),
        licensed(project, expression, file, file="COPYING"),
    ]
    for wheel in refused:
        answer = index.send(wheel)
        assert answer.status_code == 400
        assert "License" in answer.text
    assert index.get(f"{project}/").status_code == 404
    index.upload(licensed(project, expression, file, file="LICENSE.txt"))


def test_107_another_protocol(index: Index, project: str) -> None:
    """[C] `protocol_version=2`: 400."""
    answer = index.send(make_wheel(project, "1.0"), {"protocol_version": "2"})
    assert answer.status_code == 400
    assert "protocol_version" in answer.text


def announced(index: Index, length: int, body: bytes) -> bytes:
    """Post a body of which only the beginning is sent; all that comes back until the end."""
    place = urlsplit(index.upload_url)
    headers = {
        "Host": place.netloc,
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(length),
        **index.authorization,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with closing(index.place.connection()) as connection:
        connection.connect()
        connection.sock.sendall(f"POST {place.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        answer = b""
        while block := connection.sock.recv(65_536):
            answer += block
        return answer


def test_108_too_large(index: Index, project: str, max_file_size: int) -> None:
    """[P] A body over the limit: 413 without reading it all; the connection ends cleanly."""
    body, _headers = encode(form_of(make_wheel(project, "1.0")))
    answer = announced(index, 2 * max_file_size, body)
    _version, status, reason = answer.partition(b"\r\n")[0].split(b" ", 2)
    assert status == b"413"
    assert reason
    assert answer.partition(b"\r\n\r\n")[2]
    assert index.get(f"{project}/").status_code == 404


def test_108_a_client_tells_it(
    index: Index, project: str, max_file_size: int, large_wheel: MakeLargeWheel, tools: Tools
) -> None:
    """[P] The client prints the reason."""
    wheel = large_wheel(project, max_file_size * 21 // 20)
    assert index.login is not None
    login = ("--username", index.login.user, "--password", index.login.password)
    where = ("--publish-url", index.upload_url, "--trusted-publishing", "never")
    ran = tools.run("uv", "publish", *where, *login, wheel, status=None)
    assert "413" in ran.text
    assert "Server says: " in ran.text
    assert index.get(f"{project}/").status_code == 404


def test_109_missing_and_double_parts(index: Index, project: str) -> None:
    """[P] No `content`, two of them, an empty file, an empty name: 400."""
    wheel = make_wheel(project, "1.0")
    *fields, file = form_of(wheel)
    other = make_wheel(project, "2.0")
    empty = {"sha256_digest": hashlib.sha256(b"").hexdigest()}
    forms = {
        "no content": fields,
        "two": [*fields, file, content(other)],
        "the same twice": [*fields, file, file],
        "empty": form_of(Distribution(wheel.filename, b"", wheel.metadata), empty),
        "no name": [*fields, Part("content", wheel.content, "")],
        "no file": [*fields, text("content", "text")],
    }
    for what, parts in forms.items():
        answer = index.send_parts(parts)
        assert answer.status_code == 400, what
        assert len(answer.text) > 10
    assert index.get(f"{project}/").status_code == 404


def around(filename: str, fields: dict[str, str]) -> tuple[bytes, bytes]:
    """What stands before and after a file in a form."""
    whole, _headers = encode(
        [*(text(*field) for field in fields.items()), Part("content", b"", filename)]
    )
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    return whole.removesuffix(end), end


def in_pieces(file: Path) -> Iterator[bytes]:
    """A file that does not fit into memory."""
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            yield block


def test_110_a_large_upload(
    index: Index, project: str, shelf: Shelf, server_pid: int, large_wheel: MakeLargeWheel
) -> None:
    """[P] 2 GB pass in bounded memory, and reads are answered meanwhile."""
    wheel = large_wheel(project, LARGE)
    fields = {":action": "file_upload", "name": project, "version": "1.0"}
    fields |= {"filetype": "bdist_wheel", "protocol_version": "1"}
    head, end = around(wheel.name, fields)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(head) + wheel.stat().st_size + len(end)),
    }

    def upload() -> httpx.Response:
        sender = index.as_seen_by(index.login)
        form = itertools.chain([head], in_pieces(wheel), [end])
        return sender.ask("POST", sender.upload_url, headers, content=form, timeout=PATIENCE)

    index.get(f"{shelf.name}/", JSON)
    waits = []
    with Watch(server_pid) as watch, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(upload)
        while not sending.done():
            begun = time.monotonic()
            assert index.get(f"{shelf.name}/", JSON).status_code == 200
            waits.append(time.monotonic() - begun)
            wait([sending], PAUSE)
    answer = sending.result()
    assert answer.status_code == 200, answer.text
    assert index.rows(project)[wheel.name]["size"] == wheel.stat().st_size > LARGE
    assert watch.growth < MEMORY
    assert len(waits) > 5
    assert sorted(waits)[len(waits) * 9 // 10] < WAIT
