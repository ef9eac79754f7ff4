"""Rendered pages in memory, each known to be good at a serial and until a moment."""

import hashlib
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import zstandard

from stillroom_server.domain.names import IndexName, ProjectName

from .negotiation import CODINGS, Coding


@dataclass(frozen=True, slots=True)
class PageKey:
    """Which page, in which form: `project` is None for the list of projects.

    `root` is the URL of the server where the page holds absolute URLs, else None: clients that
    reach the server under two names get two such pages.
    """

    index: IndexName
    project: ProjectName | None
    media_type: str
    root: str | None = None

    def for_all(self) -> "PageKey":
        """The key of a page that is the same whatever the server is called."""
        return PageKey(self.index, self.project, self.media_type) if self.root else self


@dataclass(frozen=True, slots=True)
class RenderedPage:
    """A page as bytes, by their content coding.

    It was good at `serial`, and holds without asking anybody until the monotonic time `until`.
    For a page that is stale, because an upstream could not be asked, `confirmed` is the monotonic
    time at which that last said what is on it; else it is None. `is_for_all` tells that it is the
    same whatever the server is called.
    """

    bodies: Mapping[Coding, bytes] = field(repr=False)
    digest: str
    serial: int
    until: float
    confirmed: float | None
    is_for_all: bool = True

    def etag(self, coding: Coding) -> str:
        """A strong ETag; each coding has one of its own (RFC 9110 §8.8.3)."""
        return f'"{self.digest}"' if coding == "identity" else f'"{self.digest}-{coding}"'

    @property
    def cost(self) -> int:
        """Bytes of memory, roughly."""
        return sum(map(len, self.bodies.values())) + 500


def rendered(
    body: bytes,
    *,
    serial: int,
    until: float,
    confirmed: float | None = None,
    is_for_all: bool = True,
    codings: Iterable[Coding] = CODINGS,
) -> RenderedPage:
    """A page that was just built."""
    bodies = {coding: encoded(body, coding) for coding in codings}
    digest = hashlib.sha256(body).hexdigest()[:32]
    return RenderedPage(bodies, digest, serial, until, confirmed, is_for_all)


def encoded(body: bytes, coding: Coding) -> bytes:
    """A body in a content coding; equal bodies give equal bytes."""
    match coding:
        case "zstd":
            return zstandard.ZstdCompressor().compress(body)
        case "gzip":
            gzip = zlib.compressobj(level=6, wbits=31)  # without a time stamp
            return gzip.compress(body) + gzip.flush()
        case "identity":
            return body


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
            for known in (key.for_all(), key):
                page = self._pages.get(known)
                if page is not None and (page.is_for_all or known == key):
                    self._pages.move_to_end(known)
                    return page
            return None

    def put(self, key: PageKey, page: RenderedPage) -> None:
        """Keep a page in place of what was kept before."""
        # One for all is kept once: or else a client could fill the memory with invented names.
        with self._lock:
            if page.is_for_all:
                key = key.for_all()
            elif (outdated := self._pages.get(key.for_all())) and outdated.is_for_all:
                del self._pages[key.for_all()]
                self._bytes -= outdated.cost
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
