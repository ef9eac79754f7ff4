"""An issuer on loopback, and the real reader of its identity tokens."""

from collections.abc import Callable, Iterator

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.upstream import issuer_keys
from stillroom_server.upstream.identity_tokens import JwtIdentityTokens
from stillroom_server.upstream.limits import Limits
from support.clock import SetClock
from support.http_upstream import LOOPBACK
from support.issuer import Issuer

LIMITS = Limits(connect=5, read=5, page=10)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def make_reader() -> Iterator[Callable[..., JwtIdentityTokens]]:
    made: list[JwtIdentityTokens] = []

    def make(limits: Limits = LIMITS, private: PrivateUpstreams = LOOPBACK) -> JwtIdentityTokens:
        made.append(JwtIdentityTokens(user_agent="test", private=private, limits=limits))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


@pytest.fixture
def reader(make_reader: Callable[..., JwtIdentityTokens]) -> JwtIdentityTokens:
    return make_reader()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """The time for which keys are kept."""
    clock = SetClock()
    monkeypatch.setattr(issuer_keys, "time", clock)
    return clock
