"""Builders of small, correct wheels and sdists. The same arguments give the same bytes.

What they build holds a module named like the project, so that an installation can be checked by
importing it. The sdist brings its own build backend and needs nothing else to be built.
"""

import base64
import hashlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from gzip import GzipFile

from packaging.utils import canonicalize_name

from stillroom_server.testing import Distribution


def make_wheel(
    name: str = "example",
    version: str = "1.0",
    *,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    summary: str = "",
    metadata_version: str = "2.1",
    extra_headers: Sequence[tuple[str, str]] = (),
    body: str = "",
    tag: str = "py3-none-any",
    members: Mapping[str, bytes] | None = None,
) -> Distribution:
    """Build a wheel.

    `extra_headers` are pairs of field and value; `members` are further files by path, which
    replace those that would be there anyway. RECORD lists them all.
    """
    metadata = make_metadata(
        name,
        version,
        requires_dist=requires_dist,
        requires_python=requires_python,
        summary=summary,
        metadata_version=metadata_version,
        extra_headers=extra_headers,
        body=body,
    )
    stem = f"{import_name(name)}-{version}"
    dist_info = f"{stem}.dist-info"
    files = {f"{import_name(name)}.py": _module(version)}
    files |= {
        f"{dist_info}/METADATA": metadata,
        f"{dist_info}/WHEEL": wheel_file(tag),
    }
    files |= members or {}
    record = f"{dist_info}/RECORD"
    files.setdefault(record, make_record(files, record))
    return Distribution(f"{stem}-{tag}.whl", make_zip(files), files[f"{dist_info}/METADATA"])


def make_sdist(
    name: str = "example",
    version: str = "1.0",
    *,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    summary: str = "",
    pkg_info_version: str = "2.2",
    extra_headers: Sequence[tuple[str, str]] = (),
    body: str = "",
    members: Mapping[str, bytes] | None = None,
) -> Distribution:
    """Build an sdist (`.tar.gz`), which pip and uv can build into a wheel without a network.

    `pkg_info_version` is the Metadata-Version; paths in `members` are below the one top-level
    directory.
    """
    pkg_info = make_metadata(
        name,
        version,
        requires_dist=requires_dist,
        requires_python=requires_python,
        summary=summary,
        metadata_version=pkg_info_version,
        extra_headers=extra_headers,
        body=body,
    )
    stem = f"{import_name(name)}-{version}"
    files = source_tree(name, version, pkg_info) | dict(members or {})
    content = make_tar_gz({f"{stem}/{path}": data for path, data in files.items()})
    return Distribution(f"{stem}.tar.gz", content, files["PKG-INFO"])


def import_name(project: str) -> str:
    """The name of the module of a project: normalised, with underscores."""
    return canonicalize_name(project).replace("-", "_")


def make_metadata(
    name: str = "example",
    version: str = "1.0",
    *,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    summary: str = "",
    metadata_version: str = "2.1",
    extra_headers: Sequence[tuple[str, str]] = (),
    body: str = "",
) -> bytes:
    """The bytes of a METADATA or PKG-INFO file."""
    headers = [("Metadata-Version", metadata_version), ("Name", name), ("Version", version)]
    if summary:
        headers.append(("Summary", summary))
    if requires_python is not None:
        headers.append(("Requires-Python", requires_python))
    headers += [("Requires-Dist", requirement) for requirement in requires_dist]
    headers += extra_headers
    lines = [f"{field}: {value}" for field, value in headers]
    if body:
        lines += ["", body]
    return ("\n".join(lines) + "\n").encode()


def source_tree(name: str, version: str, pkg_info: bytes) -> dict[str, bytes]:
    """The files of a project that can be built: what `make_sdist` packs."""
    return {
        "PKG-INFO": pkg_info,
        "pyproject.toml": _PYPROJECT,
        "_backend.py": _BACKEND,
        f"{import_name(name)}.py": _module(version),
    }


def wheel_file(tag: str = "py3-none-any") -> bytes:
    """The bytes of a WHEEL file."""
    pythons, abis, platforms = tag.split("-")[-3:]
    tags = [
        f"Tag: {python}-{abi}-{platform}"
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]
    head = ["Wheel-Version: 1.0", "Generator: stillroom-tests", "Root-Is-Purelib: true"]
    return ("\n".join(head + tags) + "\n").encode()


def make_record(files: Mapping[str, bytes], record: str) -> bytes:
    """The bytes of a RECORD of these files, itself at the path `record`."""
    rows = [f"{path},sha256={_urlsafe(data)},{len(data)}" for path, data in files.items()]
    return ("\n".join([*rows, f"{record},,"]) + "\n").encode()


def make_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zip_member(path), data)
    return buffer.getvalue()


def zip_member(path: str) -> zipfile.ZipInfo:
    """The header of a regular file that every run of the tests writes alike."""
    info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


def make_tar_gz(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar of these files, in this order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzipped(buffer.getvalue())


def gzipped(data: bytes) -> bytes:
    """Compressed without a time stamp."""
    buffer = io.BytesIO()
    with GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as stream:
        stream.write(data)
    return buffer.getvalue()


def _module(version: str) -> bytes:
    return f'"""A module to be imported by the tests."""\n\nVERSION = "{version}"\n'.encode()


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


_PYPROJECT = b"""\
[build-system]
requires = []
build-backend = "_backend"
backend-path = ["."]
"""

# The sdist's own PEP 517 backend. Its PKG-INFO is final, so it becomes the wheel's METADATA.
_BACKEND = b'''\
"""Builds the project it lies in; needs only the standard library."""

import base64
import email.parser
import hashlib
import pathlib
import re
import tarfile
import zipfile


def _stem():
    headers = email.parser.HeaderParser().parsestr(pathlib.Path("PKG-INFO").read_text("utf-8"))
    name = re.sub(r"[-_.]+", "_", headers["Name"]).lower()
    return name, f"{name}-{headers['Version']}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name, stem = _stem()
    files = {
        f"{name}.py": pathlib.Path(f"{name}.py").read_bytes(),
        f"{stem}.dist-info/METADATA": pathlib.Path("PKG-INFO").read_bytes(),
        f"{stem}.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\\nGenerator: in-tree\\n"
            b"Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        ),
    }
    rows = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}\\n")
    rows.append(f"{stem}.dist-info/RECORD,,\\n")
    files[f"{stem}.dist-info/RECORD"] = "".join(rows).encode()
    filename = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, filename), "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return filename


def build_sdist(sdist_directory, config_settings=None):
    name, stem = _stem()
    filename = f"{stem}.tar.gz"
    with tarfile.open(pathlib.Path(sdist_directory, filename), "w:gz") as archive:
        for path in ("PKG-INFO", "pyproject.toml", "_backend.py", f"{name}.py"):
            archive.add(path, f"{stem}/{path}")
    return filename
'''
