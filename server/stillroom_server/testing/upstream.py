"""An index on loopback that plays the upstream.

with LocalUpstream() as up:
    up.add(distribution)
    up.fault("/simple/example/", status=503, headers={"Retry-After": "7"}, times=1)
    …
    assert up.paths == ["/simple/example/"]
"""

import gzip
import hashlib
import itertools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from email.parser import BytesHeaderParser
from pathlib import Path
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name

from .distribution import Distribution
from .http_server import HttpServer
from .messages import Reply, Request
from .pages import (
    HTML,
    JSON,
    Project,
    Row,
    generated_names,
    list_html,
    list_json,
    page_html,
    page_json,
    zipped,
)
from .ranges import whole_or_part

UPLOAD_TIME = "2024-01-02T03:04:05.678901Z"
"""When files were uploaded, unless said."""
LAST_MODIFIED = "Tue, 02 Jan 2024 03:04:06 GMT"
"""When files changed last, unless said."""

_BINARY = "application/octet-stream"
_PROVENANCE = "application/vnd.pypi.integrity.v1+json"


class LocalUpstream(HttpServer):
    """An index with the files that are added to it; its URL is `url`.

    All of these may be changed while it runs:

    - `forms` are those it speaks, "json" and "html"; JSON first where both are accepted.
    - `absolute_urls` says how its pages link to files.
    - `api_version` is the version of the API that its pages claim (PEP 629).
    - `html_upload_times` adds `data-upload-time` to pages in HTML.
    - `ranges` says whether a part of a file can be had; `last_modified` is the date of all files,
      None for none; `file_etags` gives each its ETag.
    - `generated_names` is how many names the list of all projects has beside those with files;
      see `generated_name`.
    """

    def __init__(
        self,
        *,
        forms: Collection[str] = ("json", "html"),
        absolute_urls: bool = False,
        certificate: Path | None = None,
        authorization: str | None = None,
    ) -> None:
        super().__init__(certificate=certificate, authorization=authorization)
        self.forms = set(forms)
        self.absolute_urls = absolute_urls
        self.api_version = "1.1"
        self.html_upload_times = False
        self.ranges = True
        self.last_modified: str | None = LAST_MODIFIED
        self.file_etags = True
        self.generated_names = 0
        self._projects: dict[str, Project] = {}
        self._content: dict[str, tuple[str, bytes]] = {}

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
        hashes: Collection[str] = ("sha256",),
        provenance: Mapping[str, object] | None = None,
        row: Mapping[str, object] | None = None,
    ) -> None:
        """List a file, in the place of one of the same name.

        Its project and Requires-Python are those of its metadata unless they are given. `hashes`
        names the digests that are listed; `provenance` is a document of attestations (PEP 740),
        served beside the file. `row` replaces keys of its row as it is in JSON, such as
        `{"size": 1}`; its content stays.
        """
        headers = BytesHeaderParser().parsebytes(distribution.metadata)
        name = canonicalize_name(project or headers["Name"])
        path = _path(distribution)
        self._content[path] = _BINARY, distribution.content
        listed: Row = {
            "filename": distribution.filename,
            "url": path,
            "hashes": {
                algorithm: hashlib.new(algorithm, distribution.content).hexdigest()
                for algorithm in hashes
            },
            "size": len(distribution.content),
            "upload-time": upload_time,
            "requires-python": requires_python or headers["Requires-Python"],
            "yanked": yanked,
        }
        if core_metadata:
            self._content[f"{path}.metadata"] = _BINARY, distribution.metadata
            listed["core-metadata"] = {"sha256": hashlib.sha256(distribution.metadata).hexdigest()}
        if provenance is not None:
            document = json.dumps(provenance).encode()
            self._content[f"{path}.provenance"] = _PROVENANCE, document
            listed["provenance"] = f"{path}.provenance"
        said = {key: value for key, value in listed.items() if value is not None}
        rows = self._projects.setdefault(name, Project()).rows
        rows[distribution.filename] = said | dict(row or {})

    def remove(self, distribution: Distribution) -> None:
        """Unlist a file and forget its content; its project stays."""
        for project in self._projects.values():
            project.rows.pop(distribution.filename, None)
        self._content.pop(_path(distribution))

    def remove_project(self, name: str) -> None:
        """Unlist a project with all of its files; their content stays where it is."""
        del self._projects[canonicalize_name(name)]

    def replace_content(self, distribution: Distribution, content: bytes) -> None:
        """Serve other bytes at the URL of a file; pages go on to say what they said."""
        self._content[_path(distribution)] = _BINARY, content

    def set_status(self, project: str, status: str, reason: str | None = None) -> None:
        """Say a project's status (PEP 792); a project that there is not gets a page."""
        said = {"status": status} | ({} if reason is None else {"reason": reason})
        self._projects.setdefault(canonicalize_name(project), Project()).status = said

    def respond(self, request: Request) -> Reply:
        """The answer of an index in good order."""
        path = urlsplit(request.path).path
        if path in self._content:
            return self._file(request, *self._content[path])
        match path.strip("/").split("/"):
            case ["simple"]:
                return self._list(request)
            case ["simple", name] if name in self._projects:
                return self._page(request, name)
        return super().respond(request)

    def _file(self, request: Request, content_type: str, content: bytes) -> Reply:
        headers = {"Content-Type": content_type}
        if self.last_modified is not None:
            headers["Last-Modified"] = self.last_modified
        if self.file_etags:
            headers["ETag"] = _etag(content)
        if self.ranges:
            return whole_or_part(request, content, headers)
        return Reply(200, headers, content)

    def _list(self, request: Request) -> Reply:
        names = itertools.chain(list(self._projects), generated_names(self.generated_names))
        if self._speaks_json(request):
            content_type, pieces = JSON, list_json(self.api_version, names)
        else:
            content_type, pieces = HTML, list_html(self.api_version, names)
        if not self.generated_names:
            return _coded(request, content_type, b"".join(pieces))
        return _streamed(request, content_type, pieces)

    def _page(self, request: Request, name: str) -> Reply:
        project = self._projects[name]
        linked = replace(
            project, rows={key: self._linked(row) for key, row in project.rows.items()}
        )
        if self._speaks_json(request):
            return _coded(request, JSON, page_json(self.api_version, name, linked))
        page = page_html(self.api_version, linked, upload_times=self.html_upload_times)
        return _coded(request, HTML, page)

    def _linked(self, row: Row) -> Row:
        linked = dict(row)
        if row["url"].startswith("/"):
            linked["url"] = f"{self.root if self.absolute_urls else '../..'}{row['url']}"
        if str(row.get("provenance")).startswith("/"):
            linked["provenance"] = f"{self.root}{row['provenance']}"  # absolute by PEP 740
        return linked

    def _speaks_json(self, request: Request) -> bool:
        accepts_json = JSON in request.headers.get("accept", "")
        return "json" in self.forms and (accepts_json or "html" not in self.forms)


def _path(distribution: Distribution) -> str:
    return f"/files/{distribution.sha256}/{quote(distribution.filename)}"


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _page_headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}


def _coded(request: Request, content_type: str, body: bytes) -> Reply:
    etag = _etag(body)
    headers = _page_headers(content_type) | {"ETag": etag}
    if request.headers.get("if-none-match") == etag:
        return Reply(304, headers)
    if _takes_gzip(request):
        return Reply(200, headers | {"Content-Encoding": "gzip"}, gzip.compress(body, mtime=0))
    return Reply(200, headers, body)


def _streamed(request: Request, content_type: str, pieces: Iterable[bytes]) -> Reply:
    headers = _page_headers(content_type)
    if _takes_gzip(request):
        return Reply(200, headers | {"Content-Encoding": "gzip"}, zipped(pieces))
    return Reply(200, headers, pieces)


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")
