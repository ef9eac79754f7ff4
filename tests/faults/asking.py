"""What the tests of faults ask a site, and what they make of the answers."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import trustme

from stillroom_server.domain.errors import StillroomError
from stillroom_server.testing import Distribution, LocalUpstream
from support.site import JSON, Site, file_url

MIRROR = "root/pypi"
STALE = "stillroom; hit; detail=stale"
PATIENCE = 15.0


def ask(site: Site, project: str = "example", index: str = MIRROR) -> httpx.Response:
    """The page of a project, as root gets it."""
    return site.root.get(f"/{index}/simple/{project}/", headers={"Accept": JSON})


def is_stale(answer: httpx.Response) -> bool:
    """Whether it is a kept page that says so; whatever else it is must not say so."""
    assert answer.headers.get("Cache-Status") in {None, STALE}
    return answer.status_code == 200 and "Cache-Status" in answer.headers


def arrives(site: Site, distribution: Distribution, index: str = MIRROR) -> bool:
    """Whether a file comes; if not, it is refused as trouble of the upstream or breaks off.

    A wrong byte that comes, or a transfer that looks complete and is not, fails the test.
    """
    received = b""
    path = file_url(index, project_of(distribution), distribution)
    try:
        with site.root.stream("GET", path) as answer:
            if answer.status_code != 200:
                assert answer.status_code in {502, 504}, answer.read()
                assert answer.headers["Retry-After"].isdigit()
                return False
            for chunk in answer.iter_raw():
                received += chunk
                assert distribution.content.startswith(received), "wrong bytes came"
            assert len(received) == int(answer.headers["Content-Length"])
    except StillroomError:
        assert len(received) < len(distribution.content)
        return False
    assert received == distribution.content
    return True


def project_of(distribution: Distribution) -> str:
    """The project of one of the files of the tests."""
    return distribution.filename.partition("-")[0].replace("_", "-")


def finish_fetching() -> None:
    """Wait until no site asks an upstream any more: that goes on when who asked has left."""
    for thread in threading.enumerate():
        if thread.name == "behind" or thread.name.startswith("fetch "):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def blobs(site: Site) -> set[str]:
    """The digests of all content that is kept; nothing half received may be left."""
    finish_fetching()
    return set(site.stored().blobs)


def asked(upstream: LocalUpstream, pattern: str) -> int:
    """How many requests for paths of a pattern the upstream got so far."""
    return sum(request.matches(pattern) for request in list(upstream.requests))


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.05)


class Authority:
    """A certificate authority, and the folder where it writes certificates."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._issued = 0

    @property
    def path(self) -> Path:
        """Its own certificate, for SSL_CERT_FILE."""
        path = self._folder / "authority.pem"
        self._authority.cert_pem.write_to_path(path)
        return path

    def issue(self, *names: str, **options: object) -> Path:
        """A certificate for these names, with its key, as a server wants it."""
        self._issued += 1
        leaf = self._authority.issue_cert(*names, **options)
        path = self._folder / f"certificate-{self._issued}.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(path)
        return path
