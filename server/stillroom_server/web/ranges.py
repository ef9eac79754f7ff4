"""Which part of a file a client asks for (RFC 9110 §14)."""

import re

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII | re.IGNORECASE)


def wanted_part(header: str, size: int) -> tuple[int, int] | None:
    """The part that a `Range` header asks for: from the first number to before the second.

    None where the header is to be ignored: for another unit, several parts, or what is not well
    formed. The part is empty where the file of that many bytes has nothing of what is asked for.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    stop = int(last) + 1 if last else max(size, start + 1)
    if stop <= start:
        return None
    return min(start, size), min(stop, size)
