"""What no URL of an upstream may hold, because others would read it in another way than we do."""

import re
from urllib.parse import unquote


def is_host(host: str) -> bool:
    """Whether a host without its port is an address, or a name that can be looked up.

    Each label of a name has 1 to 63 characters, and is readable where it is in Punycode
    (RFC 5890).
    """
    try:
        return bool(host.encode("idna").decode("idna"))
    except UnicodeError:
        return False


def has_dot_segments(path: str) -> bool:
    """Whether `.` or `..` stands in a path (RFC 3986 §3.3), and so it may lead elsewhere.

    Servers and the proxies before them decode a path once or more often, some take a backslash
    for a slash, and some cut off parameters, `..;x`, before they look at dots.
    """
    decoded = unquote(path)
    while decoded != path:
        path, decoded = decoded, unquote(decoded)
    return any(part.partition(";")[0] in {".", ".."} for part in re.split(r"[/\\]", decoded))
