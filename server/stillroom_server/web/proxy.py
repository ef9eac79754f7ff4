"""Behind a reverse proxy: the URL that clients use, and a path prefix."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_OUTSIDE_URL",
)


class OutsideUrl:
    """A WSGI middleware that makes the rest of the server see the URL that clients use.

    The setting `outside_url` always wins. Without it, a trusted proxy may say the scheme, host
    and prefix by `X-Forwarded-*`, or the whole by `X-Outside-URL` as devpi's nginx
    configurations do. From anybody else such headers are dropped. A prefix is taken off the
    path where the proxy left it on.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        outside_url: str | None,
        trusted_proxies: frozenset[str],
    ) -> None:
        self._application = application
        self._outside_url = outside_url
        self._trusted = trusted_proxies

    def __call__(
        self, environ: dict[str, Any], start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Rewrite the environ and pass it on."""
        said = {name: environ.pop(name) for name in FORWARDED if name in environ}
        trusted = environ.get("REMOTE_ADDR", "") in self._trusted
        url = self._outside_url or (trusted and said.get("HTTP_X_OUTSIDE_URL"))
        if url:
            _appear_as(environ, url)
        elif trusted:
            _apply_forwarded(environ, said)
        if trusted and "HTTP_X_FORWARDED_FOR" in said:
            environ["REMOTE_ADDR"] = said["HTTP_X_FORWARDED_FOR"].rsplit(",", 1)[-1].strip()
        return self._application(environ, start_response)


def _appear_as(environ: dict[str, Any], url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if not parts.scheme or not parts.netloc:
        return
    environ["wsgi.url_scheme"] = parts.scheme
    environ["HTTP_HOST"] = parts.netloc
    _mount(environ, parts.path)


def _apply_forwarded(environ: dict[str, Any], said: dict[str, str]) -> None:
    scheme = _last(said.get("HTTP_X_FORWARDED_PROTO"))
    if scheme in {"http", "https"}:
        environ["wsgi.url_scheme"] = scheme
    host = _last(said.get("HTTP_X_FORWARDED_HOST"))
    if host:
        port = _last(said.get("HTTP_X_FORWARDED_PORT"))
        has_port = ":" in host or not port or port in {"80", "443"}
        environ["HTTP_HOST"] = host if has_port else f"{host}:{port}"
    _mount(environ, _last(said.get("HTTP_X_FORWARDED_PREFIX")))


def _last(header: str | None) -> str:
    """What the nearest proxy said: it appends to what it was told itself."""
    return (header or "").rsplit(",", 1)[-1].strip()


def _mount(environ: dict[str, Any], prefix: str) -> None:
    if not prefix.strip("/"):
        return
    prefix = "/" + prefix.strip("/")
    environ["SCRIPT_NAME"] = prefix
    path = environ.get("PATH_INFO", "")
    if path == prefix or path.startswith(prefix + "/"):
        environ["PATH_INFO"] = path[len(prefix) :] or "/"
