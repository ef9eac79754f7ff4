"""What the address of a request names, once its route has matched."""

from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, NotFound
from stillroom_server.domain.names import ProjectName, project_name


def project_of(request: Request) -> ProjectName:
    """The project, normalised; raises NotFound for what is no name: there is none of it."""
    try:
        return project_name(request.matchdict["project"])
    except InvalidRequest as invalid:
        raise NotFound(invalid.message) from None


def named_project(request: Request) -> ProjectName | None:
    """The project that the address is about; None where it is about none, or is no name."""
    try:
        return project_of(request) if "project" in request.matchdict else None
    except NotFound:
        return None
