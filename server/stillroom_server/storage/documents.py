"""What mirrors know of a project, read from the JSON documents that are stored.

orjson itself writes the dataclasses of the domain, field by field, several times faster than
code here could.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from stillroom_server.domain.upstream import Seen, TimeSource, UpstreamFile


def read_files(document: Sequence[Mapping[str, Any]]) -> tuple[UpstreamFile, ...]:
    """The files of a page, in order."""
    return tuple(
        UpstreamFile(
            filename=record["filename"],
            url=record["url"],
            hashes=record["hashes"],
            size=record["size"],
            uploaded=_moment(record["uploaded"]),
            requires_python=record["requires_python"],
            yanked=record["yanked"],
            core_metadata=record["core_metadata"],
            provenance=record["provenance"],
            refused=record["refused"],
            time_source=TimeSource(record["time_source"]),
        )
        for record in document
    )


def read_seen(document: Mapping[str, Mapping[str, Any]]) -> dict[str, Seen]:
    """What was learned of every file name."""
    return {
        name: Seen(
            first_seen=datetime.fromisoformat(record["first_seen"]),
            hashes=record["hashes"],
            size=record["size"],
            modified=_moment(record["modified"]),
            metadata_sha256=record["metadata_sha256"],
        )
        for name, record in document.items()
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
