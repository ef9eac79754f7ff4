"""Upstreams behind the proxy that the environment names."""

from contextlib import closing

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.services.ports import PageFetched
from support.http_upstream import EXAMPLE, UNKNOWN, fetched, new_upstream


def test_the_proxy_of_the_environment_is_used(up, upstream, monkeypatch):
    monkeypatch.setenv("http_proxy", up.root)
    answer = upstream.project_page("http://index.invalid/simple/", EXAMPLE, UNKNOWN)
    assert isinstance(answer, PageFetched)
    assert up.paths == ["http://index.invalid/simple/example/"]


def test_no_proxy_is_honoured(up, upstream, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetched(upstream, up)


def test_a_proxy_that_refuses_is_a_failure(up, upstream, monkeypatch):
    monkeypatch.setenv("https_proxy", up.root)
    with pytest.raises(UpstreamFailed, match="cannot be reached through the proxy"):
        upstream.project_page("https://index.invalid/simple/", EXAMPLE, UNKNOWN)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_a_proxy_of_another_kind_is_a_failure(upstream, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UpstreamFailed, match="cannot be reached through the proxy"):
        upstream.project_page("http://index.invalid/simple/", EXAMPLE, UNKNOWN)


@pytest.mark.parametrize("host", ["10.1.2.3", "0x0a010203", "[fe80::1]", "localhost"])
def test_a_proxy_is_not_asked_for_an_address_that_may_not_be_reached(up, monkeypatch, host):
    """Of the names behind a proxy nothing is known: it looks them up itself."""
    monkeypatch.setenv("http_proxy", up.root)
    with (
        closing(new_upstream(private=PrivateUpstreams())) as upstream,
        pytest.raises(UpstreamFailed, match="private_upstreams"),
    ):
        upstream.project_page(f"http://{host}/simple/", EXAMPLE, UNKNOWN)
    assert up.requests == []


def test_the_proxy_itself_may_be_anywhere(up, monkeypatch):
    monkeypatch.setenv("http_proxy", up.root)
    with closing(new_upstream(private=PrivateUpstreams())) as upstream:
        answer = upstream.project_page("http://index.invalid/simple/", EXAMPLE, UNKNOWN)
    assert isinstance(answer, PageFetched)
