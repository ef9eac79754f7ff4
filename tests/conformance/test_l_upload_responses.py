"""L. Upload, responses: items 121 to 131."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.index import Index, OpenIndex
from conformance.pages import JSON
from conformance.tools import PUBLISHERS, Tools
from stillroom_server.testing import Distribution, LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.forms import Part, content, encode, form_of, text
from support.front import Front

UV_ACCEPT = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
HATCH_LINK = re.compile(r"<a [^>]+>([^<]+)</a>")
ATTEMPTS = 8


@pytest.fixture
def final(new_index: Callable[..., str], open_index: OpenIndex) -> Index:
    """An index in which a file is never replaced."""
    return open_index(new_index(final=True))


@pytest.mark.parametrize("client", PUBLISHERS)
def test_121_publishing_again(final: Index, project: str, tools: Tools, client: str) -> None:
    """[C] An identical upload: 200 and no change; every client that repeats itself exits 0."""
    files = make_wheel(project, "1.0"), make_sdist(project, "1.0")
    tools.publish(client, final, *files)
    before = final.get(f"{project}/", JSON)
    tools.publish(client, final, *files)
    after = final.get(f"{project}/", JSON)
    assert len(before.json()["files"]) == 2
    assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"])
    if client != "flit":  # which builds what it publishes
        assert [final.send(file).status_code for file in files] == [200, 200]


def test_122_other_bytes(final: Index, project: str) -> None:
    """[C] The same name with other bytes: 409, whose reason starts with `File already exists`."""
    first, second = make_wheel(project, "1.0"), make_wheel(project, "1.0", body="other bytes")
    final.upload(first)
    answer = final.send(second)
    assert answer.status_code == 409
    assert answer.reason_phrase.startswith("File already exists")
    assert answer.text.startswith("File already exists")
    for part in (first.filename, first.sha256):
        assert part in answer.text
    assert final.rows(project)[first.filename]["hashes"]["sha256"] == first.sha256


@pytest.mark.parametrize("client", ["poetry", "pdm"])
def test_122_skip_existing(final: Index, project: str, tools: Tools, client: str) -> None:
    """[C] poetry and pdm with `--skip-existing` exit 0, without it they do not."""
    first, second = make_wheel(project, "1.0"), make_wheel(project, "1.0", body="other bytes")
    sdist = make_sdist(project, "1.0")
    final.upload(first)
    tools.publish(client, final, second, sdist, status=None)
    tools.publish(client, final, second, sdist, skip_existing=True)
    rows = final.rows(project)
    assert rows[first.filename]["hashes"]["sha256"] == first.sha256
    assert sdist.filename in rows


def test_122_uv_reports_the_mismatch(final: Index, project: str, tools: Tools) -> None:
    """[C] `uv publish --check-url` reports that the file differs from that of the index."""
    first, second = make_wheel(project, "1.0"), make_wheel(project, "1.0", body="other bytes")
    final.upload(first)
    ran = tools.publish("uv", final, second, skip_existing=True, status=None)
    assert re.search("do(es)? not match", ran.text), ran.text


def test_123_uv_skips_without_a_post(
    final: Index, open_index: OpenIndex, project: str, front: Front, tools: Tools
) -> None:
    """[C] `uv publish --check-url` for a file that is there: skipped without a POST."""
    wheel = make_wheel(project, "1.0")
    seen = open_index(final.name, front=front)
    tools.publish("uv", seen, wheel, skip_existing=True)
    assert [request.method for request in front.requests].count("POST") == 1
    front.forget()
    ran = tools.publish("uv", seen, wheel, skip_existing=True)
    assert "already exists, skipping" in ran.text
    assert {request.method for request in front.requests} == {"GET"}


def test_124_check_of_hatch(index: Index, project: str) -> None:
    """[C] hatch's `GET <upload>/%2Bsimple/<name>/`: a list in HTML or 404, no redirect loop."""
    url = f"{index.upload_url.rstrip('/')}/%2Bsimple/{project}/"
    assert index.get(url, "*/*").status_code == 404
    wheel = make_wheel(project, "1.0")
    index.upload(wheel)
    answer = index.get(url, "*/*")
    assert answer.status_code in {200, 404}
    if answer.status_code == 200:
        assert HATCH_LINK.findall(answer.text) == [wheel.filename]


def test_125_a_deleted_name(
    final: Index, project: str, delete_file: Callable[[str, Distribution], None]
) -> None:
    """[C] The upload of a deleted name: 400 or 409 with text."""
    wheel = make_wheel(project, "1.0")
    final.upload(wheel)
    delete_file(final.name, wheel)
    answer = final.send(wheel)
    assert answer.status_code in {400, 409}
    assert "deleted" in answer.text


def test_126_credentials(
    index: Index,
    open_index: OpenIndex,
    project: str,
    new_token: Callable[..., object],
    token_logins: Callable[..., list[tuple[str, str]]],
) -> None:
    """[C] None: 401 with a challenge of Basic; wrong ones: 401; right but not allowed: 403."""
    wheel = make_wheel(project, "1.0")
    assert index.login is not None
    wrong = [("nobody", "wrong"), (index.login.user, "wrong"), ("__token__", "wrong")]
    for login in (None, *wrong):
        refused = open_index(index.name, login=login).send(wheel)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    (reading, *_more) = token_logins(new_token(index.name, may_upload=False))
    assert open_index(index.name, login=reading).send(wheel).status_code == 403
    assert index.get(f"{project}/").status_code == 404


def test_127_reason_phrase(index: Index, project: str) -> None:
    """[C] The text is in the reason phrase: ASCII, one line, nothing injected."""
    evil = "9\r\nX-Evil: 1\r\n\r\né\x00<b>"
    answer = index.send(make_wheel(project, "1.0"), {"version": evil})
    assert answer.status_code == 400
    assert "X-Evil" not in answer.headers
    reason = answer.extensions["reason_phrase"].decode("ascii")
    assert "version" in reason
    assert reason.isprintable()
    assert len(reason) < 500
    assert reason.casefold() != "bad request"


@pytest.mark.parametrize("accept", ["application/json", UV_ACCEPT])
def test_128_errors_in_json(index: Index, project: str, accept: str) -> None:
    """[C] `Accept: application/json`: exactly `application/json`, with a `code` that uv shows."""
    answer = index.send(make_wheel(project, "1.0"), {"version": "9.9"}, {"Accept": accept})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"
    assert "9.9" in answer.json()["code"]


def test_128_uv_shows_the_reason(index: Index, project: str, tools: Tools) -> None:
    """[C] uv shows the sentence."""
    wheel = make_wheel(project, "1.0", metadata_version="3.0")
    ran = tools.publish("uv", index, wheel, status=None)
    assert "Metadata-Version" in ran.text


def test_129_bad_input_is_the_clients_fault(index: Index, project: str) -> None:
    """[C] Never 5xx for bad input, never 3xx."""
    wheel = make_wheel(project, "1.0")
    body, headers = encode(form_of(wheel))
    type_ = headers["Content-Type"]
    bodies = [
        (b"", type_), (body[:-20], type_), (body, "multipart/form-data"), (body, "text/plain"),
        (b"\0" * 1000, type_), (body.replace(b"\r\n", b"\n"), type_), (body, f"{type_}x"),
        (body.replace(b"Content-Disposition", b"X"), type_),
    ]  # fmt: skip
    for sent, said in bodies:
        headers = {"Content-Type": said}
        answer = index.ask("POST", index.upload_url, headers, content=sent)
        assert 400 <= answer.status_code < 500, (sent[:20], said)
    strange = ["\0", "é" * 5_000, "x" * 100_000, "../..", "{}", "\ud7ff", "-1"]
    fields = ["name", "version", "filetype", "sha256_digest", "requires_python", ":action"]
    for field in fields:
        for value in strange:
            status = index.send(wheel, {field: value}).status_code
            assert 400 <= status < 500, (field, value)
    binary = [Part("name", b"\xff\xfe"), Part("content", b"\xff" * 500, "\xff.whl")]
    answer = index.send_parts([text(":action", "file_upload"), *binary])
    assert 400 <= answer.status_code < 500
    assert index.get(f"{project}/").status_code == 404


def test_129_trouble_says_when_to_come_back(
    upstream: LocalUpstream, mirror: Index, project: str
) -> None:
    """[C] What is not the client's fault says `Retry-After` in whole seconds."""
    upstream.fault("*", status=503, headers={"Retry-After": "7"})
    answer = mirror.get(f"{project}/", JSON)
    assert answer.status_code in {429, 502, 503, 504}
    assert re.fullmatch(r"\d+", answer.headers["Retry-After"])


def test_130_a_failed_upload_leaves_nothing(index: Index, project: str) -> None:
    """[P] A failed upload leaves no file, no empty project, and no reserved name."""
    wheel = make_wheel(project, "1.0")
    broken = Distribution(wheel.filename, wheel.content[:-40], wheel.metadata)
    for attempt in (
        index.send(wheel, {"sha256_digest": "0" * 64}),
        index.send(broken),
        index.send_parts([text(":action", "file_upload"), content(broken)]),
    ):
        assert attempt.status_code == 400
    assert index.get(f"{project}/").status_code == 404
    assert project not in index.projects()
    other = make_wheel(project, "1.0", body="other bytes")
    index.upload(other)
    assert index.rows(project)[wheel.filename]["hashes"]["sha256"] == other.sha256


def test_130_two_at_once(final: Index, project: str) -> None:
    """[P] Of concurrent uploads of one name one wins: 200 for the same bytes, else 409."""
    contents = [make_wheel(project, "1.0", body=f"content {n % 2}") for n in range(ATTEMPTS)]
    with ThreadPoolExecutor(ATTEMPTS) as pool:
        statuses = list(pool.map(lambda wheel: final.send(wheel).status_code, contents))
    kept = final.rows(project)[contents[0].filename]["hashes"]["sha256"]
    expected = [200 if wheel.sha256 == kept else 409 for wheel in contents]
    assert statuses == expected


def test_131_read_your_writes(index: Index, project: str) -> None:
    """[P] The new file is on the page as soon as the upload is answered."""
    for number in range(5):
        wheel = make_wheel(project, f"{number}.0")
        index.upload(wheel)
        assert wheel.filename in index.rows(project)
        assert index.html(project).link(wheel.filename)
        url = index.file_url(project, wheel.filename)
        assert index.get(url).content == wheel.content
    assert project in index.projects()
