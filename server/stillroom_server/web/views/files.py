"""Files: whole, in part, or unchanged."""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import BinaryIO

from pyramid.request import Request
from pyramid.response import Response
from webob.acceptparse import create_accept_header

from stillroom_server.domain.errors import NotAcceptable
from stillroom_server.domain.remembering import remembers_short
from stillroom_server.services.companions import METADATA, PROVENANCE
from stillroom_server.services.files import Address, Content, Redirect
from stillroom_server.web.answers import message
from stillroom_server.web.bodies import has_flag
from stillroom_server.web.matched import project_of
from stillroom_server.web.negotiation import JSON, MAX_HEADER, Coding, content_coding
from stillroom_server.web.page_cache import encoded
from stillroom_server.web.ranges import wanted_part
from stillroom_server.web.security import identity_of, lineage_of, services_of

CHUNK = 256 * 1024
YEAR = 365 * 24 * 3600
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
"""The type of a file's attestations (PEP 740, and the index's API for them)."""


def send(request: Request) -> Response:
    """Send a file or what lies beside it, with Range, If-Range and If-None-Match (RFC 9110)."""
    matched = request.matchdict
    address = Address.of(project_of(request), matched["digest"], matched["filename"])
    # Before anything is asked upstream for a client that would not take it.
    media_type, charset = _media_type(request, address)
    content = services_of(request).files.content(
        lineage_of(request), address, fetch=request.method != "HEAD"
    )
    if isinstance(content, Redirect):
        _note_fetch(request, address, content, None)
        return _redirect(content)
    coding = _coding(request, address, content)
    response = Response(content_type=media_type, charset=charset)
    _describe(request, response, address, content, coding)
    if response.etag is not None and response.etag in request.if_none_match:
        response.status = 304
        del response.content_type
        return response
    response = _answer(request, response, content, coding)
    if response.status_code in {200, 206}:
        _note_fetch(request, address, content, content.sha256)
    return response


def delete(request: Request) -> Response:
    """Delete one file."""
    matched = request.matchdict
    name = lineage_of(request).name
    services_of(request).releases.remove_file(
        identity_of(request),
        name,
        project_of(request),
        matched["digest"],
        matched["filename"],
        force=has_flag(request, "force"),
    )
    return message(f"file {matched['filename']} deleted from {name}")


def _redirect(redirect: Redirect) -> Response:
    """Send the client to the upstream; whether that is right can change at any time."""
    response = Response(status=302, location=redirect.url)
    response.headers["Cache-Control"] = "no-store"
    return response


def _note_fetch(
    request: Request, address: Address, found: Content | Redirect, sha256: str | None
) -> None:
    """Count that a client got a file; what lies beside files is nothing that anybody runs."""
    if request.method == "GET" and not address.companion:
        services_of(request).fetches.note(
            identity_of(request), lineage_of(request).name, address, found.held, sha256
        )


def _media_type(request: Request, address: Address) -> tuple[str, str | None]:
    """The type of the answer and its character set. No browser ever shows a file as a page."""
    if address.companion == METADATA:
        return "text/plain", "utf-8"
    if address.companion != PROVENANCE:
        return "application/octet-stream", None
    media_type = _provenance_type(request.environ.get("HTTP_ACCEPT"))
    if media_type is None:
        raise NotAcceptable(f"accept: attestations come as {INTEGRITY} or {JSON}.")
    return media_type, None


@remembers_short(128)
def _provenance_type(accept: str | None) -> str | None:
    if accept is None or not accept.strip() or len(accept) > MAX_HEADER:
        return INTEGRITY
    ranked = create_accept_header(accept).acceptable_offers([INTEGRITY, JSON])
    return ranked[0][0] if ranked else None


def _coding(request: Request, address: Address, content: Content) -> Coding:
    """How the content is coded on its way: only metadata ever is, and only as a whole.

    Installers check the digest of files as they come, and some undo no coding of them.
    """
    if address.companion != METADATA or content.size is None or "HTTP_RANGE" in request.environ:
        return "identity"
    return content_coding(request.environ.get("HTTP_ACCEPT_ENCODING")) or "identity"


def _describe(
    request: Request, response: Response, address: Address, content: Content, coding: Coding
) -> None:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Accept-Ranges"] = "bytes"
    if address.companion:
        headers["Vary"] = "Accept" if address.companion == PROVENANCE else "Accept-Encoding"
    if coding != "identity":
        headers["Content-Encoding"] = coding
    if content.modified is not None:
        response.last_modified = content.modified.astimezone(UTC)
    if content.sha256 is not None:
        response.etag = content.sha256 + ("" if coding == "identity" else f"-{coding}")
    if content.is_lasting and content.sha256 is not None:
        who = "public" if identity_of(request).is_anonymous else "private"
        headers["Cache-Control"] = f"{who}, max-age={YEAR}, immutable"
    else:
        headers["Cache-Control"] = "private, no-cache"


def _answer(request: Request, response: Response, content: Content, coding: Coding) -> Response:
    """Put the body, or the part of it that is wanted, into the answer, and say its length."""
    if content.size is None:
        response.content_length = None
        return response
    if coding != "identity":
        blob = content.open()
        assert blob is not None, "metadata is here before it is sent"
        with blob:
            body = encoded(blob.read(), coding)
        if request.method != "HEAD":
            response.body = body
        response.content_length = len(body)
        return response
    start, stop = _wanted_range(request, response, content.size)
    if response.status_code == 416:
        return response
    if request.method != "HEAD":
        response.app_iter = _body(request, content, start, stop)
    response.content_length = stop - start  # after the body, which would clear it
    return response


def _wanted_range(request: Request, response: Response, size: int) -> tuple[int, int]:
    """Which bytes to send; sets status 206 or 416 where the client asks for a part."""
    # Parts are defined for GET alone (RFC 9110 §14.2).
    header = request.environ.get("HTTP_RANGE") if request.method == "GET" else None
    part = None if header is None else wanted_part(header, size)
    if part is None or not _may_send_part(request, response):
        return 0, size
    start, stop = part
    if start == stop:
        response.status = 416
        response.headers["Content-Range"] = f"bytes */{size}"
        response.headers["Cache-Control"] = "no-store"
        response.body = b""
        return 0, 0
    response.status = 206
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return start, stop


def _may_send_part(request: Request, response: Response) -> bool:
    """Whether `If-Range` names exactly what we have (RFC 9110 §13.1.5), or is not there."""
    wanted = request.environ.get("HTTP_IF_RANGE")
    held = {response.headers.get("ETag"), response.headers.get("Last-Modified")}
    return wanted is None or wanted.strip() in held


def _body(request: Request, content: Content, start: int, stop: int) -> Iterable[bytes]:
    blob = content.open()
    if blob is None:
        return content.follow(start, stop)
    part = _Part(blob, start, stop)
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is None:
        return part
    wrapped: Iterable[bytes] = wrapper(part, CHUNK)
    return wrapped


class _Part:
    """Some bytes of an open blob, as a body or as a file that an engine sends without a thread."""

    def __init__(self, blob: BinaryIO, start: int, stop: int) -> None:
        self._blob = blob
        self._start = start
        self._stop = stop
        blob.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(CHUNK):
            yield data

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end of the part."""
        size = min(size, self._stop - self._blob.tell())
        data = self._blob.read(max(0, size))
        if not data and size > 0:
            raise OSError("a blob is shorter than its row says")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte of the part."""
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._blob.tell(), os.SEEK_END: self._stop}
        self._blob.seek(base[whence] + offset)
        return self.tell()

    def tell(self) -> int:
        """Which byte of the part comes next."""
        return self._blob.tell() - self._start

    def close(self) -> None:
        """Close the blob."""
        self._blob.close()
