"""Simple pages: from the cache while they hold, else built anew."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillroom_server.domain.errors import NotAcceptable
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.caching import SingleFlight
from stillroom_server.services.pages import Pages

from .address import secure_root
from .negotiation import SIMPLE_JSON, VARY, Coding, content_coding
from .page_cache import PageCache, PageKey, RenderedPage, rendered
from .rendering import project_html, project_json


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
        self._builds: SingleFlight[tuple[PageKey, int], RenderedPage] = SingleFlight()

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
        """The page, built if need be; raises NotFound or Trouble as `Pages` does.

        It is built once for all who began at one serial: who began later may know of a change.
        """
        held = self.cached(lineage, key)
        if held is not None:
            return held
        return self._builds.run((key, lineage.serial), lambda: self._kept(lineage, key))

    def _kept(self, lineage: Lineage, key: PageKey) -> RenderedPage:
        page = self._built(lineage, key)
        self._cache.put(key, page)
        return page

    def _built(self, lineage: Lineage, key: PageKey) -> RenderedPage:
        assert key.project is not None
        view = self._pages.project(lineage, key.project)
        address = None if key.root is None else f"{key.root}/{lineage.name}"
        render = project_json if key.media_type == SIMPLE_JSON else project_html
        body = render(view.page, address)
        now = time.monotonic()
        return rendered(
            body,
            serial=view.serial,
            until=now + view.seconds,
            confirmed=now - view.age if view.stale else None,
            is_for_all=not any(file.has_provenance for file in view.page.files),
        )


def project_key(
    lineage: Lineage, project: ProjectName, media_type: str, environ: Mapping[str, Any]
) -> PageKey:
    """The key of a project's page for one request."""
    return PageKey(lineage.name, project, media_type, secure_root(environ))


def wanted_coding(environ: Mapping[str, Any]) -> Coding:
    """The content coding for one request; NotAcceptable for a client that takes none of ours."""
    coding = content_coding(environ.get("HTTP_ACCEPT_ENCODING"))
    if coding is None:
        raise NotAcceptable(
            "accept-encoding: this comes in zstd, in gzip or as it is (identity); refuse not all "
            "of them."
        )
    return coding


def answer(page: RenderedPage, media_type: str, environ: Mapping[str, Any]) -> Answer:
    """A page as it is sent for one request: encoded, or 304 if the client has it.

    Raises NotAcceptable as `wanted_coding` does.
    """
    coding = wanted_coding(environ)
    etag = page.etag(coding)
    headers = cache_headers(etag)
    if page.confirmed is not None:
        age = int(time.monotonic() - page.confirmed)
        headers += [("Age", str(age)), ("Cache-Status", "stillroom; hit; detail=stale")]
    if is_held(environ, etag):
        return Answer(304, headers, b"")
    body = page.bodies[coding]
    headers += [*body_headers(media_type, coding), ("Content-Length", str(len(body)))]
    return Answer(200, headers, body)


def cache_headers(etag: str) -> list[tuple[str, str]]:
    """What caches must know of a page, with 304 too (RFC 9110 §15.4.5)."""
    return [("Cache-Control", "private, no-cache"), ("ETag", etag), ("Vary", VARY)]


def body_headers(media_type: str, coding: Coding) -> list[tuple[str, str]]:
    """What a page is, as it is sent."""
    # HTML says its character set; JSON must not, because strict readers compare the type.
    charset = "" if media_type.endswith("json") else "; charset=utf-8"
    headers = [("Content-Type", media_type + charset), ("X-Content-Type-Options", "nosniff")]
    return headers if coding == "identity" else [("Content-Encoding", coding), *headers]


def is_held(environ: Mapping[str, Any], etag: str) -> bool:
    """Whether the client has what has this ETag, by `If-None-Match` (RFC 9110 §13.1.2)."""
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    if not isinstance(if_none_match, str):
        return False
    listed = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in listed or "*" in listed
