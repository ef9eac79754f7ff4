"""Simple pages: from the cache while they hold, else built anew."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.pages import Pages

from .negotiation import SIMPLE_JSON, accepts_gzip
from .page_cache import PageCache, PageKey, RenderedPage, rendered
from .rendering import list_html, list_json, project_html, project_json

LIST_SECONDS = 30.0
"""For how long a list of projects with mirrors in it is not asked for again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: a status of 200 or 304, headers, and a body that is empty for the latter."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class SimplePages:
    """Answers for pages. Permission has been checked before."""

    def __init__(self, pages: Pages, cache: PageCache) -> None:
        self._pages = pages
        self._cache = cache

    def cached(self, lineage: Lineage, key: PageKey) -> RenderedPage | None:
        """The page if it is in memory and still holds.

        The lineage was read just now, so its serial is the one to compare with. If it has moved,
        one query says whether this page is concerned.
        """
        page = self._cache.get(key)
        if page is None or time.monotonic() >= page.until:
            return None
        if page.serial == lineage.serial:
            return page
        if self._pages.changed_since(lineage, key.project, page.serial):
            return None
        return self._cache.confirm(key, page, lineage.serial)

    def page(self, lineage: Lineage, key: PageKey) -> RenderedPage:
        """The page, built if need be; raises NotFound or Trouble as `Pages` does."""
        held = self.cached(lineage, key)
        if held is not None:
            return held
        page = self._list(lineage, key) if key.project is None else self._project(lineage, key)
        self._cache.put(key, page)
        return page

    def _project(self, lineage: Lineage, key: PageKey) -> RenderedPage:
        assert key.project is not None
        view = self._pages.project(lineage, key.project)
        is_json = key.media_type == SIMPLE_JSON
        body = project_json(view.page) if is_json else project_html(view.page)
        until = time.monotonic() + view.seconds
        return rendered(body, serial=view.serial, until=until, stale=view.stale)

    def _list(self, lineage: Lineage, key: PageKey) -> RenderedPage:
        view = self._pages.projects(lineage)
        if key.media_type == SIMPLE_JSON:
            body = list_json(view.projects)
        else:
            body = list_html(view.projects, f"Projects in {lineage.name}")
        seconds = LIST_SECONDS if lineage.mirrors else float("inf")
        until = time.monotonic() + seconds
        return rendered(body, serial=view.serial, until=until, stale=False)


def key_of(lineage: Lineage, project: ProjectName | None, media_type: str) -> PageKey:
    """The key of a page."""
    return PageKey(lineage.name, project, media_type)


def answer(page: RenderedPage, media_type: str, environ: Mapping[str, object]) -> Answer:
    """A page as it is sent for one request: encoded, or 304 if the client has it."""
    encoding = environ.get("HTTP_ACCEPT_ENCODING")
    takes_gzip = accepts_gzip(encoding if isinstance(encoding, str) else None)
    gzipped = page.gzipped if takes_gzip else None
    etag = page.etag(gzipped=gzipped is not None)
    headers = [
        ("Cache-Control", "private, no-cache"),
        ("ETag", etag),
        ("Vary", "Accept, Accept-Encoding"),
    ]
    if page.stale:
        headers.append(("Cache-Status", "stillroom; hit; detail=stale"))
    if _is_held(environ.get("HTTP_IF_NONE_MATCH"), etag):
        return Answer(304, headers, b"")
    body = gzipped if gzipped is not None else page.body
    if gzipped is not None:
        headers.append(("Content-Encoding", "gzip"))
    # HTML says its character set; JSON must not, because strict readers compare the type.
    charset = "" if media_type == SIMPLE_JSON else "; charset=utf-8"
    headers += [
        ("Content-Type", media_type + charset),
        ("Content-Length", str(len(body))),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, headers, body)


def _is_held(if_none_match: object, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (RFC 9110 §13.1.2)."""
    if not isinstance(if_none_match, str):
        return False
    listed = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in listed or "*" in listed
