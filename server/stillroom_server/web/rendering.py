"""Simple pages as bytes: HTML and JSON from one model.

PEP 503, 592, 629, 658, 691, 700, 714, 740 and 792.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import orjson

from stillroom_server.domain.pages import PageFile, ProjectPage
from stillroom_server.domain.status import ACTIVE, ProjectStatus
from stillroom_server.domain.upstream import TimeSource
from stillroom_server.services.companions import PROVENANCE

API_VERSION = "1.4"
FILES = "../../+f"
"""From a project's page to the files under the same index."""


def file_path(project: str, digest: str, filename: str) -> str:
    """The part of a file's URL after `+f/`, percent-encoded."""
    return f"{quote(project, safe='')}/{digest}/{quote(filename, safe='')}"


def project_json(page: ProjectPage, address: str | None = None) -> bytes:
    """The page of a project as JSON.

    Strict readers refuse a page for one null, so what is not known is left out. `address` is the
    absolute URL of the index, None where the page is not to hold one: attestations are then left
    out, because their URL must be absolute and secure (PEP 740).
    """
    body: dict[str, Any] = {
        "meta": {"api-version": API_VERSION},
        "name": page.name,
        "versions": page.versions,
        "files": [_file_json(page.name, file, address) for file in page.files],
    }
    if page.status.status is not ACTIVE.status:
        body["project-status"] = status_json(page.status)
    return orjson.dumps(body)


def status_json(status: ProjectStatus) -> Mapping[str, str]:
    """A project's status, with the reason if there is one (PEP 792)."""
    shown = {"status": status.status.value}
    return shown if status.reason is None else {**shown, "reason": status.reason}


def _file_json(project: str, file: PageFile, address: str | None) -> Mapping[str, Any]:
    path = file_path(project, file.url_digest, file.filename)
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"{FILES}/{path}",
        "hashes": dict(file.hashes),
        "yanked": file.yanked,
        "core-metadata": dict(file.core_metadata) or True
        if file.core_metadata is not None
        else False,
    }
    if file.size is not None:
        entry["size"] = file.size
    if file.uploaded is not None:
        entry["upload-time"] = timestamp(file.uploaded)
        if file.time_source is not TimeSource.UPSTREAM:
            entry["_upload-time-source"] = file.time_source.value
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if file.has_provenance and address is not None:
        entry["provenance"] = f"{address}/+f/{path}{PROVENANCE}"
    if file.refused is not None:
        entry["_refused"] = file.refused
    return entry


def timestamp(moment: datetime) -> str:
    """`yyyy-mm-ddThh:mm:ss.ffffffZ`, in UTC (PEP 700)."""
    in_utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{in_utc.isoformat(timespec='microseconds')}Z"


def project_html(page: ProjectPage, address: str | None = None) -> bytes:
    """The page of a project as HTML5; this form is frozen at version 1.4 (PEP 833).

    `address` is as for `project_json`.
    """
    links = "\n".join(_link(page.name, file, address) for file in page.files)
    metas = {}
    if page.status.status is not ACTIVE.status:
        metas["pypi:project-status"] = page.status.status.value
        if page.status.reason is not None:
            metas["pypi:project-status-reason"] = page.status.reason
    return _document(f"Links for {page.name}", links, metas)


def _link(project: str, file: PageFile, address: str | None) -> str:
    path = file_path(project, file.url_digest, file.filename)
    attributes = {"href": f"{FILES}/{path}{_fragment(file.hashes)}"}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata is not None:
        value = _fragment(file.core_metadata).removeprefix("#") or "true"
        attributes["data-core-metadata"] = value
        attributes["data-dist-info-metadata"] = value
    if file.yanked is not False:
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    if file.has_provenance and address is not None:
        attributes["data-provenance"] = f"{address}/+f/{path}{PROVENANCE}"
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(file.filename)}</a><br>"


def _fragment(hashes: Mapping[str, str]) -> str:
    for algorithm in ("sha256", *hashes):
        if algorithm in hashes:
            return f"#{algorithm}={hashes[algorithm]}"
    return ""


def _document(title: str, body: str, metas: Mapping[str, str]) -> bytes:
    head, tail = document_around(title, metas)
    return f"{head}{body}{tail}".encode()


def document_around(
    title: str, metas: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, str]:
    """What comes before and after the links of a page."""
    said = {"pypi:repository-version": API_VERSION, **metas}
    head = "".join(
        f'<meta name="{name}" content="{escape(content)}">\n' for name, content in said.items()
    )
    before = (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{head}"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n"
    )
    return before, "\n</body>\n</html>\n"
