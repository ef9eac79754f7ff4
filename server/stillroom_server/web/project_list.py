"""The page with the list of an index's projects: from the cache, or streamed where it is long."""

import hashlib
import math
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import chain, islice
from typing import Any
from urllib.parse import quote

import orjson
import zstandard

from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.project_lists import ListView, ProjectLists

from .negotiation import SIMPLE_JSON, Coding
from .page_cache import PageCache, PageKey, rendered
from .rendering import API_VERSION, document_around
from .simple import (
    Answer,
    SimplePages,
    answer,
    body_headers,
    cache_headers,
    is_held,
    wanted_coding,
)

LIST_SECONDS = 30.0
"""For how long, at most, a short list is sent again without a look at the lists of mirrors."""

LONG = 1024 * 1024
"""Bytes from which a list is long: neither kept in memory nor sent with its length."""

_NAMES = 1_000
"""Names that are rendered at once."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """A long list on its way; `chunks` raises where it breaks off."""

    headers: list[tuple[str, str]]
    chunks: Iterator[bytes]


class ProjectListPages:
    """Answers for lists. Permission has been checked before.

    `version` is that of the server: another one may render the same names otherwise, and ETags
    are strong.
    """

    def __init__(
        self, lists: ProjectLists, pages: SimplePages, cache: PageCache, version: str
    ) -> None:
        self._lists = lists
        self._pages = pages
        self._cache = cache
        self._version = version

    def answer(
        self, lineage: Lineage, media_type: str, environ: Mapping[str, Any]
    ) -> Answer | StreamedAnswer:
        """The list for one request; raises NotAcceptable, and Trouble as `ProjectLists` does."""
        key = PageKey(lineage.name, None, media_type)
        held = self._pages.cached(lineage, key)
        if held is not None:
            return answer(held, media_type, environ)
        coding = wanted_coding(environ)
        view = self._lists.view(lineage)
        etag = self._etag(view, media_type, coding)
        if is_held(environ, etag):
            return Answer(304, cache_headers(etag), b"")
        parts = _rendered(view, lineage, media_type)
        start = b"".join(_first(parts, LONG))
        if len(start) < LONG:
            until = time.monotonic() + (
                min(LIST_SECONDS, view.seconds) if view.lists else math.inf
            )
            page = rendered(start, serial=view.serial, until=until)
            self._cache.put(key, page)
            return answer(page, media_type, environ)
        headers = [*cache_headers(etag), *body_headers(media_type, coding)]
        return StreamedAnswer(headers, _coded(chain([start], parts), coding))

    def _etag(self, view: ListView, media_type: str, coding: Coding) -> str:
        """A strong ETag of a long list: known before a name of it was read."""
        said = f"{self._version}\n{media_type}\n{coding}\n{view.tag}"
        return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def _rendered(view: ListView, lineage: Lineage, media_type: str) -> Iterator[bytes]:
    if media_type == SIMPLE_JSON:
        return _json(view.names())
    return _html(view.names(), f"Projects in {lineage.name}")


def _json(names: Iterator[ProjectName]) -> Iterator[bytes]:
    """The list as JSON (PEP 691)."""
    meta = orjson.dumps({"meta": {"api-version": API_VERSION}})
    yield meta[:-1] + b',"projects":['
    comma = b""
    while some := list(islice(names, _NAMES)):
        yield comma + orjson.dumps([{"name": name} for name in some])[1:-1]
        comma = b","
    yield b"]}"


def _html(names: Iterator[ProjectName], title: str) -> Iterator[bytes]:
    """The list as HTML5 (PEP 503)."""
    before, after = document_around(title)
    yield before.encode()
    while some := list(islice(names, _NAMES)):
        links = (f'<a href="{quote(name)}/">{escape(name)}</a><br>\n' for name in some)
        yield "".join(links).encode()
    yield after.lstrip().encode()


def _first(parts: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Parts until they have so many bytes together, or end."""
    for part in parts:
        yield part
        size -= len(part)
        if size <= 0:
            return


def _coded(parts: Iterator[bytes], coding: Coding) -> Iterator[bytes]:
    """The same in a content coding; what breaks off stays without its end."""
    if coding == "identity":
        yield from parts
        return
    if coding == "gzip":
        compressor: Any = zlib.compressobj(level=6, wbits=31)
    else:
        compressor = zstandard.ZstdCompressor().compressobj()
    for part in parts:
        if coded := compressor.compress(part):
            yield coded
    yield compressor.flush()
