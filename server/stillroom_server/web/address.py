"""The URL of this server as the client of a request sees it, where a page is to hold it."""

import functools
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

_HOST = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


def secure_root(environ: Mapping[str, Any]) -> str | None:
    """The server's root if it is a secure origin: https, or this very machine.

    Without a slash at the end. None elsewhere: what a client must be able to trust, it must not
    be told to fetch over an open network.
    """
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return _secure(environ["wsgi.url_scheme"], host, environ.get("SCRIPT_NAME", ""))


@functools.lru_cache(maxsize=256)
def _secure(scheme: str, host: str, prefix: str) -> str | None:
    if not _HOST.fullmatch(host):
        return None
    name = re.sub(r":[0-9]+\Z", "", host)
    if scheme != "https" and not _is_loopback(name.strip("[]").lower()):
        return None
    return f"{scheme}://{host.lower()}{quote(prefix.encode('latin-1'))}"


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
