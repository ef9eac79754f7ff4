"""Whether metadata is small and plain enough to be parsed.

The parsers beneath take a time that grows with the square of a field's length in some fields,
and nothing can interrupt them, so that what is too long must not reach them.
"""

import re

from stillroom_server.domain.errors import Fault

from .bounds import ArchiveLimits, content_fault, listed

_HEAD_END = re.compile(rb"(?>\r\n|\r|\n){2}")
_FIELD_START = re.compile(rb"(?>\r\n|\r|\n)(?![ \t])")
_MOST_BYTES = 64 * 1024
_MOST_BYTES_OF = {
    b"metadata-version": 300,
    b"name": 300,  # it is a part of the file name, which has at most 255 characters
    b"version": 300,
    b"description-content-type": 300,
}
_FREE_TEXT = frozenset({b"description", b"license"})


def shape_faults(raw: bytes, limits: ArchiveLimits) -> list[Fault]:
    """What keeps these bytes of a METADATA or PKG-INFO file from being parsed."""
    head = _HEAD_END.split(raw, maxsplit=1)[0].rstrip(b"\r\n")
    fields = _FIELD_START.split(head, maxsplit=limits.headers)
    if len(fields) > limits.headers:
        return [content_fault(f"its metadata has more than {limits.headers:,} fields")]
    broken: dict[str, list[str]] = {}
    for field in fields:
        name = field.partition(b":")[0].strip()
        rule = _broken_rule(name.lower(), len(field))
        if rule:
            broken.setdefault(rule, []).append(name[:200].decode("utf-8", "replace"))
    return [content_fault(f"{rule}: {listed(names)}") for rule, names in broken.items()]


def _broken_rule(name: bytes, length: int) -> str | None:
    if name.startswith(b"content-"):
        # The e-mail parser would take the description apart by it.
        return "its metadata must have no fields of MIME"
    if name not in _FREE_TEXT and length > _MOST_BYTES_OF.get(name, _MOST_BYTES):
        return "its metadata has fields that are too long"
    return None
