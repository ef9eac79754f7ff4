"""Simple pages as bytes: HTML and JSON from one model (PEP 503, 592, 629, 658, 691, 700, 714)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from stillroom_server.domain.pages import PageFile, ProjectList, ProjectPage

API_VERSION = "1.4"
FILES = "../../+f"
"""From a project's page to the files under the same index."""


def file_path(project: str, digest: str, filename: str) -> str:
    """The part of a file's URL after `+f/`, percent-encoded."""
    return f"{quote(project, safe='')}/{digest}/{quote(filename, safe='')}"


def project_json(page: ProjectPage) -> bytes:
    """The page of a project as JSON (PEP 691, with the keys of PEP 700 and 714).

    Strict readers refuse a page for one null, so what is not known is left out.
    """
    return orjson.dumps(
        {
            "meta": {"api-version": API_VERSION},
            "name": page.name,
            "versions": page.versions,
            "files": [_file_json(page.name, file) for file in page.files],
        }
    )


def _file_json(project: str, file: PageFile) -> Mapping[str, Any]:
    entry: dict[str, Any] = {
        "filename": file.filename,
        "url": f"{FILES}/{file_path(project, file.url_digest, file.filename)}",
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
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    return entry


def timestamp(moment: datetime) -> str:
    """`yyyy-mm-ddThh:mm:ss.ffffffZ`, in UTC (PEP 700)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def project_html(page: ProjectPage) -> bytes:
    """The page of a project as HTML5; this form is frozen at version 1.4 (PEP 833)."""
    links = "\n".join(_link(page.name, file) for file in page.files)
    return _document(f"Links for {page.name}", links)


def _link(project: str, file: PageFile) -> str:
    url = f"{FILES}/{file_path(project, file.url_digest, file.filename)}"
    attributes = {"href": url + _fragment(file.hashes)}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata is not None:
        value = _fragment(file.core_metadata).removeprefix("#") or "true"
        attributes["data-core-metadata"] = value
        attributes["data-dist-info-metadata"] = value
    if file.yanked is not False:
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    written = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {written}>{escape(file.filename)}</a><br>"


def _fragment(hashes: Mapping[str, str]) -> str:
    for algorithm in ("sha256", *hashes):
        if algorithm in hashes:
            return f"#{algorithm}={hashes[algorithm]}"
    return ""


def list_json(projects: ProjectList) -> bytes:
    """The list of projects as JSON."""
    names = [{"name": name} for name in projects.names]
    return orjson.dumps({"meta": {"api-version": API_VERSION}, "projects": names})


def list_html(projects: ProjectList, title: str) -> bytes:
    """The list of projects as HTML5."""
    links = "\n".join(
        f'<a href="{quote(name)}/">{escape(name)}</a><br>' for name in projects.names
    )
    return _document(title, links)


def _document(title: str, body: str) -> bytes:
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    ).encode()
