"""Pages of projects over real sockets."""

import gzip
import json

import pytest

from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from stillroom_server.domain.upstream import Validators
from stillroom_server.services.ports import NoSuchProject, NotModified
from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.http_upstream import (
    EXAMPLE,
    PAGE,
    PATIENT,
    UNKNOWN,
    WHEEL,
    content_of,
    fetched,
    page_failure,
)


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_page_is_read_in_both_forms(up, upstream, form):
    up.forms = {form}
    up.add(make_sdist("example", "1.0"), yanked="broken")
    wheel, sdist = fetched(upstream, up).files
    assert (wheel.filename, wheel.url) == (WHEEL.filename, up.file_url(WHEEL))
    assert wheel.hashes == {"sha256": WHEEL.sha256}
    assert wheel.requires_python == ">=3.8"
    assert wheel.core_metadata is not None
    assert (sdist.filename, sdist.yanked) == ("example-1.0.tar.gz", "broken")


def test_the_json_form_tells_more_and_is_what_is_asked_for(up, upstream):
    (file,) = fetched(upstream, up).files
    assert file.size == len(WHEEL.content)
    assert file.uploaded is not None
    (request,) = up.requests
    assert request.headers["accept"] == (
        "application/vnd.pypi.simple.v1+json, "
        "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
    )
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["user-agent"] == "stillroom/test"


def test_links_are_resolved_against_the_url_after_redirects(up, upstream):
    up.fault(PAGE, status=302, headers={"Location": "/elsewhere/simple/example/"}, times=1)
    page = json.dumps({"files": [{"filename": "example-1.0.zip", "url": "x.zip"}]}).encode()
    headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    up.fault("/elsewhere/*", status=200, headers=headers, body=page)
    (file,) = fetched(upstream, up).files
    assert file.url == f"{up.root}/elsewhere/simple/example/x.zip"


def test_an_unchanged_page_is_not_sent_again(up, upstream):
    known = fetched(upstream, up).validators
    assert known.etag is not None
    assert upstream.project_page(up.url, EXAMPLE, known) == NotModified()
    up.add(make_wheel("example", "1.1"))
    assert len(fetched(upstream, up, known).files) == 2


def test_the_date_of_a_page_is_sent_back_as_it_was_received(up, upstream):
    date = "Sat, 03 Jan 2026 00:00:00 GMT"
    up.fault(PAGE, headers={"Last-Modified": date})
    known = fetched(upstream, up).validators
    assert known.last_modified == date
    fetched(upstream, up, Validators(last_modified=date))
    assert up.requests[-1].headers["if-modified-since"] == date


def test_a_validator_that_cannot_be_sent_back_is_not_kept(up, upstream):
    up.fault(PAGE, headers={"ETag": '"é"'})
    assert fetched(upstream, up).validators.etag is None


def test_not_modified_without_a_condition_is_a_failure(up, upstream):
    up.fault(PAGE, status=304)
    assert "304" in page_failure(upstream, up).message


@pytest.mark.parametrize("status", [404, 410])
def test_only_404_and_410_mean_that_there_is_no_such_project(up, upstream, status):
    up.fault(PAGE, status=status)
    assert upstream.project_page(up.url, EXAMPLE, UNKNOWN) == NoSuchProject()


@pytest.mark.parametrize("status", [201, 204, 206, 300, 400, 429, 451, 500, 502, 503])
def test_every_other_status_is_a_failure(up, upstream, status):
    up.fault(PAGE, status=status, body=b"")
    failure = page_failure(upstream, up)
    assert failure.message == f"127.0.0.1:{up.port} answers with status {status}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("7", 7),
        ("0", 1),
        ("999999", 3600),
        ("Sat, 03 Jan 2026 00:00:00 GMT", 10),
        ("-1", 10),
        ("1.5", 10),
    ],
)
def test_retry_after_is_honoured_within_reason(up, upstream, said, expected):
    up.fault(PAGE, status=503, headers={"Retry-After": said})
    failure = page_failure(upstream, up)
    assert failure.retry_after == expected
    # Where it is our own number, nobody asked for it.
    assert failure.wait == (0 if expected == 10 else expected)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"<html>",
        b'{"files": 1}',
        b'{"files": [{"filename": "example-1.0.zip", "url": "s3://files/example-1.0.zip"}]}',
        b'{"meta": {"api-version": "2.0"}, "files": []}',
    ],
)
def test_a_page_that_cannot_be_read_is_a_failure(up, upstream, body):
    up.fault(PAGE, body=body, headers={"Content-Encoding": "identity"})
    assert "a page that cannot be read" in page_failure(upstream, up).message


def test_a_page_of_another_type_is_a_failure(up, upstream):
    up.fault(PAGE, headers={"Content-Type": "text/plain"})
    assert "text/plain" in page_failure(upstream, up).message


@pytest.mark.parametrize("form", ["json", "html"])
def test_everything_that_installers_can_use_is_passed_on(up, upstream, form):
    up.forms = {form}
    up.html_upload_times = True
    up.api_version = "1.9"
    up.add(WHEEL, yanked="why", upload_time="2024-05-06T07:08:09Z", provenance={"version": 1})
    up.set_status("example", "deprecated", "use another")
    page = fetched(upstream, up)
    (file,) = page.files
    assert page.status == ProjectStatus(Status.DEPRECATED, "use another")
    assert file.provenance == f"{up.file_url(WHEEL)}.provenance"
    assert (file.yanked, str(file.uploaded)) == ("why", "2024-05-06 07:08:09+00:00")


def test_a_project_without_a_status_is_active(up, upstream):
    assert fetched(upstream, up).status == ACTIVE


@pytest.mark.parametrize("form", ["json", "html"])
def test_version_2_of_the_api_is_refused(up, upstream, form):
    up.forms, up.api_version = {form}, "2.0"
    assert "version '2.0' of the Simple API" in page_failure(upstream, up).message


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("hashes", [(), ("md5",), ("sha512", "md5")])
@pytest.mark.parametrize("absolute_urls", [True, False])
def test_upstreams_with_any_digests_and_links_will_do(up, upstream, form, hashes, absolute_urls):
    up.forms, up.absolute_urls = {form}, absolute_urls
    up.add(WHEEL, hashes=hashes)
    (file,) = fetched(upstream, up).files
    assert set(file.hashes) == set(hashes)
    assert content_of(upstream, file.url) == WHEEL.content


def test_files_may_be_on_another_host(up, upstream):
    with LocalUpstream() as elsewhere:
        elsewhere.add(WHEEL)
        up.add(WHEEL, row={"url": elsewhere.file_url(WHEEL)})
        (file,) = fetched(upstream, up).files
        assert content_of(upstream, file.url) == WHEEL.content
    assert not any(path.startswith("/files/") for path in up.paths)


def test_an_upstream_that_wants_credentials_is_a_failure_that_says_what_to_do(up, upstream):
    up.authorization = "Basic x"
    assert page_failure(upstream, up).message == (
        f"127.0.0.1:{up.port} answers with status 401: it wants credentials; "
        "give them in the setting upstream_credentials"
    )


# Size and encoding


def test_a_page_over_the_limit_is_a_failure(up, upstream):
    up.fault(PAGE, body=b" " * (PATIENT.page_bytes + 1), headers={"Content-Encoding": "identity"})
    assert "larger than 1000000 bytes" in page_failure(upstream, up).message


def test_a_gzip_bomb_is_a_failure(up, upstream):
    up.fault(PAGE, body=gzip.compress(bytes(50_000_000), 1))
    assert "larger than 1000000 bytes" in page_failure(upstream, up).message


def test_a_page_in_several_gzip_members_is_read(up, upstream):
    head, tail = b'{"files": [', b'{"filename": "example-1.0.zip", "url": "/x"}]}'
    up.fault(PAGE, body=gzip.compress(head) + gzip.compress(tail))
    assert len(fetched(upstream, up).files) == 1


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b'{"files": []}')[:-9], b""],
    ids=["no gzip", "cut off", "empty"],
)
def test_broken_gzip_is_a_failure(up, upstream, body):
    up.fault(PAGE, body=body)
    assert "gzip" in page_failure(upstream, up).message


def test_a_coding_that_was_not_asked_for_is_a_failure(up, upstream):
    up.fault(PAGE, headers={"Content-Encoding": "br"})
    assert "coding" in page_failure(upstream, up).message
