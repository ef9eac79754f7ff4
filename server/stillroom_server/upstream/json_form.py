"""Pages of the Simple API in JSON (PEP 691, 700, 740, 792)."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from stillroom_server.domain.status import ACTIVE, ProjectStatus
from stillroom_server.domain.upstream import UpstreamFile

from . import fields
from .raw import RawPage, Unreadable, absolute_url, check_version, document_url

_CORE_METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")


class JsonDocument:
    """A page in JSON. Raises Unreadable if it is not a JSON object of API version 1."""

    declares_itself = True
    """Its type says that it is of the Simple API."""

    def __init__(self, page: RawPage) -> None:
        try:
            self._content = orjson.loads(page.content)
        except orjson.JSONDecodeError as error:
            raise Unreadable("it is not valid JSON") from error
        if not isinstance(self._content, dict):
            raise Unreadable("it is not a JSON object")
        meta = self._content.get("meta")
        check_version(meta.get("api-version", "1.0") if isinstance(meta, dict) else "1.0")
        self._url = page.url

    def files(self) -> Iterator[UpstreamFile | None]:
        """The files that a project's page lists; None for one without a name or usable URL."""
        rows = self._content.get("files")
        if not isinstance(rows, list):
            raise Unreadable("it has no list of files")
        for item in rows:
            row = item if isinstance(item, dict) else {}
            filename, link = row.get("filename"), row.get("url")
            url = absolute_url(self._url, link) if isinstance(link, str) else None
            if url is None or not isinstance(filename, str):
                yield None
            else:
                yield _file(filename, url, row, self._url)

    def status(self) -> ProjectStatus:
        """The project's status; some servers say it inside `meta`."""
        meta = self._content.get("meta")
        for place in (self._content, meta):
            said = place.get("project-status") if isinstance(place, dict) else None
            if isinstance(said, dict):
                return fields.project_status(said.get("status"), said.get("reason"))
        return ACTIVE


def _file(filename: str, url: str, row: Mapping[str, Any], page_url: str) -> UpstreamFile:
    return UpstreamFile(
        filename=filename,
        url=url.partition("#")[0],
        hashes=fields.hashes(row.get("hashes")),
        size=fields.size(row.get("size")),
        uploaded=fields.upload_time(row.get("upload-time")),
        requires_python=fields.requires_python(row.get("requires-python")),
        yanked=fields.yanked(row.get("yanked")),
        core_metadata=_core_metadata(row),
        provenance=document_url(page_url, row.get("provenance")),
    )


def _core_metadata(row: Mapping[str, Any]) -> dict[str, str] | None:
    # PEP 714: the newest name decides, the others are for servers that do not know it yet.
    for key in _CORE_METADATA_KEYS:
        if isinstance(row.get(key), bool | dict):
            return fields.core_metadata(row[key])
    return None
