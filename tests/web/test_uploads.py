"""Uploads that are taken: the form in every shape that tools send, and what it changes."""

import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import httpx
import pytest

from stillroom_server.domain.events import EventKind
from support.distributions import Distribution, make_sdist, make_wheel
from support.forms import Part, content, encode, form_of, text
from support.site import Site, file_url, filenames, new_index, page, send, upload

WHEEL = make_wheel("Example", "1.0", requires_python=">=3.8,<4", summary="Said in the archive")
SDIST = make_sdist("Example", "1.0")
OTHER_BYTES = make_wheel("Example", "1.0", body="other bytes")


def events(site: Site) -> list[EventKind]:
    """What happened to files, in order."""
    with site.database.reading() as unit:
        kinds = [entry.event.kind for entry in unit.journal.since(0, 1_000)]
    return [kind for kind in kinds if kind.startswith("file-")]


@pytest.mark.parametrize("distribution", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_a_file_is_on_its_page_as_soon_as_the_upload_is_answered(
    site: Site, dev: httpx.Client, distribution: Distribution
) -> None:
    answer = send(dev, "dev/stage", distribution)
    assert answer.status_code == 200
    said = "added to dev/stage"
    assert answer.json() == {"message": said}
    [file] = page(dev, "dev/stage", "example")["files"]
    assert file["filename"] == distribution.filename
    assert file["hashes"] == {"sha256": distribution.sha256}
    assert file["size"] == len(distribution.content)
    downloaded = dev.get(file_url("dev/stage", "example", distribution))
    assert downloaded.content == distribution.content


@pytest.mark.parametrize(
    "path",
    [
        "/dev/stage",
        "/dev/stage/",
        "/dev/stage/simple",
        "/dev/stage/simple/",
        "/dev/stage/+simple/",
    ],
)
def test_every_address_that_tools_are_pointed_at_takes_the_form(
    dev: httpx.Client, path: str
) -> None:
    body, headers = encode(form_of(WHEEL))
    answer = dev.post(path, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert filenames(dev, "dev/stage", "example") == [WHEEL.filename]


def test_who_does_not_ask_for_json_gets_a_line_of_text(dev: httpx.Client) -> None:
    answer = send(dev, "dev/stage", WHEEL, headers={"Accept": "*/*"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == "added to dev/stage\n"


# The form


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_the_order_of_the_parts_does_not_matter(dev: httpx.Client, order: tuple[int, ...]) -> None:
    parts = [content(WHEEL), text(":action", "file_upload"), text("name", "example")]
    body, headers = encode(parts[index] for index in order)
    assert dev.post("/dev/stage/", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("content_type", [None, "text/html", "application/zip; charset=bogus"])
def test_the_content_type_of_the_file_does_not_matter(
    dev: httpx.Client, content_type: str | None
) -> None:
    parts = [
        text(":action", "file_upload"),
        Part("content", WHEEL.content, WHEEL.filename, content_type),
    ]
    body, headers = encode(parts)
    assert dev.post("/dev/stage/", content=body, headers=headers).status_code == 200


def test_fields_that_are_not_known_or_said_by_the_archive_are_ignored(
    dev: httpx.Client,
) -> None:
    repeated = [text("classifiers", f"Topic :: {n}") for n in range(50)]
    odd = [Part("comment", b"plain", None, "text/plain; charset=bogus")]
    unknown = [text("attestations", "[]"), text("x" * 200, "y"), text("", "nameless")]
    signature = [Part("gpg_signature", b"\xff\xfe", f"{WHEEL.filename}.asc", "application/pgp")]
    changed = form_of(WHEEL, {"summary": "Said in the form", "metadata_version": "9.9"})
    body, headers = encode([*repeated, *odd, *unknown, *signature, *changed])
    assert dev.post("/dev/stage/", content=body, headers=headers).status_code == 200
    release = dev.get("/dev/stage/example/1.0").json()["result"]
    assert release["summary"] == "Said in the archive"
    assert release["classifiers"] == []


@pytest.mark.parametrize(
    "sloppy",
    [
        {"name": "EXAMPLE"},
        {"name": "UNKNOWN"},
        {"name": ""},
        {"name": None, "version": None, "filetype": None, "requires_python": None},
        {"version": "1"},
        {"version": "v1.0.0"},
        {"version": "UNKNOWN"},
        {"requires_python": "<4, >=3.8"},
        {"requires_python": ""},
        {"requires_python": "UNKNOWN"},
        {"protocol_version": None},
        {"pyversion": "anything"},
        {"sha256_digest": None},
        {"sha256_digest": ""},
    ],
    ids=str,
)
def test_what_tools_spell_sloppily_is_accepted(
    dev: httpx.Client, sloppy: dict[str, str | None]
) -> None:
    answer = send(dev, "dev/stage", WHEEL, sloppy)
    assert answer.status_code == 200, answer.text


MD5 = hashlib.md5(WHEEL.content)
BLAKE2 = hashlib.blake2b(WHEEL.content, digest_size=32).hexdigest()


@pytest.mark.parametrize(
    "digests",
    [
        {"sha256_digest": WHEEL.sha256},
        {"sha256_digest": WHEEL.sha256.upper()},
        {"sha256_digest": f" {WHEEL.sha256}\n"},
        {"blake2_256_digest": BLAKE2},
        {"blake2_256_digest": BLAKE2.upper()},
        {"md5_digest": MD5.hexdigest()},
        {"md5_digest": base64.urlsafe_b64encode(MD5.digest()).rstrip(b"=").decode()},
        {
            "md5_digest": MD5.hexdigest(),
            "sha256_digest": WHEEL.sha256,
            "blake2_256_digest": BLAKE2,
        },
    ],
    ids=lambda digests: " ".join(f"{name}={value[:8]}" for name, value in digests.items()),
)
def test_right_digests_are_accepted_in_every_spelling(
    dev: httpx.Client, digests: dict[str, str]
) -> None:
    changes: dict[str, str | None] = {"sha256_digest": None, **digests}
    assert send(dev, "dev/stage", WHEEL, changes).status_code == 200


def test_a_boundary_of_any_legal_form_is_understood(dev: httpx.Client) -> None:
    for number, boundary in enumerate(["x", "'()+_,-./:=?", "b" * 70]):
        body, _ = encode(form_of(make_wheel(version=f"{number}.0")), boundary=boundary)
        headers = {"Content-Type": f'Multipart/Form-Data; charset=x; boundary="{boundary}"'}
        answer = dev.post("/dev/stage/", content=body, headers=headers)
        assert answer.status_code == 200, answer.text


def test_a_body_without_a_stated_length_is_read_to_its_end(dev: httpx.Client) -> None:
    body, headers = encode(form_of(WHEEL))
    answer = dev.post("/dev/stage/", content=iter([body[:100], body[100:]]), headers=headers)
    assert "Content-Length" not in answer.request.headers
    assert answer.status_code == 200


# The same name again


@pytest.mark.parametrize("volatile", [True, False])
def test_the_same_bytes_again_change_nothing(
    site: Site, dev: httpx.Client, volatile: bool
) -> None:
    new_index(dev, "dev/twice", volatile=volatile)
    upload(dev, "dev/twice", WHEEL)
    with site.unchanged():
        answer = send(dev, "dev/twice", WHEEL)
    assert answer.status_code == 200
    assert "with the same content" in answer.json()["message"]


def test_other_bytes_replace_a_file_of_a_volatile_index(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", WHEEL, SDIST)
    answer = send(dev, "dev/stage", OTHER_BYTES)
    assert answer.json()["message"] == "replaced in dev/stage"
    digests = {f["filename"]: f["hashes"] for f in page(dev, "dev/stage", "example")["files"]}
    assert digests[WHEEL.filename] == {"sha256": OTHER_BYTES.sha256}
    assert set(digests) == {WHEEL.filename, SDIST.filename}
    assert dev.get(file_url("dev/stage", "example", WHEEL)).status_code == 404
    replaced = dev.get(file_url("dev/stage", "example", OTHER_BYTES))
    assert replaced.content == OTHER_BYTES.content
    assert dev.get("/dev/stage/example/1.0").json()["result"]["summary"] == ""
    assert events(site)[-1] == EventKind.FILE_REPLACED


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_other_bytes_are_a_conflict_on_a_non_volatile_index(
    site: Site, dev: httpx.Client, accept: str
) -> None:
    new_index(dev, "dev/release", volatile=False)
    upload(dev, "dev/release", WHEEL)
    with site.unchanged():
        answer = send(dev, "dev/release", OTHER_BYTES, headers={"Accept": accept})
    assert answer.status_code == 409
    # Tools look for these words, and for this status.
    said = f"File already exists ('{WHEEL.filename}', with sha256 '{WHEEL.sha256}')"
    if accept == "*/*":
        assert answer.reason_phrase.startswith(said)
        assert answer.text.startswith(said)
    else:
        assert answer.json()["message"].startswith(said)
        assert answer.json()["code"].startswith(f"409 {said}")
    assert dev.get(file_url("dev/release", "example", WHEEL)).content == WHEEL.content


def test_a_name_that_was_deleted_is_not_used_again_on_a_non_volatile_index(
    site: Site, dev: httpx.Client
) -> None:
    new_index(dev, "dev/release", volatile=False)
    upload(dev, "dev/release", WHEEL, SDIST)
    path = file_url("dev/release", "example", WHEEL)
    assert dev.delete(path, params={"force": ""}).status_code == 200
    for again in (WHEEL, OTHER_BYTES):
        with site.unchanged():
            answer = send(dev, "dev/release", again)
        assert answer.status_code == 409
        assert "was deleted" in answer.json()["message"]
    assert filenames(dev, "dev/release", "example") == [SDIST.filename]


def test_a_name_that_was_deleted_is_free_on_a_volatile_index(dev: httpx.Client) -> None:
    upload(dev, "dev/stage", WHEEL)
    assert dev.delete(file_url("dev/stage", "example", WHEEL)).status_code == 200
    upload(dev, "dev/stage", OTHER_BYTES)
    assert filenames(dev, "dev/stage", "example") == [WHEEL.filename]


def test_one_artefact_has_one_name_whatever_its_spelling(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/release", volatile=False)
    upload(dev, "dev/release", SDIST)
    spelled = Distribution("Example-1.0.tar.gz", SDIST.content, SDIST.metadata)
    with site.unchanged():
        assert send(dev, "dev/release", spelled).status_code == 200
    changed = make_sdist("Example", "1.0", body="other bytes")
    with site.unchanged():
        answer = send(
            dev, "dev/release", Distribution(spelled.filename, changed.content, changed.metadata)
        )
    assert answer.status_code == 409


def test_one_content_is_stored_once_however_many_indexes_hold_it(
    site: Site, dev: httpx.Client
) -> None:
    upload(dev, "dev/stage", WHEEL)
    new_index(dev, "dev/other")
    before = site.stored().blobs
    upload(dev, "dev/other", WHEEL)
    assert site.stored().blobs == before


# At the same time


def test_the_same_file_from_many_clients_is_added_once(site: Site, dev: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(dev, "dev/stage", WHEEL), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert events(site) == [EventKind.FILE_ADDED]


def test_of_many_contents_for_one_name_exactly_one_is_taken(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/release", volatile=False)
    contents = [make_wheel("Example", "1.0", body=f"content {n}") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda wheel: send(dev, "dev/release", wheel), contents))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] + [409] * 7
    winner = contents[statuses.index(200)]
    assert dev.get(file_url("dev/release", "example", winner)).content == winner.content
    assert events(site) == [EventKind.FILE_ADDED]


# The limit


def test_a_file_as_large_as_the_limit_is_taken_and_not_one_byte_more(
    make_site: Callable[..., Site],
) -> None:
    site = make_site(max_file_size=len(WHEEL.content))
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    upload(dev, "dev/stage", WHEEL)
    larger = make_wheel("Example", "2.0", members={"data.bin": bytes(range(256)) * 4})
    with site.unchanged():
        answer = send(dev, "dev/stage", larger)
    assert answer.status_code == 413
    assert f"{len(WHEEL.content):,} bytes" in answer.json()["message"]
    assert "max_file_size" in answer.json()["message"]
