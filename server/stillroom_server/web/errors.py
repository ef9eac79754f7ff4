"""The one table that turns domain errors into HTTP, and how an error is told.

What people see differs by client: twine, flit and pip show the reason phrase; uv shows, after an
upload, the `code` of a body of exactly `application/json`, and after reading a page the `detail`
of a problem (RFC 9457); devpi's client shows the `message` of a JSON body. So the sentence is in
all of these places.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from pyramid.config import Configurator
from pyramid.exceptions import PredicateMismatch, URLDecodeError
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import (
    Conflict,
    Fault,
    Forbidden,
    Gone,
    InvalidRequest,
    MintRefused,
    NeedsApproval,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    Overloaded,
    PreconditionFailed,
    StillroomError,
    StorageBusy,
    StorageFull,
    TooLarge,
    TooManyAttempts,
    Trouble,
    UpstreamFailed,
    UpstreamFileUnusable,
    UpstreamLeftAlone,
    UpstreamTimeout,
)
from stillroom_server.services.access import REFUSED

from .environ import REQUEST_ID
from .identity import identify
from .negotiation import JSON, PROBLEM, TEXT, VARY, error_type, wants_page
from .routes import LEGACY_JSON, PUBLISHING, methods_of
from .security import services_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

log = logging.getLogger(__name__)

STATUS: dict[type[StillroomError], int] = {
    InvalidRequest: 400,
    NotAuthenticated: 401,
    Forbidden: 403,
    NeedsApproval: 403,
    NotFound: 404,
    NotAcceptable: 406,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    MintRefused: 422,
    TooManyAttempts: 429,
    UpstreamFailed: 502,
    UpstreamFileUnusable: 502,
    UpstreamLeftAlone: 502,
    Overloaded: 503,
    StorageBusy: 503,
    # Plugins raise it as it is.
    Trouble: 503,
    UpstreamTimeout: 504,
    StorageFull: 507,
}

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
}

MAX_REASON = 400
"""Characters of a reason phrase; some clients and proxies cut or refuse longer status lines."""

MAX_ATTEMPT_SECONDS = 10
"""The longest Retry-After of a 429, in seconds. pip waits so long five times over and without a
word: nobody would know why a build hangs. How long it really takes stands in the message."""

NOT_OURS = ("/_/", "/.well-known/")
"""Where clients look at the root of any host for what it may have. Everyone is told that there
is nothing: to a publishing tool, a 401 would mean that there is."""

API_VERSION = "2"
"""Of devpi's API; its clients want to read it in every answer."""

_WORTH_ANOTHER_TRY = frozenset({500, 507})
RETRY_SECONDS = "10"

_CREDENTIALS = frozenset({"HTTP_AUTHORIZATION", "HTTP_X_DEVPI_AUTH"})


def error_response(request: Request, error: StillroomError) -> Response:
    """A domain error as an HTTP answer."""
    status = _status(error)
    if status == 401 and _is_index_question(request):
        # devpi's client asks this before it logs in, and gives up on a 401; after that it takes
        # a 403 for a success. Installers that ask for the page at this address need the 401: it
        # makes them look for credentials.
        status = 403
    faults = error.faults if isinstance(error, InvalidRequest) else ()
    code = error.code if isinstance(error, MintRefused) else None
    response = told(request, status, error.message, faults, code)
    if isinstance(error, Trouble):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(min(error.retry_after, MAX_ATTEMPT_SECONDS))
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="stillroom", charset="UTF-8"'
    return response


def _status(error: StillroomError) -> int:
    """The status of the nearest class in the table; 500 for what no request should meet."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def told(
    request: Request,
    status: int,
    message: str,
    faults: Sequence[Fault] = (),
    code: str | None = None,
) -> Response:
    """An error with one sentence, in the form that the client will show.

    Who reads JSON also gets the faults one by one. `code` is a word for tools that publish.
    """
    media_type = _error_type(request)
    # Who reads the `message` is not told it twice.
    phrase = TITLES[status] if media_type == JSON else reason_phrase(message)
    response = Response(status=f"{status} {phrase}", content_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = VARY if status == 406 else "Accept"
    if media_type == TEXT:
        response.charset = "utf-8"
        response.text = _encodable(message) + "\n"
    else:
        write = _problem if media_type == PROBLEM else _message
        body = write(status, _encodable(message), faults)
        if _is_of(request, PUBLISHING):
            # One of them reads these from every refusal, and stumbles where there are none.
            word = code or ("try-again" if status >= 500 else "refused")
            errors = [{"code": word, "description": _encodable(message)}]
            body["errors"] = errors
        response.charset = None
        response.body = orjson.dumps(body)
    return response


def refusal(status: int, message: str) -> "WSGIApplication":
    """An application that tells every request this error: for those that never get to a view."""

    def tell(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        response = told(Request(environ), status, message)
        response.headers["X-DEVPI-API-VERSION"] = API_VERSION
        if REQUEST_ID in environ:
            response.headers["X-Request-ID"] = environ[REQUEST_ID]
        if status in _WORTH_ANOTHER_TRY:
            response.headers["Retry-After"] = RETRY_SECONDS
        answer: Iterable[bytes] = response(environ, start_response)
        return answer

    return tell


def _error_type(request: Request) -> str:
    if _is_of(request, PUBLISHING):
        return JSON
    # Scripts that read the legacy JSON API do not say that they do.
    default = JSON if _is_of(request, LEGACY_JSON) else TEXT
    return error_type(request.environ.get("HTTP_ACCEPT", "")) or default


def _is_of(request: Request, routes: frozenset[str]) -> bool:
    route = getattr(request, "matched_route", None)
    return route is not None and route.name in routes


def _message(status: int, message: str, faults: Sequence[Fault]) -> dict[str, object]:
    """An error for devpi's client, which shows the `message`, and for uv: the `code` alone."""
    code = f"{status} {reason_phrase(message)}"
    return {"message": message, "code": code, "title": TITLES[status], **_listed(faults)}


def _problem(status: int, message: str, faults: Sequence[Fault]) -> dict[str, object]:
    """An error as RFC 9457 has it; without a type of its own, the title is that of the status."""
    title = TITLES[status]
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": message,
        **_listed(faults),
    }


def _listed(faults: Sequence[Fault]) -> dict[str, object]:
    if not faults:
        return {}
    listed = [{"field": _encodable(f.field), "rule": _encodable(f.rule)} for f in faults]
    return {"faults": listed}


def _encodable(text: str) -> str:
    """A text without halves of characters, which have no UTF-8."""
    return text.encode(errors="replace").decode()


def reason_phrase(message: str) -> str:
    """A message as one line of printable ASCII (RFC 9112), so that nothing can be injected."""
    ascii_only = message.encode("ascii", "replace").decode("ascii")
    printable = "".join(char if " " <= char <= "~" else " " for char in ascii_only)
    line = " ".join(printable.split())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 3] + "..."


def _is_index_question(request: Request) -> bool:
    route = request.matched_route
    is_asked = route is not None and route.name == "index" and request.method in {"GET", "HEAD"}
    sent_credentials = not _CREDENTIALS.isdisjoint(request.environ)
    return is_asked and not wants_page(request) and not sent_credentials


def _on_stillroom_error(error: StillroomError, request: Request) -> Response:
    if isinstance(error, Trouble):
        log.warning("%s: %s", _named(request), error)
    return error_response(request, error)


def _named(request: Request) -> str:
    """A request in the log: its name, its method and its path."""
    environ = request.environ
    return f"[{environ.get(REQUEST_ID, '-')}] {request.method} {environ.get('PATH_INFO')!r}"


def _on_not_found(error: HTTPNotFound, request: Request) -> Response:
    """No route, or no view for the method; strangers learn neither."""
    if request.environ["PATH_INFO"].startswith(NOT_OURS):
        return told(request, 404, "There is nothing at this address.")
    try:
        identity = identify(services_of(request), request.environ)
    except (NotAuthenticated, TooManyAttempts) as refused:
        return error_response(request, refused)
    if identity.is_anonymous:
        return error_response(request, NotAuthenticated(REFUSED))
    if isinstance(error, PredicateMismatch):
        answer = told(request, 405, f"{request.method} is not possible here.")
        answer.headers["Allow"] = ", ".join(methods_of(request.matched_route.name))
        return answer
    return error_response(request, NotFound("There is nothing at this address."))


def _on_bad_url(_error: URLDecodeError, request: Request) -> Response:
    return told(request, 400, "url: the path or query is not UTF-8.")


def _on_bug(error: Exception, request: Request) -> Response:
    log.error("%s", _named(request), exc_info=error)
    return told(request, 500, "Something went wrong here; the server's log says what.")


def includeme(config: Configurator) -> None:
    """Register the views of errors."""
    config.add_exception_view(_on_stillroom_error, context=StillroomError)
    config.add_exception_view(_on_bad_url, context=URLDecodeError)
    config.add_exception_view(_on_bug, context=Exception)
    config.add_notfound_view(_on_not_found)
