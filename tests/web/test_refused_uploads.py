"""Uploads that are refused: every fault is named, and nothing is stored."""

from collections.abc import Mapping

import httpx
import pytest

from support.distributions import Distribution, make_sdist, make_wheel
from support.forms import BOUNDARY, Part, content, encode, form_of, text
from support.site import API, Site, faulty_fields, new_index, new_token, send, upload

WHEEL = make_wheel("example", "1.0", requires_python=">=3.8")
SDIST = make_sdist("example", "1.0")
FORM, FORM_HEADERS = encode(form_of(WHEEL))


@pytest.fixture
def dev(shared_site: Site) -> httpx.Client:
    return shared_site.user("dev")


def refused(site: Site, client: httpx.Client, body: bytes, headers: Mapping[str, str]):
    """Post a form to dev/stage, which must store nothing; the answer."""
    with site.unchanged():
        return client.post("/dev/stage/", content=body, headers=headers)


# The form against the archive

CONTRADICTIONS = {
    "another name": ({"name": "other"}, "name"),
    "a name with a line break": ({"name": "example\r\nX-Evil: 1"}, "name"),
    "another version": ({"version": "1.1"}, "version"),
    "no version at all": ({"version": "latest"}, "version"),
    "another file type": ({"filetype": "sdist"}, "filetype"),
    "a file type of long ago": ({"filetype": "bdist_egg"}, "filetype"),
    "another Requires-Python": ({"requires_python": ">=3.9"}, "requires_python"),
    "nonsense in Requires-Python": ({"requires_python": "new"}, "requires_python"),
    "a wrong sha256": ({"sha256_digest": "0" * 64}, "sha256_digest"),
    "a sha256 that is too short": ({"sha256_digest": WHEEL.sha256[:-1]}, "sha256_digest"),
    "a sha256 that is no hex": ({"sha256_digest": "z" * 64}, "sha256_digest"),
    "a sha256 of other letters": ({"sha256_digest": "é" * 64}, "sha256_digest"),
    "a wrong blake2": ({"blake2_256_digest": WHEEL.sha256}, "blake2_256_digest"),
    "a wrong md5": ({"md5_digest": "0" * 32}, "md5_digest"),
    "an md5 in wrong base64": ({"md5_digest": "AAAAAAAAAAAAAAAAAAAAAA"}, "md5_digest"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_form_that_contradicts_the_archive_is_refused(
    shared_site: Site, dev: httpx.Client, what: str
) -> None:
    changes, field = CONTRADICTIONS[what]
    answer = refused(shared_site, dev, *encode(form_of(WHEEL, changes)))
    assert faulty_fields(answer) == {field}


def test_both_values_of_a_contradiction_are_named(shared_site: Site, dev: httpx.Client) -> None:
    answer = refused(shared_site, dev, *encode(form_of(WHEEL, {"version": "1.1"})))
    assert answer.json()["message"] == "version: the form says '1.1', the archive '1.0'"


def test_all_faults_are_named_at_once_and_the_first_in_the_reason_phrase(
    shared_site: Site, dev: httpx.Client
) -> None:
    changes = {"sha256_digest": "0" * 64, "name": "other", "version": "2", "filetype": "sdist"}
    body, headers = encode(form_of(WHEEL, changes))
    answer = refused(shared_site, dev, body, headers)
    assert faulty_fields(answer) == {"sha256_digest", "name", "version", "filetype"}
    told = refused(shared_site, dev, body, headers | {"Accept": "*/*"})
    assert told.reason_phrase.startswith("sha256_digest: the form says '000")
    for field in ("name: ", "version: ", "filetype: "):
        assert field in told.text


# What is no distribution of that name

WRONG_FILES = {
    "another project's name": Distribution("other-1.0-py3-none-any.whl", WHEEL.content, b""),
    "another version": Distribution("example-2.0-py3-none-any.whl", WHEEL.content, b""),
    "a wheel called sdist": Distribution("example-1.0.tar.gz", WHEEL.content, b""),
    "an sdist called wheel": Distribution(WHEEL.filename, SDIST.content, b""),
    "text": Distribution(WHEEL.filename, b"this is no archive", b""),
    "NULs": Distribution(SDIST.filename, bytes(1_000), b""),
    "one byte": Distribution(SDIST.filename, b"x", b""),
    "half a wheel": Distribution(WHEEL.filename, WHEEL.content[: len(WHEEL.content) // 2], b""),
    "half an sdist": Distribution(SDIST.filename, SDIST.content[:-20], b""),
    "an empty wheel": Distribution(WHEEL.filename, b"", b""),
    "an ending of long ago": Distribution("example-1.0.egg", WHEEL.content, b""),
    "a zip": Distribution("example-1.0.zip", WHEEL.content, b""),
    "no ending": Distribution("example", WHEEL.content, b""),
    "a folder": Distribution(f"../{WHEEL.filename}", WHEEL.content, b""),
    "a folder of Windows": Distribution(f"..\\\\{WHEEL.filename}", WHEEL.content, b""),
    "a hidden file": Distribution(f".{WHEEL.filename}", WHEEL.content, b""),
    "a name of 300 letters": Distribution("e" * 300 + "-1.0.tar.gz", SDIST.content, b""),
    "a name that is not ASCII": Distribution("exämple-1.0.tar.gz", SDIST.content, b""),
    "a control character": Distribution("example-1.0\x1b.tar.gz", SDIST.content, b""),
    "a bidirectional override": Distribution("example-1.0\u202e.tar.gz", SDIST.content, b""),
    "a trailing space": Distribution("example-1.0.tar.gz ", SDIST.content, b""),
    "tags without end": Distribution(f"example-1.0-{'.'.join(['py3'] * 80)}-none-any.whl",
                                     WHEEL.content, b""),
    "no name": Distribution("", WHEEL.content, b""),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_FILES)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    shared_site: Site, dev: httpx.Client, what: str
) -> None:
    parts = [text(":action", "file_upload"), content(WRONG_FILES[what])]
    answer = refused(shared_site, dev, *encode(parts))
    assert faulty_fields(answer) & {"content", "name", "version"}
    assert len(answer.json()["message"]) < 1_000


# The form itself

BAD_FORMS: dict[str, tuple[list[Part], str]] = {
    "no parts": ([], ":action"),
    "no action": ([content(WHEEL)], ":action"),
    "another action": ([text(":action", "doc_upload"), content(WHEEL)], ":action"),
    "the action twice": (
        [text(":action", "file_upload"), text(":action", "remove"), content(WHEEL)], ":action",
    ),
    "another protocol": (form_of(WHEEL, {"protocol_version": "2"}), "protocol_version"),
    "no content": ([text(":action", "file_upload")], "content"),
    "content as text": ([text(":action", "file_upload"), text("content", "x")], "content"),
    "content twice": ([*form_of(WHEEL), content(SDIST)], "content"),
    "a field that is not UTF-8": ([*form_of(WHEEL), Part("summary", b"\xff\xfe")], "body"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_FORMS)
def test_a_form_that_is_no_upload_is_refused(
    shared_site: Site, dev: httpx.Client, what: str
) -> None:
    parts, field = BAD_FORMS[what]
    assert faulty_fields(refused(shared_site, dev, *encode(parts))) == {field}


def test_registering_a_release_is_gone(shared_site: Site, dev: httpx.Client) -> None:
    answer = refused(shared_site, dev, *encode([text(":action", "submit"), text("name", "x")]))
    assert answer.status_code == 410
    assert "upload its files" in answer.json()["message"]


BAD_BODIES: dict[str, tuple[bytes, str | None]] = {
    "nothing": (b"", FORM_HEADERS["Content-Type"]),
    "no content type": (FORM, None),
    "no boundary": (FORM, "multipart/form-data"),
    "an empty boundary": (FORM, 'multipart/form-data; boundary=""'),
    "another boundary": (FORM, "multipart/form-data; boundary=other"),
    "a boundary that is not ASCII": (FORM, "multipart/form-data; boundary=\xff"),
    "a boundary with a line break": (FORM, 'multipart/form-data; boundary="a\nb"'),
    "another kind of multipart": (FORM, f"multipart/mixed; boundary={BOUNDARY}"),
    "a urlencoded form": (b":action=file_upload", "application/x-www-form-urlencoded"),
    "text before the form": (b"x" + FORM, FORM_HEADERS["Content-Type"]),
    "line breaks of Unix": (FORM.replace(b"\r\n", b"\n"), FORM_HEADERS["Content-Type"]),
    "a header without an end": (
        FORM[:40] + b"x" * 100_000 + FORM[40:], FORM_HEADERS["Content-Type"],
    ),
    "a thousand headers": (
        FORM.replace(b"\r\n", b"\r\n" + b"X: y\r\n" * 1_000, 1), FORM_HEADERS["Content-Type"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_cannot_be_read_is_refused(
    shared_site: Site, dev: httpx.Client, what: str
) -> None:
    body, content_type = BAD_BODIES[what]
    headers = {} if content_type is None else {"Content-Type": content_type.encode("latin-1")}
    assert faulty_fields(refused(shared_site, dev, body, headers)) == {"body"}


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_body_that_breaks_off_is_refused(
    shared_site: Site, dev: httpx.Client, share: float
) -> None:
    cut = FORM[: int(len(FORM) * share)]
    assert faulty_fields(refused(shared_site, dev, cut, FORM_HEADERS)) == {"body"}


def test_a_body_without_its_last_boundary_is_refused(shared_site: Site, dev: httpx.Client) -> None:
    for missing in (3, 4, 5, len(BOUNDARY) + 6):
        assert faulty_fields(refused(shared_site, dev, FORM[:-missing], FORM_HEADERS)) == {"body"}


def test_too_many_fields_are_refused(shared_site: Site, dev: httpx.Client) -> None:
    many = [text("classifiers", "x")] * 5_001
    assert faulty_fields(refused(shared_site, dev, *encode([*many, *form_of(WHEEL)]))) == {"body"}


@pytest.mark.parametrize("as_file", [False, True])
def test_fields_of_too_many_bytes_are_refused(
    shared_site: Site, dev: httpx.Client, as_file: bool
) -> None:
    large = Part("description", b"x" * 20_000_000, "notes.txt" if as_file else None)
    answer = refused(shared_site, dev, *encode([large, *form_of(WHEEL)]))
    assert answer.status_code == 413
    assert "16,777,216 bytes" in answer.json()["message"]


# Where and by whom


def test_a_mirror_takes_no_uploads(shared_site: Site, dev: httpx.Client) -> None:
    for client in (dev, shared_site.root):
        with shared_site.unchanged():
            answer = send(client, "root/pypi", WHEEL)
        assert answer.status_code == 403
        assert "is a mirror and takes no uploads; use a stage" in answer.json()["message"]
    assert send(shared_site.anonymous, "root/pypi", WHEEL).status_code == 401


def test_who_is_not_in_acl_upload_is_refused_with_the_reason(site: Site) -> None:
    dev, other = site.new_user("dev"), site.new_user("other")
    new_index(dev, "dev/closed", acl_upload=[])
    with site.unchanged():
        answer = send(other, "dev/closed", WHEEL)
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        "Not allowed: other may not upload to dev/closed: acl_upload names nobody. "
        "Its owner dev, root, or who is in acl_admin can change that."
    )
    for client in (dev, site.root):
        assert send(client, "dev/closed", WHEEL).status_code == 200


def test_everyone_may_upload_where_acl_upload_says_so(site: Site) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/open", acl_upload=":ANONYMOUS:")
    assert send(site.anonymous, "dev/open", WHEEL).status_code == 200
    release = dev.get("/dev/open/example/1.0").json()["result"]
    assert release["+links"][0]["log"][0]["who"] is None


@pytest.mark.parametrize("accept", [API, "*/*"])
def test_who_may_only_upload_is_told_nothing_of_what_is_held(site: Site, accept: str) -> None:
    dev, ann = site.new_user("dev"), site.new_user("ann")
    new_index(dev, "dev/drop", acl_read="dev", acl_upload="dev,ann,:ANONYMOUS:", volatile=False)
    upload(dev, "dev/drop", WHEEL)
    other = make_wheel("example", "1.0", summary="other bytes")
    uploading = site.bearer(new_token(dev, "dev", allow=["upload"])["token"])
    exists = (
        f"File already exists ('{WHEEL.filename}') in the non-volatile index dev/drop; "
        "upload a new version instead."
    )
    clients = (ann, site.anonymous, uploading)
    for client in clients:
        answer = send(client, "dev/drop", other, headers={"Accept": accept})
        assert answer.status_code == 409
        assert exists in answer.text
    assert WHEEL.sha256 in send(dev, "dev/drop", other).text
    dev.patch("/dev/drop/example", json={"status": "quarantined", "reason": "a reason of ours"})
    newer = make_wheel("example", "2.0")
    for client in clients:
        answer = send(client, "dev/drop", newer, headers={"Accept": accept})
        assert answer.status_code == 403
        assert "example is quarantined in dev/drop and takes no uploads" in answer.text
    assert "is quarantined in dev/drop (a reason of ours) and" in send(dev, "dev/drop", newer).text


def test_a_refusal_comes_before_the_form_is_read(shared_site: Site, dev: httpx.Client) -> None:
    reading = shared_site.bearer(new_token(dev, "dev", allow=["read"])["token"])
    for client, status in ((shared_site.anonymous, 401), (reading, 403)):
        answer = refused(shared_site, client, b"this is no form", FORM_HEADERS)
        assert answer.status_code == status


def test_an_index_that_does_not_exist_takes_nothing(shared_site: Site, dev: httpx.Client) -> None:
    with shared_site.unchanged():
        assert send(dev, "dev/absent", WHEEL).status_code == 404
        assert send(dev, "nobody/stage", WHEEL).status_code == 404
