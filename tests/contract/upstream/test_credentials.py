"""Which credentials are sent to whom, P-21."""

import json
import logging
from contextlib import closing

import pytest

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.services.ports import NoSuchProject
from stillroom_server.testing import LocalUpstream, basic_authorization, bearer_authorization
from support.http_upstream import (
    EXAMPLE,
    PAGE,
    UNKNOWN,
    WHEEL,
    content_of,
    fetched,
    new_upstream,
    page_failure,
)

SECRET = "s3cret"
BASIC = basic_authorization("dev", SECRET)


@pytest.fixture
def knowing(up):
    """An adapter that has credentials for the upstream."""
    url = up.root.replace("//", f"//dev:{SECRET}@")
    with closing(new_upstream(url)) as upstream:
        yield upstream


@pytest.fixture
def elsewhere():
    with LocalUpstream() as other:
        other.add(WHEEL)
        yield other


def said(up):
    return [request.headers.get("authorization") for request in up.requests]


def test_pages_names_files_parts_and_documents_are_asked_for_with_credentials(up, knowing):
    up.authorization = BASIC
    up.add(WHEEL, provenance={})
    url = up.file_url(WHEEL)
    fetched(knowing, up)
    with knowing.project_names(up.url, UNKNOWN) as answer:
        assert list(answer.names) == ["example"]
    assert content_of(knowing, url, up.url) == WHEEL.content
    assert knowing.takes_ranges(up.url, url)
    with knowing.remote_file(up.url, url) as file:
        assert file.read(2) == b"PK"
    assert knowing.document(up.url, f"{url}.provenance") == b"{}"
    assert set(said(up)) == {BASIC}


def test_without_a_user_name_it_is_a_bearer_token(up):
    up.authorization = bearer_authorization("tok.en")
    with closing(new_upstream(f"http://:tok.en@127.0.0.1:{up.port}")) as upstream:
        fetched(upstream, up)


def test_the_password_is_percent_decoded(up):
    up.authorization = basic_authorization("dev", "a/b@c:é")
    with closing(new_upstream(f"http://dev:a%2Fb%40c%3A%C3%A9@127.0.0.1:{up.port}")) as upstream:
        fetched(upstream, up)


def test_an_upstream_gets_those_of_the_longest_path(up):
    base = f"127.0.0.1:{up.port}"
    given = [
        f"http://dev:all@{base}/",
        f"http://dev:simple@{base}/simple/",
        f"http://x:y@{base}/s",
    ]
    with closing(new_upstream(*given)) as upstream:
        fetched(upstream, up)
        upstream.project_page(f"{up.root}/other/", EXAMPLE, UNKNOWN)
    assert said(up) == [basic_authorization("dev", "simple"), basic_authorization("dev", "all")]


def test_another_upstream_gets_none(up, knowing, elsewhere):
    fetched(knowing, elsewhere)
    content_of(knowing, up.file_url(WHEEL), elsewhere.url)
    assert said(elsewhere) == [None]
    assert said(up) == [None]


def test_files_on_another_host_are_fetched_without_them(up, knowing, elsewhere):
    assert content_of(knowing, elsewhere.file_url(WHEEL), up.url) == WHEEL.content
    assert said(elsewhere) == [None]


def test_a_redirect_does_not_carry_them_to_another_origin_and_back_they_are_sent_again(
    up, knowing, elsewhere
):
    up.fault(PAGE, status=302, headers={"Location": f"{elsewhere.root}/away"}, times=1)
    elsewhere.fault("/away", status=307, headers={"Location": f"{up.url}example/"})
    fetched(knowing, up)
    assert said(up) == [BASIC, BASIC]
    assert said(elsewhere) == [None]


def test_a_redirect_within_the_origin_keeps_them(up, knowing):
    up.authorization = BASIC
    up.fault("/moved", status=301, headers={"Location": up.file_url(WHEEL)})
    assert content_of(knowing, f"{up.root}/moved", up.url) == WHEEL.content


def test_the_same_host_under_another_name_is_another_origin(up, knowing):
    localhost = up.root.replace("127.0.0.1", "localhost")
    up.fault(PAGE, status=302, headers={"Location": f"{localhost}{PAGE}"}, times=1)
    fetched(knowing, up)
    assert said(up) == [BASIC, None]


def test_credentials_in_urls_are_not_sent(up, upstream):
    secret = up.root.replace("//", "//user:secret@")
    up.fault(PAGE, status=302, headers={"Location": f"{secret}/files/x"})
    with pytest.raises(UpstreamFailed) as caught, upstream.project_names(f"{secret}/no/", UNKNOWN):
        pytest.fail("there are no names")
    assert upstream.project_page(f"{secret}/simple/", EXAMPLE, UNKNOWN) == NoSuchProject()
    assert said(up) == [None] * 3
    assert "secret" not in caught.value.message


def test_cookies_are_not_sent_back(up, upstream):
    up.fault(PAGE, headers={"Set-Cookie": "track=me; Path=/"})
    fetched(upstream, up)
    fetched(upstream, up)
    assert all("cookie" not in request.headers for request in up.requests)


# What is said of them


def test_a_secret_in_the_url_of_a_redirect_is_not_logged(up, upstream, caplog):
    target = up.root.replace("//", f"//dev:{SECRET}@")
    up.fault(PAGE, status=302, headers={"Location": f"{target}/moved?key={SECRET}"})
    rows = [{"filename": "example-1.0.zip", "url": "x.zip"}, {"filename": "other"}]
    headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    up.fault("/moved*", status=200, headers=headers, body=json.dumps({"files": rows}).encode())
    with caplog.at_level(logging.INFO, logger="stillroom_server"):
        (file,) = fetched(upstream, up).files
    assert file.url == f"{up.root}/x.zip"
    said = [r.getMessage() for r in caplog.records if r.name == "stillroom_server.upstream.pages"]
    assert said == [f"example from 127.0.0.1:{up.port}: 1 of 2 rows were dropped"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_setting(up, upstream, knowing, status):
    up.fault(PAGE, status=status)
    asked = f"127.0.0.1:{up.port} answers with status {status}: it "
    assert page_failure(upstream, up).message == (
        asked + "wants credentials; give them in the setting upstream_credentials"
    )
    assert page_failure(knowing, up).message == (
        asked + "refuses the credentials of the setting upstream_credentials"
    )


def test_a_refusal_of_another_host_is_none_of_the_credentials(up, knowing, elsewhere):
    elsewhere.fault("/files/*", status=403)
    with pytest.raises(UpstreamFailed) as caught:
        content_of(knowing, elsewhere.file_url(WHEEL), up.url)
    assert caught.value.message == f"127.0.0.1:{elsewhere.port} answers with status 403"


def test_a_secret_is_neither_logged_nor_part_of_a_failure(up, knowing, caplog):
    with caplog.at_level(logging.DEBUG):
        fetched(knowing, up)
        up.fault(PAGE, status=302, headers={"Location": PAGE})
        failure = page_failure(knowing, up)
        up.stop()
        gone = page_failure(knowing, up)
    shown = " ".join([failure.message, gone.message, caplog.text, repr(vars(knowing))])
    assert SECRET not in shown
    assert BASIC not in shown
