"""Rendered pages in memory, each known to be good at a serial and until a moment."""

import hashlib
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from stillroom_server.domain.names import IndexName, ProjectName

MIN_COMPRESSED = 500
"""Bytes; below that gzip gains nothing."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """Which page, in which form: `project` is None for the list of projects."""

    index: IndexName
    project: ProjectName | None
    media_type: str


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page as bytes, plain and compressed; `gzipped` is None where that gains nothing.

    It was good at `serial`, and holds without asking anybody until the monotonic time `until`.
    """

    body: bytes = field(repr=False)
    gzipped: bytes | None = field(repr=False)
    digest: str
    serial: int
    until: float
    stale: bool

    def etag(self, *, gzipped: bool) -> str:
        """A strong ETag; each encoding has one of its own (RFC 9110 §8.8.3)."""
        return f'"{self.digest}-gzip"' if gzipped else f'"{self.digest}"'

    @property
    def cost(self) -> int:
        """Bytes of memory, roughly."""
        return len(self.body) + len(self.gzipped or b"") + 500


def rendered(body: bytes, *, serial: int, until: float, stale: bool) -> RenderedPage:
    """A page that was just built."""
    gzipped = None
    if len(body) >= MIN_COMPRESSED:
        compressor = zlib.compressobj(level=6, wbits=31)  # gzip, without a time stamp
        gzipped = compressor.compress(body) + compressor.flush()
    digest = hashlib.sha256(body).hexdigest()[:32]
    return RenderedPage(body, gzipped, digest, serial, until, stale)


class PageCache:
    """The pages used last, up to so many bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._pages: OrderedDict[PageKey, RenderedPage] = OrderedDict()

    def get(self, key: PageKey) -> RenderedPage | None:
        """The page, good or not: that is for the caller to see."""
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
            return page

    def put(self, key: PageKey, page: RenderedPage) -> None:
        """Keep a page in place of what was kept before."""
        with self._lock:
            before = self._pages.pop(key, None)
            self._bytes += page.cost - (before.cost if before else 0)
            self._pages[key] = page
            while self._bytes > self._max_bytes and self._pages:
                _key, dropped = self._pages.popitem(last=False)
                self._bytes -= dropped.cost

    def confirm(self, key: PageKey, page: RenderedPage, serial: int) -> RenderedPage:
        """Note that a page is still good at a later serial."""
        confirmed = replace(page, serial=serial)
        self.put(key, confirmed)
        return confirmed
