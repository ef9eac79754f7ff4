"""In front of Pyramid: answers for pages that are in memory, with the same rules in less time.

The gate decides nothing of its own. It asks the same identity, the same verdict and the same
cache as the views do; whatever is not a plain hit goes on to Pyramid, which answers in full. What
the gate was told on the way, who asks and that they are refused, is not asked again there.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stillroom_server.domain.access import Permission
from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.names import ProjectName, project_name

from .environ import REQUEST_ID
from .errors import API_VERSION
from .identity import identify
from .negotiation import simple_type
from .security import check_index
from .services import Services
from .simple import SimplePages, answer, project_key

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_PAGE = re.compile(r"/([^/+][^/]*)/([^/+][^/]*)/\+?simple/([^/]+)/")
STATUS_LINES = {200: "200 OK", 304: "304 Not Modified"}


class PageGate:
    """A WSGI middleware for `/{user}/{index}/simple/{project}/`."""

    def __init__(
        self, application: "WSGIApplication", services: Services, pages: SimplePages
    ) -> None:
        self._application = application
        self._services = services
        self._pages = pages

    def __call__(
        self, environ: dict[str, Any], start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a hit, or pass the request on."""
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} and not environ.get("QUERY_STRING"):
            match = _PAGE.fullmatch(environ["PATH_INFO"])
            if match is not None:
                body = self._hit(environ, start_response, *match.groups())
                if body is not None:
                    return body
        return self._application(environ, start_response)

    def _hit(
        self,
        environ: dict[str, Any],
        start_response: "StartResponse",
        user: str,
        index: str,
        project: str,
    ) -> list[bytes] | None:
        media_type = simple_type(environ.get("HTTP_ACCEPT"))
        if media_type is None or not _is_normalised(project):
            return None
        try:
            serial = self._services.database.serial()
            identity = identify(self._services, environ, serial)
            name = ProjectName(project)
            asked = (Permission.READ, user, index, name)
            lineage = check_index(self._services, environ, identity, asked, serial)
            key = project_key(lineage, name, media_type, environ)
            page = self._pages.cached(lineage, key)
            if page is None:
                return None
            found = answer(page, media_type, environ)
        except StillroomError:
            return None
        marks = [("X-DEVPI-API-VERSION", API_VERSION), ("X-Request-ID", environ[REQUEST_ID])]
        start_response(STATUS_LINES[found.status], found.headers + marks)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else found.body]


def _is_normalised(project: str) -> bool:
    try:
        return project_name(project) == project
    except StillroomError:
        return False
