"""An index on loopback that plays the upstream.

with LocalUpstream() as up:
    up.add(make_wheel("example"))
    up.fault("/simple/example/", status=503, headers={"Retry-After": "7"}, times=1)
    …
    assert up.paths == ["/simple/example/"]
"""

import gzip
import hashlib
import html
import json
from collections.abc import Collection, Mapping
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name

from .distributions import Distribution
from .http_server import HttpServer, Reply, Request

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""Self-signed, for localhost: clients trust it once SSL_CERT_FILE names it."""

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
UPLOAD_TIME = "2024-01-02T03:04:05.678901Z"

Row = dict[str, object]
"""A file as it stands on a page in JSON, its `url` relative to the root of the server."""


class LocalUpstream(HttpServer):
    """An index with the files that are added to it; its URL is `url`.

    `forms` are those it speaks, JSON first where both are accepted. `absolute_urls` says how its
    pages link to files.
    """

    def __init__(
        self,
        *,
        forms: Collection[str] = ("json", "html"),
        absolute_urls: bool = False,
        certificate: Path | None = None,
    ) -> None:
        super().__init__(certificate=certificate)
        self.forms = set(forms)
        self.absolute_urls = absolute_urls
        self._projects: dict[str, dict[str, Row]] = {}
        self._content: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        """Where its Simple API is: what a mirror's `mirror_url` says."""
        return f"{self.root}/simple/"

    def file_url(self, distribution: Distribution) -> str:
        """Where a file is."""
        return self.root + _path(distribution)

    def add(
        self,
        distribution: Distribution,
        *,
        project: str | None = None,
        yanked: bool | str = False,
        upload_time: str | None = UPLOAD_TIME,
        requires_python: str | None = None,
        core_metadata: bool = True,
        row: Mapping[str, object] | None = None,
    ) -> None:
        """List a file, in the place of one of the same name.

        Its project and Requires-Python are those of its metadata unless they are given. `row`
        replaces keys of its row as it is in JSON, such as `{"hashes": {}}`; its content stays.
        """
        headers = BytesHeaderParser().parsebytes(distribution.metadata)
        name = canonicalize_name(project or headers["Name"])
        path = _path(distribution)
        self._content[path] = distribution.content
        listed: Row = {
            "filename": distribution.filename,
            "url": path,
            "hashes": {"sha256": distribution.sha256},
            "size": len(distribution.content),
            "upload-time": upload_time,
            "requires-python": requires_python or headers["Requires-Python"],
            "yanked": yanked,
        }
        if core_metadata:
            self._content[f"{path}.metadata"] = distribution.metadata
            listed["core-metadata"] = {"sha256": hashlib.sha256(distribution.metadata).hexdigest()}
        said = {key: value for key, value in listed.items() if value is not None}
        files = self._projects.setdefault(name, {})
        files[distribution.filename] = said | dict(row or {})

    def remove(self, distribution: Distribution) -> None:
        """Unlist a file; its project stays."""
        for files in self._projects.values():
            files.pop(distribution.filename, None)
        self._content.pop(_path(distribution))

    def respond(self, request: Request) -> Reply:
        """The answer of an index in good order."""
        path = urlsplit(request.path).path
        if path in self._content:
            return Reply(
                headers={"Content-Type": "application/octet-stream"}, body=self._content[path]
            )
        match path.strip("/").split("/"):
            case ["simple"]:
                return self._negotiated(
                    request, _list_json(self._projects), _list_html(self._projects)
                )
            case ["simple", name] if name in self._projects:
                rows = [self._linked(row) for row in self._projects[name].values()]
                return self._negotiated(request, _page_json(name, rows), _page_html(rows))
        return super().respond(request)

    def _linked(self, row: Row) -> Row:
        url = str(row["url"])
        if not url.startswith("/"):
            return row
        return row | {"url": f"{self.root}{url}" if self.absolute_urls else f"../..{url}"}

    def _negotiated(self, request: Request, as_json: bytes, as_html: bytes) -> Reply:
        accepts_json = JSON in request.headers.get("accept", "")
        if "json" in self.forms and (accepts_json or "html" not in self.forms):
            return _page(request, JSON, as_json)
        return _page(request, HTML, as_html)


def _path(distribution: Distribution) -> str:
    return f"/files/{distribution.sha256}/{quote(distribution.filename)}"


def _page(request: Request, content_type: str, body: bytes) -> Reply:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Content-Type": content_type, "ETag": etag, "Vary": "Accept, Accept-Encoding"}
    if request.headers.get("if-none-match") == etag:
        return Reply(304, headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Reply(200, headers | {"Content-Encoding": "gzip"}, gzip.compress(body, mtime=0))
    return Reply(200, headers, body)


def _page_json(name: str, rows: list[Row]) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": rows}).encode()


def _list_json(names: Collection[str]) -> bytes:
    projects = [{"name": name} for name in names]
    return json.dumps({"meta": {"api-version": "1.1"}, "projects": projects}).encode()


def _list_html(names: Collection[str]) -> bytes:
    return _html_document(f'<a href="{name}/">{name}</a><br>' for name in names)


def _page_html(rows: list[Row]) -> bytes:
    return _html_document(_anchor(row) for row in rows)


def _html_document(lines) -> bytes:
    meta = '<meta name="pypi:repository-version" content="1.1">'
    body = "\n".join(lines)
    return f"<!DOCTYPE html><html><head>{meta}</head><body>{body}</body></html>".encode()


def _anchor(row: Row) -> str:
    fragment = "&".join(f"{name}={digest}" for name, digest in row["hashes"].items())
    attributes = {"href": f"{row['url']}#{fragment}" if fragment else row["url"]}
    if "requires-python" in row:
        attributes["data-requires-python"] = row["requires-python"]
    if row["yanked"] is not False:
        attributes["data-yanked"] = "" if row["yanked"] is True else row["yanked"]
    if "core-metadata" in row:
        attributes["data-core-metadata"] = f"sha256={row['core-metadata']['sha256']}"
    said = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {said}>{html.escape(row['filename'])}</a><br>"
