"""Core metadata as it stands in an archive, and the form that came with it."""

import email.parser
import email.policy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.metadata import InvalidMetadata, Metadata, parse_email
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from .errors import Fault
from .names import ProjectName

MetadataValue = str | list[str]

# The core-metadata fields and the keys under which devpi's clients read them.
_SINGLE = {
    "Metadata-Version": "metadata_version",
    "Name": "name",
    "Version": "version",
    "Summary": "summary",
    "Home-page": "home_page",
    "Author": "author",
    "Author-email": "author_email",
    "Maintainer": "maintainer",
    "Maintainer-email": "maintainer_email",
    "License": "license",
    "License-Expression": "license_expression",
    "Description": "description",
    "Description-Content-Type": "description_content_type",
    "Keywords": "keywords",
    "Download-URL": "download_url",
    "Requires-Python": "requires_python",
}
_REPEATED = {
    "Platform": "platform",
    "Supported-Platform": "supported_platform",
    "Classifier": "classifiers",
    "Requires": "requires",
    "Provides": "provides",
    "Obsoletes": "obsoletes",
    "Requires-Dist": "requires_dist",
    "Provides-Dist": "provides_dist",
    "Obsoletes-Dist": "obsoletes_dist",
    "Requires-External": "requires_external",
    "Project-URL": "project_urls",
    "Provides-Extra": "provides_extras",
    "Dynamic": "dynamic",
    "License-File": "license_file",
    "Import-Name": "import_names",
    "Import-Namespace": "import_namespaces",
}

# An sdist's metadata is final for a resolver when none of these may still change in a build.
_RESOLVER_FIELDS = frozenset({"requires-dist", "requires-python", "provides-extra"})


@dataclass(frozen=True, slots=True)
class CoreMetadata:
    """What a METADATA or PKG-INFO file says (PEP 241 to 808).

    `fields` has devpi's keys; lists for the fields that may stand more than once. `raw` is the
    file as it is in the archive, byte for byte, as it will be served (PEP 658).
    """

    raw: bytes
    name: str
    project: ProjectName
    version: Version
    requires_python: str | None
    is_static: bool
    fields: Mapping[str, MetadataValue]


def parse_metadata(raw: bytes) -> CoreMetadata:
    """Read the bytes of a METADATA or PKG-INFO file.

    Raises an ExceptionGroup of ValueErrors, each message of which names the field and the rule.
    Any Metadata-Version 1.x or 2.x is read, a later minor one too, so that the next standard
    does not break publishing; what a client could misread is refused.
    """
    if b"\0" in raw:
        raise ExceptionGroup("metadata", [ValueError("METADATA: it must hold no NUL character")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ExceptionGroup("metadata", [ValueError("METADATA: it must be UTF-8")]) from None
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(text)
    headers: dict[str, list[str]] = {}
    for key, value in message.items():
        headers.setdefault(key.lower(), []).append(str(value))
    _check(headers, raw)
    fields = _fields(headers, message.get_payload())
    dynamic = {name.strip().lower() for name in headers.get("dynamic", [])}
    metadata_version = _numbers(headers["metadata-version"][0])
    return CoreMetadata(
        raw=raw,
        name=headers["name"][0].strip(),
        project=canonicalize_name(headers["name"][0].strip(), validate=True),
        version=Version(headers["version"][0]),
        requires_python=_present(headers.get("requires-python", [""])[0]) or None,
        is_static=metadata_version >= (2, 2) and not dynamic & _RESOLVER_FIELDS,
        fields=fields,
    )


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.strip().partition(".")
    if not re.fullmatch(r"[0-9]{1,4}", major) or not re.fullmatch(r"[0-9]{1,4}", minor):
        raise ValueError(f"Metadata-Version: {version.strip()[:40]!r} is not a version")
    return int(major), int(minor)


def _check(headers: Mapping[str, Sequence[str]], raw: bytes) -> None:
    errors: list[Exception] = []
    for field in ("Metadata-Version", "Name", "Version"):
        count = len(headers.get(field.lower(), []))
        if count != 1:
            errors.append(ValueError(f"{field}: it must stand exactly once, not {count} times"))
    if len(headers.get("requires-python", [])) > 1:
        errors.append(ValueError("Requires-Python: it must stand at most once"))
    if not errors:
        try:
            numbers = _numbers(headers["metadata-version"][0])
            if numbers[0] not in {1, 2}:
                errors.append(ValueError(f"Metadata-Version: {numbers[0]}.x is not known here"))
            else:
                errors.extend(_field_errors(raw, numbers))
        except ValueError as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("metadata", errors)


_KNOWN_METADATA = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6")


def _field_errors(raw: bytes, numbers: tuple[int, int]) -> list[Exception]:
    # `packaging` has the rules of each field; a version that it does not know yet is checked by
    # the rules of the last one that it does.
    fields, _unparsed = parse_email(raw)
    if f"{numbers[0]}.{numbers[1]}" not in _KNOWN_METADATA:
        fields["metadata_version"] = _KNOWN_METADATA[-1]
    try:
        Metadata.from_raw(fields, validate=True)
    except ExceptionGroup as group:
        return [_named(error) for error in group.exceptions if _matters(error)]
    except ValueError as error:  # a number of more digits than Python converts
        return [ValueError(f"METADATA: {error}")]
    return []


# Rules that old tools break all the time and that no installer minds.
_TOLERATED = frozenset(
    {"summary", "description-content-type", "dynamic", "keywords", "license-files"}
)


def _matters(error: Exception) -> bool:
    if not isinstance(error, InvalidMetadata):
        return True
    introduced_later = "introduced in metadata version" in str(error)
    return error.field not in _TOLERATED and not introduced_later


def _named(error: Exception) -> ValueError:
    field = error.field if isinstance(error, InvalidMetadata) else "METADATA"
    return ValueError(f"{field}: {error}")


def _present(value: str) -> str:
    stripped = value.strip()
    return "" if stripped == "UNKNOWN" else stripped


def _fields(headers: Mapping[str, Sequence[str]], body: object) -> dict[str, MetadataValue]:
    fields: dict[str, MetadataValue] = {}
    for field, key in _SINGLE.items():
        fields[key] = _present(headers.get(field.lower(), [""])[0])
    for field, key in _REPEATED.items():
        values = [_present(value) for value in headers.get(field.lower(), [])]
        fields[key] = [value for value in values if value]
    if isinstance(body, str) and body.strip():
        fields["description"] = body
    return fields


@dataclass(frozen=True, slots=True)
class UploadForm:
    """The fields of an upload beside the file (the legacy upload API), as they were sent.

    `digests` maps an algorithm's name in `hashlib` to what the client says the digest is.
    """

    filename: str
    name: str
    version: str
    filetype: str
    requires_python: str
    digests: Mapping[str, str]


def form_faults(form: UploadForm, archive: CoreMetadata, filetype: str) -> list[Fault]:
    """Where the form contradicts the archive, which is the only source of metadata.

    Only what clients send with care is compared: name, version, file type and a Requires-Python
    that is not empty. An empty or UNKNOWN field says nothing.
    """
    faults: list[Fault] = []
    # As it was sent: with a space or a line break around it, it is no name.
    name = "" if form.name == "UNKNOWN" else form.name
    if name and canonicalize_name(name) != archive.project:
        faults.append(Fault("name", f"the form says {name[:80]!r}, the archive {archive.name!r}"))
    version = _present(form.version)
    if version and not _same_version(version, archive.version):
        faults.append(
            Fault("version", f"the form says {version[:80]!r}, the archive '{archive.version}'")
        )
    if form.filetype and form.filetype != filetype:
        faults.append(
            Fault("filetype", f"the form says {form.filetype[:40]!r}, the file is a {filetype}")
        )
    wanted = _present(form.requires_python)
    if wanted and not _same_specifiers(wanted, archive.requires_python or ""):
        held = archive.requires_python or "none"
        faults.append(
            Fault("requires_python", f"the form says {wanted[:80]!r}, the archive {held!r}")
        )
    return faults


def _same_version(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except ValueError:  # InvalidVersion, or a number of more digits than Python converts
        return False


def _same_specifiers(left: str, right: str) -> bool:
    try:
        return SpecifierSet(left) == SpecifierSet(right)
    except InvalidSpecifier:
        return left.replace(" ", "") == right.replace(" ", "")
