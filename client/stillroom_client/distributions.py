"""Wheels and sdists on this machine: what they say about themselves."""

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from .errors import LocalTrouble

WHEEL = ".whl"
SDIST = ".tar.gz"
# No metadata file is larger; what is larger is not read into memory.
METADATA_LIMIT = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file that can be uploaded, with the fields of the legacy upload form."""

    path: Path
    size: int
    sha256: str
    fields: dict[str, str]


def find(paths: Sequence[Path]) -> list[Path]:
    """The distributions among files and in folders; wheels first.

    A wheel that is there before the sdist spares an installer a build in that moment. Raises
    LocalTrouble if there is none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        candidates = sorted(path.iterdir()) if path.is_dir() else [path]
        wanted = [candidate for candidate in candidates if _is_distribution(candidate)]
        if not wanted:
            what = "holds no wheel or sdist" if path.is_dir() else "is no wheel or sdist"
            raise LocalTrouble(f"no file to upload: {path} {what} (*{WHEEL}, *{SDIST})")
        found |= dict.fromkeys(wanted)
    return sorted(found, key=lambda path: not path.name.endswith(WHEEL))


def _is_distribution(path: Path) -> bool:
    return path.name.endswith((WHEEL, SDIST)) and path.is_file()


def read_all(paths: Iterable[Path]) -> list[Distribution]:
    """Read distributions; raises LocalTrouble that names every one that cannot be read."""
    distributions: list[Distribution] = []
    faults: list[str] = []
    for path in paths:
        try:
            distributions.append(read(path))
        except LocalTrouble as error:
            faults.append(str(error))
    if faults:
        raise LocalTrouble("\n".join(faults))
    return distributions


def read(path: Path) -> Distribution:
    """Read one distribution; raises LocalTrouble if it is not one."""
    is_wheel = path.name.endswith(WHEEL)
    try:
        raw = _wheel_metadata(path) if is_wheel else _sdist_metadata(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError):
        kind = "a zip" if is_wheel else "a gzipped tar"
        raise LocalTrouble(f"{path} is not {kind} that can be read: build it again") from None
    except OSError as error:
        raise LocalTrouble(f"{path} cannot be read: {error.strerror or error}") from None
    if raw is None:
        where = "*.dist-info/METADATA" if is_wheel else "PKG-INFO"
        raise LocalTrouble(f"{path} holds no {where}: build it again")
    return Distribution(path, size, sha256, _fields(path, raw, sha256, is_wheel=is_wheel))


def _wheel_metadata(path: Path) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            folder, _, name = member.partition("/")
            if folder.endswith(".dist-info") and name == "METADATA":
                with archive.open(member) as file:
                    return _bounded(file, path)
    return None


def _sdist_metadata(path: Path) -> bytes | None:
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if member.isfile() and member.name.partition("/")[2] == "PKG-INFO":
                file = archive.extractfile(member)
                assert file is not None
                with file:
                    return _bounded(file, path)
    return None


def _bounded(file: IO[bytes], path: Path) -> bytes:
    content = file.read(METADATA_LIMIT + 1)
    if len(content) > METADATA_LIMIT:
        raise LocalTrouble(f"{path} has metadata of more than {METADATA_LIMIT} bytes")
    return content


def _fields(path: Path, raw: bytes, sha256: str, *, is_wheel: bool) -> dict[str, str]:
    metadata, _unknown = parse_email(raw)
    missing = [key for key in ("metadata_version", "name", "version") if not metadata.get(key)]
    if missing:
        raise LocalTrouble(f"{path} has metadata without {', '.join(missing)}: build it again")
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": metadata["metadata_version"],
        "name": metadata["name"],
        "version": metadata["version"],
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "pyversion": _python_tag(path) if is_wheel else "source",
        "requires_python": metadata.get("requires_python", ""),
        "sha256_digest": sha256,
    }


def _python_tag(path: Path) -> str:
    try:
        parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise LocalTrouble(f"{path} is not named as a wheel is: {error}") from None
    return path.name.removesuffix(WHEEL).split("-")[-3]
