"""What the tests of the real `Upstream` share: one small project, and short limits."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.names import project_name
from stillroom_server.domain.upstream import Validators
from stillroom_server.domain.upstream_credentials import UpstreamCredentials
from stillroom_server.services.ports import PageFetched
from stillroom_server.testing import HttpServer, LocalUpstream, Reply, Request
from stillroom_server.upstream.client import HttpUpstream
from stillroom_server.upstream.limits import Limits

from .distributions import make_wheel

EXAMPLE = project_name("example")
PAGE = "/simple/example/"
WHEEL = make_wheel("example", "1.0", requires_python=">=3.8")
LARGE = make_wheel(
    "example",
    "2.0",
    members={"noise": b"".join(n.to_bytes(4, "big") * 2 for n in range(0, 2**32, 21_474))},
)
UNKNOWN = Validators()
LOOPBACK = PrivateUpstreams.parse(["127.0.0.0/8", "localhost"])
PATIENT = Limits(
    connect=10,
    read=10,
    page=20,
    names=30,
    chunk=20,
    page_bytes=1_000_000,
    names_bytes=3_000_000,
)
HASTY = replace(PATIENT, connect=0.5, read=0.5, page=1, names=1, chunk=1)
"""For what ends in a timeout; a busy machine may be too slow for the rest."""


class DrippingServer(HttpServer):
    """Answers at once, and then sends a byte of space now and then, for some ten seconds."""

    def __init__(self, content_type: str) -> None:
        super().__init__()
        self._content_type = content_type
        self._done = threading.Event()

    def respond(self, request: Request) -> Reply:
        drops = (b" " for _ in range(200) if not self._done.wait(0.05))
        return Reply(headers={"Content-Type": self._content_type}, body=drops)

    def stop(self) -> None:
        """Send no more."""
        self._done.set()
        super().stop()


def new_upstream(
    *credentials: str, limits: Limits = PATIENT, private: PrivateUpstreams = LOOPBACK
) -> HttpUpstream:
    """The real one, with these credentials."""
    return HttpUpstream(
        user_agent="stillroom/test",
        limits=limits,
        credentials=UpstreamCredentials.parse(credentials),
        private=private,
    )


def fetched(upstream: HttpUpstream, up: LocalUpstream, known: Validators = UNKNOWN) -> PageFetched:
    """The page of the project."""
    answer = upstream.project_page(up.url, EXAMPLE, known)
    assert isinstance(answer, PageFetched)
    return answer


def content_of(
    upstream: HttpUpstream, url: str, base_url: str = "http://index.invalid/simple/"
) -> bytes:
    """The content of a file."""
    with upstream.fetch(base_url, url) as transfer:
        return b"".join(transfer.chunks())


def page_failure(upstream: HttpUpstream, up: LocalUpstream) -> UpstreamFailed:
    """What asking for the page ends in."""
    with pytest.raises(UpstreamFailed) as caught:
        upstream.project_page(up.url, EXAMPLE, UNKNOWN)
    return caught.value


def timeout_of(ask: Callable[[], object]) -> float:
    """How many seconds it takes until a question that gets no answer is given up."""
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="did not answer in time"):
        ask()
    return time.monotonic() - started
