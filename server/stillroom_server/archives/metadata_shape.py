"""Whether metadata is small and plain enough to be parsed.

The parsers beneath take a time that grows with the square of a field's length in some fields,
and nothing can interrupt them, so that what is too long must not reach them.
"""

import re

from stillroom_server.domain.errors import Fault

from .bounds import ArchiveLimits, content_fault, shown

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
    head = _HEAD_END.split(raw, maxsplit=1)[0]
    fields = _FIELD_START.split(head, maxsplit=limits.headers)
    if len(fields) > limits.headers:
        return [content_fault(f"its metadata has more than {limits.headers:,} fields")]
    faults = []
    for field in fields:
        name = field.partition(b":")[0].strip()
        key = name.lower()
        if key.startswith(b"content-"):
            # The e-mail parser would take the description apart by it.
            faults.append(content_fault(f"its metadata must not have a field {_shown(name)}"))
        elif key not in _FREE_TEXT and len(field) > _MOST_BYTES_OF.get(key, _MOST_BYTES):
            faults.append(content_fault(f"its metadata has too long a field {_shown(name)}"))
    return faults


def _shown(name: bytes) -> str:
    return shown(name[:200].decode("utf-8", "replace"))
