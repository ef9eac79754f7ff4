"""Which requests of a chain of redirects carry credentials, and what a closed session says."""

from contextlib import closing

import httpx
import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.domain.upstream_credentials import UpstreamCredential
from stillroom_server.upstream.deadline import within
from stillroom_server.upstream.session import Session, authorize

CREDENTIAL = UpstreamCredential.parse("http://:token@index.example/")


@pytest.mark.parametrize("carried", [{}, {"Authorization": "Bearer token"}])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://index.example/simple/", "Bearer token"),
        ("http://INDEX.example:80/files/x", "Bearer token"),
        ("https://index.example/simple/", None),
        ("http://index.example:8080/simple/", None),
        ("http://files.example/", None),
        ("http://index.example.evil.example/", None),
        ("http://other:pass@index.example/", "Bearer token"),
    ],
)
def test_only_the_origin_itself_gets_them_whatever_the_request_carried(url, expected, carried):
    """httpx carries them over from http to https, which may be another server's."""
    request = httpx.Request("GET", url, headers=carried)
    authorize(request, CREDENTIAL)
    assert request.headers.get("Authorization") == expected


def test_without_credentials_none_are_sent():
    request = httpx.Request("GET", "http://index.example/", headers={"Authorization": "x"})
    authorize(request, None)
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("host", ["xn--", "xn--a", "xn--ls8h"])
def test_a_host_whose_name_cannot_be_decoded_is_a_failure(host):
    session = Session(user_agent="x", connect=1, read=1, private=PrivateUpstreams())
    with closing(session), within(1), pytest.raises(UpstreamFailed, match="no valid host name"):
        session.ask(f"http://{host}/", {}, None)


def test_who_asks_while_the_server_stops_gets_no_more_than_an_error():
    session = Session(user_agent="x", connect=1, read=1, private=PrivateUpstreams())
    session.close()
    with within(1), pytest.raises(UpstreamFailed, match=r"index\.example .* stopping"):
        session.ask("http://index.example/", {}, None)
