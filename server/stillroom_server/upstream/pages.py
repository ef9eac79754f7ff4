"""Pages of the Simple API, read from upstreams into values that can be served.

An upstream is not trusted to be well-behaved. A page that is none is refused as a whole, because
taking it for an empty one would hide files; a row that cannot be served is dropped alone.
"""

import logging

from stillroom_server.domain.distributions import version_in
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import ProjectName, project_name
from stillroom_server.domain.upstream import UpstreamFile

from .html_form import HtmlDocument
from .json_form import JsonDocument
from .raw import RawPage, Unreadable

log = logging.getLogger(__name__)

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"
_PLAIN_HTML = "text/html"

ACCEPT = f"{_JSON}, {_HTML};q=0.2, {_PLAIN_HTML};q=0.01"
"""The forms that can be read, as an HTTP header."""


def read_files(page: RawPage, project: ProjectName) -> tuple[UpstreamFile, ...]:
    """The files on a project's page that can be served, in its order, the first of each name.

    Raises Unreadable.
    """
    document = _document(page)
    rows = list(document.files())
    files: dict[str, UpstreamFile] = {}
    for row in rows:
        if row is not None and _is_servable(row.filename, project):
            files.setdefault(row.filename, row)
    _check_plausible(document, found=bool(files))
    if len(files) < len(rows):
        log.info("%s: %d of %d rows were dropped", page.url, len(rows) - len(files), len(rows))
    return tuple(files.values())


def read_names(page: RawPage) -> list[ProjectName]:
    """The valid names on a list of all projects, normalised, each once. Raises Unreadable."""
    document = _document(page)
    names = dict.fromkeys(name for text in document.names() if (name := _name(text)) is not None)
    _check_plausible(document, found=bool(names))
    return list(names)


def _document(page: RawPage) -> JsonDocument | HtmlDocument:
    if page.media_type == _JSON:
        return JsonDocument(page)
    if page.media_type in {_HTML, _PLAIN_HTML}:
        return HtmlDocument(page)
    raise Unreadable(f"its type is {page.media_type[:80]!r}, no form of the Simple API")


def _check_plausible(document: JsonDocument | HtmlDocument, *, found: bool) -> None:
    # HTML with status 200 may as well be a login form or the apology of a proxy.
    if not found and not document.declares_itself:
        raise Unreadable("it is HTML without any link of the kind that is looked for")


def _name(text: str) -> ProjectName | None:
    try:
        return project_name(text)
    except InvalidRequest:
        return None


def _is_servable(filename: str, project: ProjectName) -> bool:
    """Whether a name is safe in URLs and headers, and of the project as far as it says.

    A percent sign in it means that it was encoded twice.
    """
    if (
        not filename
        or not filename.isprintable()
        or filename.startswith(".")
        or not {"/", "\\", "%"}.isdisjoint(filename)
        or len(filename.encode()) > 255
    ):
        return False
    if filename.endswith((".whl", ".tar.gz")):
        return version_in(filename, project) is not None
    return True
