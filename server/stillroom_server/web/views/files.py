"""Files: whole, in part, or unchanged."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import BinaryIO

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.services.files import METADATA, NO_DIGEST, Content
from stillroom_server.web.answers import message
from stillroom_server.web.bodies import has_flag
from stillroom_server.web.matched import project_of
from stillroom_server.web.ranges import wanted_part
from stillroom_server.web.security import identity_of, lineage_of, services_of

CHUNK = 256 * 1024
YEAR = 365 * 24 * 3600


def send(request: Request) -> Response:
    """Send a file or its `.metadata`, with Range, If-Range and If-None-Match (RFC 9110)."""
    matched = request.matchdict
    content = services_of(request).files.content(
        lineage_of(request),
        project_of(request),
        matched["digest"],
        matched["filename"],
        fetch=request.method != "HEAD",
    )
    response = Response()
    _describe(request, response, content)
    if response.etag is not None and response.etag in request.if_none_match:
        response.status = 304
        del response.content_type
        return response
    start, stop = _wanted_range(request, response, content.size)
    if response.status_code == 416:
        return response
    if request.method != "HEAD":
        response.app_iter = _body(request, content, start, stop)
    response.content_length = stop - start  # after the body, which would clear it
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


def _describe(request: Request, response: Response, content: Content) -> None:
    # No file is ever shown by a browser as a page, whatever it holds.
    is_text = content.filename.endswith(METADATA)
    response.content_type = "text/plain" if is_text else "application/octet-stream"
    response.charset = "utf-8" if is_text else None
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Accept-Ranges"] = "bytes"
    if content.modified is not None:
        response.last_modified = content.modified.astimezone(UTC)
    if content.sha256 is None:
        response.headers["Cache-Control"] = "private, no-cache"
        return
    response.etag = content.sha256
    # The digest is in the URL: what is there never changes. Where the upstream gives none, it may.
    who = "public" if identity_of(request).is_anonymous else "private"
    lasting = request.matchdict["digest"] != NO_DIGEST
    age = f"{who}, max-age={YEAR}, immutable"
    response.headers["Cache-Control"] = age if lasting else "private, no-cache"


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
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is not None and stop - start == content.size:
        whole: Iterable[bytes] = wrapper(blob, CHUNK)
        return whole
    return _Part(blob, start, stop)


class _Part:
    """Some bytes of an open blob, which is closed in any case."""

    def __init__(self, blob: BinaryIO, start: int, stop: int) -> None:
        self._blob = blob
        self._position = start
        self._stop = stop

    def __iter__(self) -> Iterator[bytes]:
        self._blob.seek(self._position)
        while self._position < self._stop:
            data = self._blob.read(min(CHUNK, self._stop - self._position))
            if not data:
                raise OSError("a blob is shorter than its row says")
            self._position += len(data)
            yield data

    def close(self) -> None:
        self._blob.close()
