"""Simple pages."""

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import NotAcceptable
from stillroom_server.web.matched import project_of
from stillroom_server.web.negotiation import SIMPLE_HTML, SIMPLE_JSON, page_type
from stillroom_server.web.page_cache import RenderedPage
from stillroom_server.web.project_list import ProjectListPages, StreamedAnswer
from stillroom_server.web.security import lineage_of, services_of
from stillroom_server.web.simple import SimplePages, answer, project_key

from .indexes import redirect


def list_page(request: Request) -> Response:
    """The list of projects that an index shows."""
    lineage = lineage_of(request)
    if not request.matchdict["slash"]:
        return redirect(request, f"{_base(request)}/")
    media_type = _media_type(request)
    lists = request.registry.stillroom_lists
    assert isinstance(lists, ProjectListPages)
    found = lists.answer(lineage, media_type, request.environ)
    if isinstance(found, StreamedAnswer):
        return Response(status=200, headerlist=found.headers, app_iter=found.chunks)
    return Response(status=found.status, headerlist=found.headers, body=found.body)


def project_page(request: Request) -> Response:
    """The page of one project."""
    lineage = lineage_of(request)
    asked = request.matchdict["project"]
    project = project_of(request)
    if asked != project or not request.matchdict["slash"]:
        return redirect(request, f"{_base(request)}/{project}/")
    media_type = _media_type(request)
    key = project_key(lineage, project, media_type, request.environ)
    page = _pages(request).page(lineage, key)
    return _response(request, page, media_type)


def refresh(request: Request) -> Response:
    """Ask the mirrors of the lineage for a project anew, then send the client to its page."""
    project = project_of(request)
    services_of(request).pages.refresh(lineage_of(request), project)
    return redirect(request, f"{_base(request)}/{project}/")


def _media_type(request: Request) -> str:
    media_type = page_type(request.environ)
    if media_type is None:
        raise NotAcceptable(
            f"accept: this page comes as {SIMPLE_JSON}, {SIMPLE_HTML} or text/html; send one of "
            "them in Accept, or as ?format=."
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
