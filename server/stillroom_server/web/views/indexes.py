"""Indexes: their options, and what is posted to them."""

from collections.abc import Container, Mapping
from typing import Any

from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.access import LISTS
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import has_flag, read_json, read_object
from stillroom_server.web.negotiation import wants_page
from stillroom_server.web.security import identity_of, lineage_of, services_of


def show(request: Request) -> Response:
    """An index with its options and its own projects; installers are sent to its pages."""
    if wants_page(request):
        return redirect(request, f"{_address(request)}/simple/")
    index = lineage_of(request).asked
    is_known = not identity_of(request).is_anonymous
    options = dict(shown_options(index, readable=True, lists=is_known))
    if not has_flag(request, "no_projects"):
        options["projects"] = services_of(request).lists.own(index)
    answer = result("indexconfig", options)
    # The tag is a digest of the lists, too: who guesses them could see that they are right.
    return _tagged(index, answer) if is_known else answer


def create(request: Request) -> Response:
    """Create an index."""
    index = services_of(request).indexes.create(
        identity_of(request), _name(request), read_object(request)
    )
    return _tagged(index, result("indexconfig", shown_options(index, readable=True)))


def change(request: Request) -> Response:
    """Change options: a dict of values, or a list of operations.

    With `If-Match`, only if they are still those of which a GET gave the ETag (RFC 9110 §13.1.1).
    """
    patch = read_json(request)
    if isinstance(patch, dict) and patch.get("type") == "indexconfig" and "result" in patch:
        patch = patch["result"]
    if not isinstance(patch, dict | list):
        raise InvalidRequest.one("body", "it must be a JSON object, or a list of operations")
    index = services_of(request).indexes.change(
        identity_of(request),
        _name(request),
        patch,
        refuse_noop=has_flag(request, "error_on_noop"),
        expected=_expected(request),
    )
    return _tagged(index, result("indexconfig", shown_options(index, readable=True)))


def delete(request: Request) -> Response:
    """Delete an index with all that it holds. 201 is what devpi answers."""
    name = _name(request)
    services_of(request).indexes.delete(identity_of(request), name)
    return message(f"index {name} deleted", status=201)


def shown_options(index: Index, *, readable: bool, lists: bool = True) -> Mapping[str, Any]:
    """An index's options as JSON; who may not read it learns its type and bases only.

    Without `lists`, nothing of who may do what: strangers learn no names of users and groups.
    """
    options = {
        key: _plain(value)
        for key, value in index.options.items()
        if lists or key not in _ACCESS_LISTS
    }
    if not readable:
        options = {key: options[key] for key in ("bases", "volatile") if key in options}
    # devpi's clients take `volatile` for granted, on mirrors too.
    return {"type": index.type, "volatile": index.volatile, **options}


_ACCESS_LISTS = frozenset(LISTS.values())


def _expected(request: Request) -> Container[str] | None:
    """The tags in `If-Match`; None without that header. An empty one matches nothing."""
    header = request.environ.get("HTTP_IF_MATCH")
    if header is None:
        return None
    matcher: Container[str] = request.if_match
    return matcher if header.strip() else ()


def _tagged(index: Index, response: Response) -> Response:
    """An answer with the tag of an index's options, for who means to change them."""
    response.etag = index.options_tag
    return response


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def redirect(request: Request, url: str) -> Response:
    """A redirect that nobody keeps: indexes and names may move (never 301 or 308)."""
    query = request.environ.get("QUERY_STRING")
    found = HTTPFound(location=f"{url}?{query}" if query else url)
    found.headers["Cache-Control"] = "no-store"
    found.headers["Vary"] = "Accept"
    return found


def _name(request: Request) -> IndexName:
    return IndexName.checked(request.matchdict["user"], request.matchdict["index"])


def _address(request: Request) -> str:
    return f"{request.application_url}/{_name(request)}"
