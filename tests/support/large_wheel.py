"""A wheel that is too large to be built in memory."""

import base64
import hashlib
import zipfile
from pathlib import Path

from .distributions import import_name, make_metadata, make_record, wheel_file, zip_member

BLOCK = 1 << 20


def write_large_wheel(folder: Path, name: str, size: int) -> Path:
    """Write version 1.0 of a project with one stored member of so many zero bytes."""
    stem = f"{import_name(name)}-1.0"
    dist_info = f"{stem}.dist-info"
    data, record = f"{import_name(name)}.bin", f"{dist_info}/RECORD"
    files = {
        f"{dist_info}/METADATA": make_metadata(name, "1.0"),
        f"{dist_info}/WHEEL": wheel_file(),
    }
    row = f"{data},sha256={_digest_of_zeros(size)},{size}\n".encode()
    files[record] = row + make_record(files, record)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(zip_member(member), content)
        large = zip_member(data)
        large.compress_type = zipfile.ZIP_STORED
        large.file_size = size
        with archive.open(large, "w") as file:
            for block in _zeros(size):
                file.write(block)
    return path


def _zeros(size: int):
    full, rest = divmod(size, BLOCK)
    for _ in range(full):
        yield bytes(BLOCK)
    yield bytes(rest)


def _digest_of_zeros(size: int) -> str:
    digest = hashlib.sha256()
    for block in _zeros(size):
        digest.update(block)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
