"""File names of distributions: which project, version and kind of file they say."""

import enum
import re
from dataclasses import dataclass

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from .errors import InvalidRequest
from .names import ProjectName, project_name


class FileType(enum.StrEnum):
    """What kind of distribution a file is, in the words of the upload form."""

    WHEEL = "bdist_wheel"
    SDIST = "sdist"


@dataclass(frozen=True, slots=True)
class Filename:
    """What the name of a distribution says (PEP 427, PEP 625).

    `python_tag` is the wheel's Python tag, or `source`. `key` is equal for two names that mean
    the same artefact, such as `Foo-1.0.tar.gz` and `foo-1.0.tar.gz`.
    """

    text: str
    project: ProjectName
    version: Version
    filetype: FileType
    python_tag: str
    key: str


_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\u0080-\U0010ffff]")
MAX_TAG_COMBINATIONS = 1000


def parse_filename(text: str) -> Filename:
    """Read the name of a wheel or sdist that is uploaded.

    Raises ValueError with the rule for anything that is not `….whl` or `….tar.gz` in the form
    of the standards.
    """
    if (
        not text
        or len(text) > 255
        or _UNSAFE.search(text)
        or text[0] == "."
        or text != text.strip()
    ):
        raise ValueError("use up to 255 printable ASCII characters without slashes")
    if text.endswith(".whl"):
        return _parse_wheel(text)
    if text.endswith(".tar.gz"):
        return _parse_sdist(text)
    raise ValueError("it must end in .whl or .tar.gz")


def _parse_wheel(text: str) -> Filename:
    tags = text[: -len(".whl")].split("-")[-3:]
    combinations = 1
    for part in tags:
        combinations *= part.count(".") + 1
    if combinations > MAX_TAG_COMBINATIONS:
        raise ValueError("its compressed tags stand for too many combinations")
    try:
        name, version, build, _tags = parse_wheel_filename(text)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from None
    project = _project(name)
    build_part = f"-{build[0]}{build[1]}" if build else ""
    tag_part = "-".join(".".join(sorted(part.lower().split("."))) for part in tags)
    key = f"{project}-{version}{build_part}-{tag_part}.whl"
    return Filename(text, project, version, FileType.WHEEL, tags[0], key)


def _parse_sdist(text: str) -> Filename:
    try:
        name, version = parse_sdist_filename(text)
    except InvalidSdistFilename as error:
        raise ValueError(str(error)) from None
    project = _project(name)
    return Filename(
        text, project, version, FileType.SDIST, "source", f"{project}-{version}.tar.gz"
    )


def _project(name: str) -> ProjectName:
    # `packaging` takes names that no page of ours could ever have.
    try:
        return project_name(name)
    except InvalidRequest as invalid:
        raise ValueError(invalid.message) from None


_LEGACY = re.compile(r"\.(tar\.gz|tar\.bz2|tar\.xz|tgz|zip|egg|exe|msi|rpm|dmg|deb|tar\.Z)$")


def version_in(filename: str, project: ProjectName) -> str | None:
    """The version of the project that a file's name says, canonical; None if it says none.

    Mirrors list old sdists, eggs and installers whose names follow no standard: what stands
    between the project's name and the ending is tried, longest first.
    """
    if filename.endswith(".whl"):
        return _wheel_version(filename, project)
    try:
        name, version = parse_sdist_filename(filename)
        if name == project:
            return str(version)
    except ValueError:  # it is in no form of the standards, or its version in too many digits
        pass
    stem = _LEGACY.sub("", filename)
    for match in re.finditer("-", stem):
        if canonicalize_name(stem[: match.start()]) == project:
            return _leading_version(stem[match.end() :])
    return None


def _wheel_version(filename: str, project: ProjectName) -> str | None:
    # Its tags are not read: an upstream may send names whose tags stand for thousands of others.
    name, _, rest = filename.partition("-")
    if canonicalize_name(name) != project:
        return None
    return _version(rest.partition("-")[0])


def _leading_version(text: str) -> str | None:
    # `1.0-py2.7`, `1.0.win32-py2.7`: the version is the longest beginning that is one.
    candidates = [text, *(text[: m.start()] for m in reversed(list(re.finditer(r"[.-]", text))))]
    return next((version for text in candidates if (version := _version(text))), None)


def release_key(version: str) -> str:
    """Equal for two spellings of one release, such as `1.0` and `1.0.0` (PEP 440).

    What is no version stays as it is.
    """
    canonical = _version(version)
    return version if canonical is None else canonicalize_version(canonical)


def _version(text: str) -> str | None:
    try:
        return str(Version(text))
    except ValueError:  # InvalidVersion, or a number of more digits than Python converts
        return None
