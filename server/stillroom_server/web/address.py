"""The URL of this server as the client of a request sees it, where a page is to hold it."""

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from stillroom_server.domain.hosts import host_name, is_loopback


def secure_root(environ: Mapping[str, Any]) -> str | None:
    """The server's root if it is a secure origin: https, or this very machine.

    Without a slash at the end. None elsewhere: what a client must be able to trust, it must not
    be told to fetch over an open network.
    """
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return _secure(environ["wsgi.url_scheme"], host, environ.get("SCRIPT_NAME", ""))


@functools.lru_cache(maxsize=256)
def _secure(scheme: str, host: str, prefix: str) -> str | None:
    name = host_name(host)
    if name is None or (scheme != "https" and not is_loopback(name)):
        return None
    return f"{scheme}://{host.lower()}{quote(prefix.encode('latin-1'))}"
