"""A mirrored file, large enough to watch it on its way, and those who read it meanwhile."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.downloads import Download
from stillroom_server.services.transfers import Place, Wanted

from .fake_upstream import PATIENCE
from .use_cases import UseCases
from .values import an_upstream_file

DEMO = ProjectName("demo")
FILE = an_upstream_file("demo-1.0.tar.gz")
CONTENT = bytes(range(256)) * 1200
"""More than is withheld, and more than is read at a time."""
SIZE = len(CONTENT)
PART = CONTENT[: SIZE // 2]

Hashes = tuple[tuple[str, str], ...]


def digests_of(content: bytes = CONTENT) -> Hashes:
    """The digests that a page lists for this content."""
    return (("sha256", hashlib.sha256(content).hexdigest()),)


def wanted_from(
    mirror: Index, hashes: Hashes = (), size: int | None = None, **more: Any
) -> Wanted:
    """The file as a mirror wants it, with what its page lists."""
    place = Place(mirror.upstream_urls[0], FILE.url)
    return Wanted(mirror, DEMO, FILE.filename, place, hashes, size, **more)


def list_it(cases: UseCases, mirror: Index, **said: Any) -> None:
    """The upstream's page of the project lists the file, and is kept; this counts as no question.

    Unless said, it comes without a digest and a size.
    """
    file = an_upstream_file(FILE.filename, **{"hashes": {}, "size": None, **said})
    cases.upstream.offer(DEMO, file)
    cases.mirrors.page(mirror, DEMO, refresh=True)
    cases.upstream.asked.clear()


def read_all(download: Download, stop: int = SIZE, start: int = 0) -> bytes:
    """All bytes of a part of a file, as somebody reads them who waits for them."""
    return b"".join(download.chunks(start, stop))


def take(chunks: Iterator[bytes], size: int) -> bytes:
    """The next so many bytes of a reader, or more if they came together."""
    taken = b""
    while len(taken) < size:
        taken += next(chunks)
    return taken


def wait_for_the_end() -> None:
    """Wait until no thread fetches a file, or what lies beside one, any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("fetch "):
            thread.join(PATIENCE)
            assert not thread.is_alive()


def kept_files(cases: UseCases, mirror: Index) -> list[str]:
    """The names of the files of the project whose content is here."""
    with cases.reading() as unit:
        return [file.filename for file in unit.mirror_pages.kept(mirror, DEMO)]
