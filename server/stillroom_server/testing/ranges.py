"""Parts of files, as RFC 9110, section 14 has them: one range, of bytes."""

import re
from collections.abc import Mapping

from .messages import Reply, Request

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


def whole_or_part(request: Request, content: bytes, headers: Mapping[str, str]) -> Reply:
    """The answer for a file: all of it, 206 with the part that is asked for, or 416.

    If-Range counts if it is the ETag or the Last-Modified among `headers`. A Range header that
    is not of one range is ignored.
    """
    said = {**headers, "Accept-Ranges": "bytes"}
    condition = request.headers.get("if-range")
    if condition not in {None, headers.get("ETag"), headers.get("Last-Modified")}:
        return Reply(200, said, content)
    size = len(content)
    match _bounds(request.headers.get("range", ""), size):
        case None:
            return Reply(200, said, content)
        case start, stop if start < stop:
            part = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
            return Reply(206, said | part, content[start:stop])
        case _:
            return Reply(416, said | {"Content-Range": f"bytes */{size}"})


def _bounds(wanted: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last; an empty part cannot be satisfied."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
