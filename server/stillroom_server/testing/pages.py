"""Pages of the Simple API in both of its forms, as upstreams write them."""

import html
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"

Row = dict[str, Any]
"""A file as it stands on a page in JSON."""

_NAMES_AT_ONCE = 10_000


@dataclass
class Project:
    """What an upstream says of a project: rows by file name, and its status (PEP 792)."""

    rows: dict[str, Row] = field(default_factory=dict)
    status: Mapping[str, str] | None = None


def page_json(api_version: str, name: str, project: Project) -> bytes:
    """The page of a project, PEP 691."""
    page: dict[str, object] = {
        "meta": {"api-version": api_version},
        "name": name,
        "files": list(project.rows.values()),
    }
    if project.status is not None:
        page["project-status"] = project.status
    return json.dumps(page).encode()


def page_html(api_version: str, project: Project, *, upload_times: bool) -> bytes:
    """The page of a project, PEP 503 and those that add to it.

    `upload_times` writes the attribute `data-upload-time`, which no standard has but some
    indexes.
    """
    metas = {"repository-version": api_version}
    if project.status is not None:
        metas["project-status"] = project.status["status"]
        if "reason" in project.status:
            metas["project-status-reason"] = project.status["reason"]
    anchors = "\n".join(_anchor(row, upload_times=upload_times) for row in project.rows.values())
    return f"{_html_head(metas)}{anchors}</body></html>".encode()


def generated_name(number: int) -> str:
    """The name with that number, from 0, on a list of generated names; they are sorted."""
    return f"project-{number:07}"


def generated_names(count: int) -> Iterator[str]:
    """So many names."""
    return (generated_name(number) for number in range(count))


def list_json(api_version: str, names: Iterable[str]) -> Iterator[bytes]:
    """The list of all projects, PEP 691, in pieces. The names are normalised."""
    yield f'{{"meta": {{"api-version": "{api_version}"}}, "projects": ['.encode()
    comma = ""
    for block in _blocks(f'{{"name": "{name}"}}' for name in names):
        yield (comma + ", ".join(block)).encode()
        comma = ", "
    yield b"]}"


def list_html(api_version: str, names: Iterable[str]) -> Iterator[bytes]:
    """The list of all projects, PEP 503, in pieces."""
    yield _html_head({"repository-version": api_version}).encode()
    for block in _blocks(f'<a href="{name}/">{name}</a><br>\n' for name in names):
        yield "".join(block).encode()
    yield b"</body></html>"


def zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same in gzip, in pieces."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _blocks(items: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for item in items:
        block.append(item)
        if len(block) == _NAMES_AT_ONCE:
            yield block
            block = []
    if block:
        yield block


def _html_head(metas: Mapping[str, str]) -> str:
    lines = "".join(
        f'<meta name="pypi:{name}" content="{html.escape(content)}">'
        for name, content in metas.items()
    )
    return f"<!DOCTYPE html><html><head>{lines}</head><body>"


def _anchor(row: Row, *, upload_times: bool) -> str:
    fragment = "&".join(f"{name}={digest}" for name, digest in row["hashes"].items())
    attributes = {"href": f"{row['url']}#{fragment}" if fragment else row["url"]}
    if "requires-python" in row:
        attributes["data-requires-python"] = row["requires-python"]
    if row["yanked"] is not False:
        attributes["data-yanked"] = "" if row["yanked"] is True else row["yanked"]
    core_metadata = row.get("core-metadata")
    if core_metadata:
        said = "true" if core_metadata is True else f"sha256={core_metadata['sha256']}"
        attributes["data-core-metadata"] = said
    if "provenance" in row:
        attributes["data-provenance"] = row["provenance"]
    if upload_times and "upload-time" in row:
        attributes["data-upload-time"] = row["upload-time"]
    shown = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {shown}>{html.escape(row['filename'])}</a><br>"
