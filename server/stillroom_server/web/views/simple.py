"""Simple pages."""

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import NotAcceptable
from stillroom_server.web.matched import project_of
from stillroom_server.web.negotiation import SIMPLE_HTML, SIMPLE_JSON, simple_type
from stillroom_server.web.page_cache import RenderedPage
from stillroom_server.web.security import lineage_of, services_of
from stillroom_server.web.simple import SimplePages, answer, key_of

from .indexes import redirect


def list_page(request: Request) -> Response:
    """The list of projects that an index shows."""
    lineage = lineage_of(request)
    if not request.matchdict["slash"]:
        return redirect(request, f"{_base(request)}/")
    media_type = _media_type(request)
    page = _pages(request).page(lineage, key_of(lineage, None, media_type))
    return _response(request, page, media_type)


def project_page(request: Request) -> Response:
    """The page of one project."""
    lineage = lineage_of(request)
    asked = request.matchdict["project"]
    project = project_of(request)
    if asked != project or not request.matchdict["slash"]:
        return redirect(request, f"{_base(request)}/{project}/")
    media_type = _media_type(request)
    page = _pages(request).page(lineage, key_of(lineage, project, media_type))
    return _response(request, page, media_type)


def refresh(request: Request) -> Response:
    """Ask the mirrors of the lineage for a project anew, then send the client to its page."""
    project = project_of(request)
    services_of(request).pages.find(lineage_of(request), project, refresh=True)
    return redirect(request, f"{_base(request)}/{project}/")


def _media_type(request: Request) -> str:
    media_type = simple_type(request.environ.get("HTTP_ACCEPT"))
    if media_type is None:
        raise NotAcceptable(
            f"accept: this page comes as {SIMPLE_JSON}, {SIMPLE_HTML} or text/html; send one of "
            "them in Accept."
        )
    return media_type


def _base(request: Request) -> str:
    matched = request.matchdict
    return f"{request.application_url}/{matched['user']}/{matched['index']}/{matched['form']}"


def _pages(request: Request) -> SimplePages:
    pages = request.registry.stillroom_pages
    assert isinstance(pages, SimplePages)
    return pages


def _response(request: Request, page: RenderedPage, media_type: str) -> Response:
    found = answer(page, media_type, request.environ)
    return Response(status=found.status, headerlist=found.headers, body=found.body)
