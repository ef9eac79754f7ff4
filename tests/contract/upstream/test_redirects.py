"""An upstream that sends us elsewhere, P-11."""

import pytest

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.testing import CERTIFICATE, LocalUpstream
from support.http_upstream import PAGE, WHEEL, content_of, page_failure


def test_redirects_are_followed(up, upstream):
    target = up.file_url(WHEEL)
    for step in range(5):
        following = target if step == 4 else f"{up.root}/step/{step + 1}"
        up.fault(f"/step/{step}", status=302, headers={"Location": following})
    assert content_of(upstream, f"{up.root}/step/0") == WHEEL.content


def test_a_loop_of_redirects_is_a_failure(up, upstream):
    up.fault(PAGE, status=301, headers={"Location": PAGE})
    assert "more than 5 times" in page_failure(upstream, up).message
    assert len(up.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//",
        "http://[::1",
        "http://xn--/",
        "http://127.0.0.1:1/" + "x" * 120_000,
    ],
)
def test_a_redirect_to_something_else_than_the_web_is_a_failure(up, upstream, location):
    up.fault(PAGE, status=302, headers={"Location": location})
    page_failure(upstream, up)


def test_a_redirect_from_https_to_http_is_a_failure(up, upstream, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with LocalUpstream(certificate=CERTIFICATE) as safe:
        safe.fault(PAGE, status=302, headers={"Location": up.url + "example/"})
        assert "from https to http" in page_failure(upstream, safe).message
    assert up.requests == []


@pytest.mark.parametrize(("length", "followed"), [(4096, True), (4097, False)])
def test_a_redirect_to_an_overlong_url_is_a_failure(up, upstream, length, followed):
    target = f"{up.root}/long?"
    target += "x" * (length - len(target))
    up.fault("/start", status=302, headers={"Location": target})
    up.fault("/long", status=200, body=b"here")
    if followed:
        assert content_of(upstream, f"{up.root}/start") == b"here"
    else:
        with pytest.raises(UpstreamFailed, match="a URL of more than 4096 characters"):
            content_of(upstream, f"{up.root}/start")
        assert len(up.requests) == 1
