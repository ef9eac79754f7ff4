"""Pages of the Simple API in JSON (PEP 691, PEP 700)."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from stillroom_server.domain.upstream import UpstreamFile

from . import fields
from .raw import RawPage, Unreadable, absolute_url, check_version

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
        for row in self._rows("files"):
            filename, link = row.get("filename"), row.get("url")
            url = absolute_url(self._url, link) if isinstance(link, str) else None
            if url is None or not isinstance(filename, str):
                yield None
            else:
                yield _file(filename, url, row)

    def names(self) -> Iterator[str]:
        """The names on the list of all projects, as they stand there."""
        for row in self._rows("projects"):
            name = row.get("name")
            if isinstance(name, str):
                yield name

    def _rows(self, key: str) -> Iterator[Mapping[str, Any]]:
        rows = self._content.get(key)
        if not isinstance(rows, list):
            raise Unreadable(f"it has no list of {key}")
        return (row if isinstance(row, dict) else {} for row in rows)


def _file(filename: str, url: str, row: Mapping[str, Any]) -> UpstreamFile:
    return UpstreamFile(
        filename=filename,
        url=url.partition("#")[0],
        hashes=fields.hashes(row.get("hashes")),
        size=fields.size(row.get("size")),
        uploaded=fields.upload_time(row.get("upload-time")),
        requires_python=fields.requires_python(row.get("requires-python")),
        yanked=fields.yanked(row.get("yanked")),
        core_metadata=_core_metadata(row),
    )


def _core_metadata(row: Mapping[str, Any]) -> dict[str, str] | None:
    # PEP 714: the newest name decides, the others are for servers that do not know it yet.
    for key in _CORE_METADATA_KEYS:
        if isinstance(row.get(key), bool | dict):
            return fields.core_metadata(row[key])
    return None
