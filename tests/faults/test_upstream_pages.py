"""Rows P-05, P-12 and P-22: lists and pages that are not what they should be, or say more."""

import json
import logging
from collections.abc import Mapping

import httpx
import pytest

from faults.asking import MIRROR, arrives, ask, asked, is_stale
from stillroom_server.testing import LocalUpstream, generated_name
from support.distributions import make_sdist, make_wheel
from support.site import HTML, JSON, Site, filenames, new_index, page

WHEEL = make_wheel("example", "1.0")
SDIST = make_sdist("example", "1.0")
LISTER = "root/lister"
NAMES = 200
IDENTITY = {"Content-Encoding": "identity"}

# P-05: the list of all names


@pytest.fixture
def lister(site: Site, upstream: LocalUpstream) -> str:
    """A mirror that has read the list of its upstream; the list expires at once."""
    upstream.generated_names = NAMES
    options = {"mirror_url": upstream.url, "mirror_cache_expiry": 0}
    new_index(site.root, LISTER, type="mirror", mirror_no_project_list=False, **options)
    assert listed(site) == expected(NAMES)
    return LISTER


def expected(count: int) -> list[str]:
    return [generated_name(number) for number in range(count)]


def listed(site: Site) -> list[str]:
    answer = site.root.get(f"/{LISTER}/simple/", headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return [project["name"] for project in answer.json()["projects"]]


def as_list(names: list[str]) -> bytes:
    body = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}
    return json.dumps(body).encode()


BAD_LISTS: dict[str, dict[str, object]] = {
    "empty": {"headers": IDENTITY, "body": as_list([])},
    "no names that are any": {"headers": IDENTITY, "body": as_list(["../..", "", "é"] * 500)},
    "one name of 50 MB": {"headers": IDENTITY, "body": as_list(["a" * 50_000_000])},
    "50 MB of nothing": {"bomb": 50_000_000},
    "truncated by the network": {"then": "close", "after": 500},
    "truncated JSON": {"headers": IDENTITY, "body": as_list(expected(NAMES))[:-20]},
    "invalid JSON": {"headers": IDENTITY, "body": b'{"projects": [{"name": "a"}, nonsense]}'},
    "JSON of another shape": {"headers": IDENTITY, "body": b'["a", "b"]'},
    "a login form": {
        "headers": {"Content-Type": "text/html", **IDENTITY},
        "body": b"<!DOCTYPE html><title>Log in</title><form action='/login'></form>",
    },
    "less than four fifths": {"headers": IDENTITY, "body": as_list(expected(NAMES * 4 // 5 - 1))},
    "an error": {"status": 503},
    "not found": {"status": 404},
}


@pytest.mark.parametrize("what", BAD_LISTS)
@pytest.mark.usefixtures("lister")
def test_p05_a_list_that_is_not_complete_and_plausible_does_not_replace_the_kept_one(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    upstream.fault("/simple/", **BAD_LISTS[what])
    before = asked(upstream, "/simple/")

    assert listed(site) == expected(NAMES)

    assert asked(upstream, "/simple/") > before
    assert any(record.levelno >= logging.WARNING for record in caplog.records)
    assert listed(site) == expected(NAMES)


@pytest.mark.parametrize("count", [NAMES * 4 // 5, NAMES + 1])
@pytest.mark.usefixtures("lister")
def test_p05_a_list_that_is_plausible_replaces_the_kept_one(
    site: Site, upstream: LocalUpstream, count: int
) -> None:
    upstream.generated_names = count
    assert listed(site) == expected(count)


@pytest.mark.parametrize("what", sorted(set(BAD_LISTS) - {"less than four fifths"}))
def test_p05_without_a_kept_list_a_bad_one_is_an_error_and_not_an_empty_list(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    new_index(site.root, LISTER, type="mirror", mirror_url=upstream.url)
    upstream.generated_names = NAMES
    upstream.fault("/simple/", **BAD_LISTS[what])
    answer = site.root.get(f"/{LISTER}/simple/", headers={"Accept": JSON})
    assert answer.status_code == 502
    assert answer.headers["Retry-After"].isdigit()


@pytest.mark.parametrize("form", ["json", "html"])
def test_p05_a_long_list_is_read_in_both_forms_and_searched(
    site: Site, upstream: LocalUpstream, form: str
) -> None:
    upstream.forms = {form}
    upstream.generated_names = 30_000
    new_index(site.root, LISTER, type="mirror", mirror_url=upstream.url)
    assert listed(site) == expected(30_000)
    found = site.root.get(f"/{LISTER}/+projects", params={"prefix": "project-00123", "limit": 5})
    assert found.status_code == 200, found.text
    assert expected(12_305)[12_300:] == [
        name for name in expected(30_000) if f'"{name}"' in found.text
    ]


@pytest.mark.usefixtures("lister")
def test_p05_no_list_is_needed_to_answer_for_one_project(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL)
    upstream.fault("/simple/", then="stall")
    before = asked(upstream, "/simple/")
    assert filenames(site.root, LISTER, "example") == [WHEEL.filename]
    assert asked(upstream, "/simple/") == before


# P-12: rows that no client may see

BAD_ROWS: dict[str, dict[str, str]] = {
    "of another project": {"filename": "other-1.0-py3-none-any.whl"},
    "of a project that begins alike": {"filename": "example_tools-1.0-py3-none-any.whl"},
    "up and away": {"filename": "../example-9.0.tar.gz"},
    "up and away, backwards": {"filename": "..\\example-9.0.tar.gz"},
    "absolute": {"filename": "/etc/example-9.0.tar.gz"},
    "hidden": {"filename": ".example-9.0.tar.gz"},
    "encoded twice": {"filename": "example-9.0%2Ftar.gz"},
    "with a line break": {"filename": "example-9.0\r\nX-Evil: 1.tar.gz"},
    "with a control character": {"filename": "example-9.0\x00.tar.gz"},
    "too long": {"filename": f"example-9.0{'0' * 300}.tar.gz"},
    "empty": {"filename": ""},
    "a script": {"url": "javascript:alert(1)"},
    "a local file": {"url": "file:///etc/passwd"},
    "data": {"url": "data:text/plain,x"},
    "with credentials": {"url": "http://user:secret@localhost/example-9.0.tar.gz"},
    "a port that is none": {"url": "http://localhost:99999/example-9.0.tar.gz"},
}


def row(filename: str = "example-9.0.tar.gz", url: str = "x.tar.gz") -> dict[str, object]:
    return {"filename": filename, "url": url, "hashes": {"sha256": "0" * 64}}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_p12_a_row_that_no_client_may_see_is_dropped_and_counted(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    caplog.set_level(logging.INFO)
    rows = [row(**BAD_ROWS[what]), row("example-1.0.tar.gz")]
    body = {"meta": {"api-version": "1.0"}, "name": "example", "files": rows}
    upstream.add(WHEEL)
    upstream.fault("/simple/example/", headers=IDENTITY, body=json.dumps(body).encode())

    answer = ask(site)

    assert [file["filename"] for file in answer.json()["files"]] == ["example-1.0.tar.gz"]
    assert "1 of 2 rows were dropped" in caplog.text


@pytest.mark.parametrize("form", [JSON, HTML])
def test_p12_whatever_links_an_upstream_has_ours_stay_under_our_index(
    site: Site, upstream: LocalUpstream, form: str
) -> None:
    upstream.absolute_urls = True
    upstream.add(WHEEL)
    text = site.root.get("/root/pypi/simple/example/", headers={"Accept": form}).text
    assert f"../../+f/example/{WHEEL.sha256}/{WHEEL.filename}" in text
    assert upstream.root not in text
    assert arrives(site, WHEEL)


@pytest.mark.parametrize("base", ["javascript:alert(1)/", "file:///etc/", "data:,"])
def test_p12_a_base_of_another_kind_takes_no_link_anywhere(
    site: Site, upstream: LocalUpstream, base: str
) -> None:
    upstream.add(WHEEL)
    upstream.forms = {"html"}
    body = (
        '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0">'
        f'<base href="{base}"></head><body>'
        '<a href="example-1.0.tar.gz">example-1.0.tar.gz</a></body></html>'
    ).encode()
    upstream.fault("/simple/example/", headers=IDENTITY, body=body)
    assert ask(site).json()["files"] == []


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"onmouseover="x', "&lt;b&gt;"])
def test_p12_what_an_upstream_says_cannot_become_markup(
    site: Site, upstream: LocalUpstream, text: str
) -> None:
    upstream.add(WHEEL, yanked=text)
    upstream.set_status("example", "deprecated", text)
    html = site.root.get("/root/pypi/simple/example/", headers={"Accept": HTML}).text
    assert "<script>" not in html
    assert '"onmouseover' not in html
    said = page(site.root, MIRROR, "example")
    assert said["files"][0]["yanked"] == text
    assert said["project-status"]["reason"] == text


# P-22: fields that are passed on, and versions

PROVENANCE = {"version": 1, "attestation_bundles": []}


def secure_page(site: Site) -> Mapping[str, object]:
    """The page as somebody on this machine sees it: attestations need a secure origin."""
    url = httpx.URL("http://localhost/root/pypi/simple/example/")
    answer = site.root.get(url, headers={"Accept": JSON})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("form", ["json", "html"])
def test_p22_what_installers_can_use_is_passed_on(
    site: Site, upstream: LocalUpstream, form: str
) -> None:
    upstream.forms = {form}
    upstream.html_upload_times = True
    wheel = make_wheel("example", "1.0", requires_python=">=3.8")
    upstream.add(wheel, yanked="it is broken", provenance=PROVENANCE)
    upstream.add(SDIST, core_metadata=False)
    upstream.set_status("example", "deprecated", "use another")

    said = secure_page(site)

    yanked, plain = said["files"]
    assert said["project-status"] == {"status": "deprecated", "reason": "use another"}
    assert (yanked["yanked"], plain["yanked"]) == ("it is broken", False)
    assert yanked["requires-python"] == ">=3.8"
    assert yanked["upload-time"] == "2024-01-02T03:04:05.678901Z"
    assert "_upload-time-source" not in yanked
    assert list(yanked["core-metadata"]) == ["sha256"]
    assert not plain["core-metadata"]
    attestations = site.root.get(yanked["provenance"])
    assert attestations.json() == PROVENANCE
    assert "provenance" not in plain


def test_p22_keys_that_nobody_knows_are_dropped(site: Site, upstream: LocalUpstream) -> None:
    odd = {"x-evil": "<b>", "_private": 1, "gpg-sig": True, "dist-info-metadata": {"sha256": "x"}}
    upstream.add(WHEEL, row=odd)
    [file] = page(site.root, MIRROR, "example")["files"]
    assert not {"x-evil", "_private", "gpg-sig"} & set(file)
    assert "<b>" not in json.dumps(file)


@pytest.mark.parametrize("form", ["json", "html"])
def test_p22_a_file_that_is_yanked_or_quarantined_later_is_so_here_at_the_next_refresh(
    site: Site, upstream: LocalUpstream, form: str
) -> None:
    upstream.forms = {form}
    upstream.add(WHEEL)
    upstream.add(SDIST, core_metadata=False)
    assert [file["yanked"] for file in page(site.root, MIRROR, "example")["files"]] == [False] * 2
    assert arrives(site, WHEEL)

    upstream.add(WHEEL, yanked=True)
    assert [f["yanked"] for f in page(site.root, MIRROR, "example")["files"]] == [True, False]

    upstream.set_status("example", "quarantined", "malware")
    said = page(site.root, MIRROR, "example")
    assert said["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert said["files"] == []
    path = f"/root/pypi/+f/example/{WHEEL.sha256}/{WHEEL.filename}"
    for url in (path, f"{path}.metadata"):
        assert site.root.get(url).status_code == 403


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("version", ["1.0", "1.9", "1.999"])
def test_p22_every_minor_version_is_read(
    site: Site, upstream: LocalUpstream, form: str, version: str
) -> None:
    upstream.forms = {form}
    upstream.api_version = version
    upstream.add(WHEEL)
    assert filenames(site.root, MIRROR, "example") == [WHEEL.filename]


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("version", ["2.0", "0.9", "x", "10.1"])
def test_p22_another_major_version_is_refused_and_what_is_kept_stays(
    site: Site, upstream: LocalUpstream, form: str, version: str
) -> None:
    upstream.forms = {form}
    upstream.add(WHEEL)
    upstream.add(make_wheel("other"))
    kept = ask(site).json()["files"]
    upstream.api_version = version
    upstream.add(SDIST, core_metadata=False)

    stale, absent = ask(site), ask(site, "other")

    assert is_stale(stale)
    assert stale.json()["files"] == kept
    assert absent.status_code == 502
    assert version in absent.text


@pytest.mark.parametrize("hashes", [[], ["md5"], ["md5", "sha256"]])
def test_p22_weak_digests_or_none_are_no_reason_to_lose_a_file(
    site: Site, upstream: LocalUpstream, hashes: list[str]
) -> None:
    upstream.add(WHEEL, hashes=hashes)
    [file] = page(site.root, MIRROR, "example")["files"]
    assert set(hashes) <= set(file["hashes"]) | {"md5"}
    url = httpx.URL("http://stillroom.test/root/pypi/simple/example/").join(file["url"])
    assert site.root.get(url).content == WHEEL.content
