"""The search for projects by the beginning of their names."""

import re

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import shown
from stillroom_server.web.answers import result
from stillroom_server.web.bodies import query
from stillroom_server.web.security import lineage_of, services_of

LIMIT, MAX_LIMIT = 100, 1_000
"""How many names are sent unless the request says another number, and at most."""

_PREFIX = re.compile(r"[a-z0-9-]{0,200}", re.ASCII)


def projects(request: Request) -> Response:
    """The projects that an index shows and whose names begin so, sorted.

    `more` says whether there are further ones.
    """
    prefix, limit = _prefix(request), _limit(request)
    names = services_of(request).lists.search(lineage_of(request), prefix, limit + 1)
    return result("list:projects", names[:limit], more=len(names) > limit)


def _prefix(request: Request) -> str:
    """The beginning of a name, normalised as names are (PEP 503)."""
    said = query(request).get("prefix", "")
    prefix = re.sub(r"[-_.]+", "-", said).lower()
    if not _PREFIX.fullmatch(prefix):
        raise InvalidRequest.one(
            "prefix",
            f"{shown(said)} begins no project's name; use up to 200 ASCII letters, digits and "
            "'.', '_', '-'",
        )
    return prefix


def _limit(request: Request) -> int:
    said = query(request).get("limit", str(LIMIT))
    limit = int(said) if re.fullmatch("[0-9]{1,4}", said, re.ASCII) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidRequest.one(
            "limit", f"{shown(said)} is not possible; use a number from 1 to {MAX_LIMIT}"
        )
    return limit
