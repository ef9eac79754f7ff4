"""The legacy JSON API: a project, or one release of it, for tools beside the installers."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.services.summaries import ProjectSummary
from stillroom_server.web.legacy_json import project_document, release_document
from stillroom_server.web.matched import project_of
from stillroom_server.web.negotiation import JSON
from stillroom_server.web.page_cache import rendered
from stillroom_server.web.security import lineage_of, services_of
from stillroom_server.web.simple import answer, wanted_coding

from .indexes import redirect


def show_project(request: Request) -> Response:
    """A project with its releases and the metadata of the latest, as the legacy JSON API does."""
    lineage, project = lineage_of(request), project_of(request)
    if request.matchdict["project"] != project:
        return redirect(request, f"{_address(request)}/pypi/{project}/json")
    summary = services_of(request).summaries.latest(lineage, project)
    return _response(request, summary, project_document(summary, _address(request)))


def show_release(request: Request) -> Response:
    """One release with its metadata and files, as the legacy JSON API does."""
    lineage, project = lineage_of(request), project_of(request)
    version = request.matchdict["version"]
    if request.matchdict["project"] != project:
        spelled = quote(version, safe="")
        return redirect(request, f"{_address(request)}/pypi/{project}/{spelled}/json")
    summary = services_of(request).summaries.release(lineage, project, version)
    return _response(request, summary, release_document(summary, _address(request)))


def _address(request: Request) -> str:
    return f"{request.application_url}/{lineage_of(request).name}"


def _response(request: Request, summary: ProjectSummary, document: Mapping[str, Any]) -> Response:
    page = rendered(
        orjson.dumps(document),
        serial=summary.serial,
        until=0,
        confirmed=None if summary.age is None else time.monotonic() - summary.age,
        codings=[wanted_coding(request.environ)],
    )
    found = answer(page, JSON, request.environ)
    headers = [*found.headers, ("X-PyPI-Last-Serial", str(summary.serial))]
    return Response(status=found.status, headerlist=headers, body=found.body)
