"""The shape of the legacy JSON API, which tools beside the installers read.

It has all keys that the public index gives, as it gives them: null where a text is not known, -1
where nobody counts.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stillroom_server.domain.distributions import FileType
from stillroom_server.domain.metadata import MetadataValue
from stillroom_server.domain.pages import PageFile
from stillroom_server.services.summaries import ProjectSummary

from .rendering import file_path, timestamp

_TEXTS = (
    "author",
    "author_email",
    "description_content_type",
    "download_url",
    "home_page",
    "keywords",
    "license",
    "license_expression",
    "maintainer",
    "maintainer_email",
    "requires_python",
    "summary",
)
_LISTS = {
    "dynamic": "dynamic",
    "license_files": "license_file",
    "provides_extra": "provides_extras",
    "requires_dist": "requires_dist",
}
"""Keys of lists that are null where they are empty, and what they are called here."""

_KINDS = {
    ".egg": "bdist_egg",
    ".exe": "bdist_wininst",
    ".msi": "bdist_msi",
    ".rpm": "bdist_rpm",
    ".dmg": "bdist_dmg",
    ".deb": "bdist_dumb",
}


def project_document(summary: ProjectSummary, address: str) -> Mapping[str, Any]:
    """All releases of a project. `address` is the absolute URL of the index that was asked."""
    releases = {
        version: [_file(summary, file, address) for file in files]
        for version, files in summary.releases.items()
    }
    document = release_document(summary, address)
    return {**document, "releases": releases}


def release_document(summary: ProjectSummary, address: str) -> Mapping[str, Any]:
    """One release of a project."""
    return {
        "info": _info(summary, address),
        "last_serial": summary.serial,
        "ownership": {"roles": [], "organization": None},
        "urls": [_file(summary, file, address) for file in summary.files],
        "vulnerabilities": [],
    }


def _info(summary: ProjectSummary, address: str) -> Mapping[str, Any]:
    metadata, files = summary.metadata, summary.files
    url = f"{address}/{summary.project}"
    yanked = all(file.yanked is not False for file in files)
    return {
        **{key: metadata.get(key) or None for key in _TEXTS},
        **{key: metadata.get(name) or None for key, name in _LISTS.items()},
        "name": metadata["name"],
        "version": summary.version,
        "description": metadata.get("description") or "",
        "classifiers": metadata.get("classifiers") or [],
        "platform": ", ".join(_several(metadata, "platform")) or None,
        "project_urls": _labelled(_several(metadata, "project_urls")) or None,
        "bugtrack_url": None,
        "docs_url": None,
        "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        "package_url": url,
        "project_url": url,
        "release_url": f"{url}/{summary.version}",
        "yanked": yanked,
        "yanked_reason": _reason(files[0]) if yanked else None,
    }


def _several(metadata: Mapping[str, MetadataValue], key: str) -> list[str]:
    value = metadata.get(key, [])
    return value if isinstance(value, list) else [value]


def _labelled(values: Iterable[str]) -> dict[str, str]:
    """`Label, URL` of the core metadata, split at the first comma."""
    pairs = (value.partition(",") for value in values)
    return {label.strip(): url.strip() for label, _, url in pairs}


def _file(summary: ProjectSummary, file: PageFile, address: str) -> Mapping[str, Any]:
    path = file_path(summary.project, file.url_digest, file.filename)
    kind, python = _kind(file.filename)
    uploaded = None if file.uploaded is None else timestamp(file.uploaded)
    metadata = None if file.core_metadata is None else dict(file.core_metadata) or True
    return {
        "comment_text": None,
        "core-metadata": metadata or False,
        "digests": dict(file.hashes),
        "downloads": -1,
        "filename": file.filename,
        "has_sig": False,
        "md5_digest": file.hashes.get("md5"),
        "packagetype": kind,
        "python_version": python,
        "requires_python": file.requires_python,
        "size": file.size,
        "upload_time": uploaded and uploaded.partition(".")[0],
        "upload_time_iso_8601": uploaded,
        "url": f"{address}/+f/{path}",
        "yanked": file.yanked is not False,
        "yanked_reason": _reason(file),
    }


def _reason(file: PageFile) -> str | None:
    return file.yanked if isinstance(file.yanked, str) else None


def _kind(filename: str) -> tuple[str, str]:
    """What kind of distribution a file is, and for which Python, by its name."""
    if filename.endswith(".whl"):
        return FileType.WHEEL.value, filename.removesuffix(".whl").split("-")[-3:][0]
    for suffix, kind in _KINDS.items():
        if filename.endswith(suffix):
            python = re.search(r"-py([0-9.]*[0-9])", filename)
            return kind, python[1] if python else "any"
    return FileType.SDIST.value, "source"
