"""RECORD, a wheel's own list of its files and their digests (PEP 376, PEP 427)."""

import base64
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stillroom_server.domain.errors import Fault

from .bounds import ArchiveLimits, UnreadableArchive, content_fault, listed
from .zip_content import ZipContent
from .zip_framing import ZipMember

_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})


@dataclass(frozen=True, slots=True)
class RecordRow:
    """What RECORD says of one file, as text: `sha256=…`, and the size or nothing."""

    digest: str
    size: str


def parse_record(raw: bytes, limits: ArchiveLimits) -> dict[str, RecordRow]:
    """The rows of a RECORD, by path. Raises ValueError with the rule that it breaks."""
    rows: dict[str, RecordRow] = {}
    lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8", newline="")
    try:
        for count, row in enumerate(csv.reader(lines, strict=True)):
            if count > limits.members:
                raise ValueError(f"RECORD must not have more than {limits.members:,} rows")
            if not row:
                continue
            if len(row) != 3:
                raise ValueError("each row of RECORD must hold a path, a digest and a size")
            path, *said = row
            if rows.setdefault(path, RecordRow(*said)) != RecordRow(*said):
                raise ValueError(f"RECORD must not contradict itself: {listed([path])}")
    except UnicodeDecodeError:
        raise ValueError("RECORD must be UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"RECORD must be readable as CSV: {error}") from None
    return rows


def record_faults(
    rows: Mapping[str, RecordRow], members: Mapping[str, ZipMember], exempt: frozenset[str]
) -> list[Fault]:
    """Where RECORD and the wheel's files differ, apart from content.

    `members` are the files by name. Those in `exempt` need no row: RECORD itself and its
    signatures, which cannot be in it.
    """
    checks = {
        "RECORD must list only files of the wheel": rows.keys() - members.keys(),
        "RECORD must list every file": members.keys() - rows.keys() - exempt,
        "RECORD must give a SHA-256, SHA-384 or SHA-512 digest of every file": {
            path
            for path, row in rows.items()
            if path not in exempt and row.digest.partition("=")[0] not in _ALGORITHMS
        },
        "RECORD must give the true size of every file": {
            path
            for path, row in rows.items()
            if path in members and row.size not in {"", str(members[path].size)}
        },
    }
    return [
        content_fault(f"{rule}: {listed(sorted(paths))}")
        for rule, paths in checks.items()
        if paths
    ]


def content_faults(
    rows: Mapping[str, RecordRow], members: Mapping[str, ZipMember], content: ZipContent
) -> list[Fault]:
    """Read every file to its end; which are damaged, or not what RECORD says they are."""
    damaged, wrong = [], []
    for name, member in members.items():
        try:
            if not _is_as_recorded(rows.get(name), content.chunks(member)):
                wrong.append(name)
        except UnreadableArchive as error:
            damaged.append(str(error))
    faults = [content_fault(f"it is not a readable wheel: {reason}") for reason in damaged[:10]]
    if wrong:
        rule = f"RECORD must give the true digest of every file: {listed(wrong)}"
        faults.append(content_fault(rule))
    return faults


def _is_as_recorded(row: RecordRow | None, chunks: Iterator[bytes]) -> bool:
    # Without a usable digest the file is read all the same, to find out if it is damaged.
    algorithm, _, digest = row.digest.partition("=") if row else ("", "", "")
    hasher = hashlib.new(algorithm if algorithm in _ALGORITHMS else "sha256")
    for chunk in chunks:
        hasher.update(chunk)
    return algorithm not in _ALGORITHMS or _urlsafe(hasher.digest()) == digest.rstrip("=")


def _urlsafe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
