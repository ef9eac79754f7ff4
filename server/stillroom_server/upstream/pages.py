"""Pages of the Simple API, read from upstreams into values that can be served.

An upstream is not trusted to be well-behaved. A page that is none is refused as a whole, because
taking it for an empty one would hide files; a row that cannot be served is dropped alone.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from stillroom_server.domain.distributions import version_in
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ProjectStatus
from stillroom_server.domain.upstream import UpstreamFile

from .html_form import HtmlDocument
from .json_form import JsonDocument
from .raw import Form, RawPage, Unreadable, form_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A project's page: the files that can be served, and the project's status."""

    files: tuple[UpstreamFile, ...]
    status: ProjectStatus


def read_page(page: RawPage, project: ProjectName) -> Page:
    """A project's page: its files in its order, the first of each name. Raises Unreadable."""
    document = _document(page)
    rows = list(document.files())
    files: dict[str, UpstreamFile] = {}
    for row in rows:
        if row is not None and _is_servable(row.filename, project):
            files.setdefault(row.filename, row)
    _check_plausible(document, rows, found=bool(files))
    if len(files) < len(rows):
        host, dropped = urlsplit(page.url).netloc, len(rows) - len(files)
        log.info("%s from %s: %d of %d rows were dropped", project, host, dropped, len(rows))
    return Page(tuple(files.values()), document.status())


def _document(page: RawPage) -> JsonDocument | HtmlDocument:
    return JsonDocument(page) if form_of(page.content_type) is Form.JSON else HtmlDocument(page)


def _check_plausible(
    document: JsonDocument | HtmlDocument, rows: Sequence[UpstreamFile | None], *, found: bool
) -> None:
    # Names that no installer could use may be all that a project has; links to nowhere may not.
    if rows and all(row is None for row in rows):
        raise Unreadable(f"none of the {len(rows)} files in it has a name and a usable URL")
    # HTML with status 200 may as well be a login form or the apology of a proxy.
    if not found and not document.declares_itself:
        raise Unreadable("it is HTML without any link of the kind that is looked for")


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
