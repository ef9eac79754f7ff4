"""An upstream on loopback, and the adapter that asks it."""

import socket
from contextlib import closing

import pytest

from stillroom_server.testing import LocalUpstream
from support.http_upstream import HASTY, WHEEL, new_upstream

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def up():
    with LocalUpstream() as up:
        up.add(WHEEL)
        yield up


@pytest.fixture
def upstream():
    with closing(new_upstream()) as upstream:
        yield upstream


@pytest.fixture
def hasty():
    """The adapter with little patience, for upstreams that do not get on."""
    with closing(new_upstream(limits=HASTY)) as upstream:
        yield upstream


@pytest.fixture
def resolve(monkeypatch):
    """Lets a test say which addresses the name `index.example` has."""
    addresses = []
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **options):
        if host != "index.example":
            return real(host, *args, **options)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in addresses for found in real(address, *args, **options)]

    def answer(found):
        addresses[:] = found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answer
