"""Which addresses an upstream may have, looked at when connecting: P-19 and P-20."""

import re
import socket
from contextlib import closing

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.services.ports import PageFetched
from stillroom_server.testing import LocalUpstream
from support.http_upstream import EXAMPLE, PAGE, UNKNOWN, WHEEL, fetched, new_upstream

REFUSED = "127.0.0.1 is a loopback address (RFC 1122); name it in the setting private_upstreams"


def allowing(*items):
    return closing(new_upstream(private=PrivateUpstreams.parse(items)))


def refusal(upstream, url):
    with pytest.raises(UpstreamFailed, match="private_upstreams") as caught:
        upstream.project_page(url, EXAMPLE, UNKNOWN)
    return caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433"])
def test_loopback_is_refused_in_any_spelling(up, host):
    with allowing() as upstream:
        message = refusal(upstream, f"http://{host}:{up.port}/simple/")
    assert REFUSED in message
    assert up.connections == 0


def test_a_name_that_has_a_private_address_is_refused(up, resolve):
    resolve(["127.0.0.1"])
    with allowing() as upstream:
        message = refusal(upstream, f"http://index.example:{up.port}/simple/")
    assert message.startswith(f"index.example may not be reached: {REFUSED}")
    assert up.connections == 0


def test_of_several_addresses_only_those_that_may_be_reached_are(up, resolve):
    resolve(["127.0.0.2", "127.0.0.1"])
    with socket.create_server(("127.0.0.2", up.port)) as trap, allowing("127.0.0.1") as upstream:
        trap.settimeout(0)
        url = f"http://index.example:{up.port}/simple/"
        assert isinstance(upstream.project_page(url, EXAMPLE, UNKNOWN), PageFetched)
        with pytest.raises(BlockingIOError):
            trap.accept()


def test_the_connection_goes_to_the_address_that_was_looked_at(up, monkeypatch):
    """A name that has another address at the second look-up has no second look-up."""
    asked = []
    real = socket.getaddrinfo

    def rebinding(host, *args, **options):
        if host != "index.example":
            return real(host, *args, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with socket.create_server(("127.0.0.2", up.port)), allowing("127.0.0.1") as upstream:
        url = f"http://index.example:{up.port}/simple/"
        assert isinstance(upstream.project_page(url, EXAMPLE, UNKNOWN), PageFetched)
        assert asked == ["index.example"]
        up.stop()
        assert "127.0.0.2 is a loopback address" in refusal(upstream, url)


def test_a_redirect_to_an_address_that_is_not_allowed_is_refused(up):
    with LocalUpstream() as inside, allowing(f"127.0.0.1:{up.port}") as upstream:
        inside.add(WHEEL)
        up.fault(PAGE, status=302, headers={"Location": f"{inside.url}example/"})
        assert REFUSED in refusal(upstream, up.url)
    assert len(up.requests) == 1
    assert inside.connections == 0


def test_a_file_at_an_address_that_is_not_allowed_is_refused(up):
    with LocalUpstream() as inside, allowing(f"127.0.0.1:{up.port}") as upstream:
        inside.add(WHEEL)
        url = inside.file_url(WHEEL)
        for ask in (
            lambda: upstream.fetch(up.url, url).__enter__(),
            lambda: upstream.takes_ranges(up.url, url),
            lambda: upstream.remote_file(up.url, url).__enter__(),
            lambda: upstream.document(up.url, url),
            lambda: upstream.project_names(inside.url, UNKNOWN).__enter__(),
        ):
            with pytest.raises(UpstreamFailed, match=re.escape(REFUSED)):
                ask()
    assert inside.connections == 0


@pytest.mark.parametrize("item", ["127.0.0.1", "127.0.0.0/8", "127.0.0.1:{port}"])
def test_an_address_that_is_allowed_is_reached(up, item):
    with allowing(item.format(port=up.port)) as upstream:
        fetched(upstream, up)


def test_a_host_that_is_allowed_is_reached_wherever_it_is(up, resolve):
    resolve(["127.0.0.1"])
    with allowing("index.example") as upstream:
        url = f"http://index.example:{up.port}/simple/"
        assert isinstance(upstream.project_page(url, EXAMPLE, UNKNOWN), PageFetched)
        assert REFUSED in refusal(upstream, up.url)
