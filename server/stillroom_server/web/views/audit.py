"""What people did, and who fetched what: of the whole server, and of one index."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.distributions import release_key
from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.names import IndexName, project_name, shown, user_name
from stillroom_server.services.ports import AuditQuery, Fetch, FetchQuery
from stillroom_server.web.answers import result
from stillroom_server.web.bodies import query
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import lineage_of, services_of

LIMIT, MAX_ENTRIES, MAX_FETCHES = 100, 1_000, 10_000
"""How many rows are sent unless the request says another number, and at most."""

MAX_TEXT = 255

T = TypeVar("T")


def of_server(request: Request) -> Response:
    """What people did, anywhere; `next` is what `before` has to be for what came before that."""
    filters = _Filters(request, {*_AUDIT, "index"})
    return _entries(request, filters, filters.read("index", IndexName.parse))


def of_index(request: Request) -> Response:
    """What people did to an index and to what it holds, since it was created."""
    index = lineage_of(request).asked
    return _entries(request, _Filters(request, _AUDIT), index.name, created=index.created)


def fetches_of_server(request: Request) -> Response:
    """Who fetched which file; `more` says whether there are further rows."""
    filters = _Filters(request, {*_FETCHES, "index"})
    return _fetches(request, filters, filters.read("index", IndexName.parse))


def fetches_of_index(request: Request) -> Response:
    """Who fetched which file from an index, or through another what lives there."""
    index = lineage_of(request).asked
    return _fetches(request, _Filters(request, _FETCHES), index.name, created=index.created)


_AUDIT = frozenset({"user", "project", "since", "until", "before", "limit"})
_FETCHES = frozenset({"user", "project", "version", "file", "since", "until", "limit"})


def _entries(
    request: Request,
    filters: "_Filters",
    index: IndexName | None,
    *,
    created: datetime | None = None,
) -> Response:
    wanted = AuditQuery(
        index=index,
        project=filters.read("project", project_name),
        user=filters.read("user", user_name),
        since=filters.read("since", _time),
        until=filters.read("until", _time),
        before=filters.read("before", _place),
    )
    limit = filters.limit(MAX_ENTRIES)
    filters.check()
    found = services_of(request).audit.entries(wanted, limit + 1, created=created)
    entries = found[:limit]
    following = f"{entries[-1].serial}.{entries[-1].position}" if len(found) > limit else None
    return result("list:audit", [_shown_entry(entry) for entry in entries], next=following)


def _fetches(
    request: Request,
    filters: "_Filters",
    index: IndexName | None,
    *,
    created: datetime | None = None,
) -> Response:
    wanted = FetchQuery(
        project=filters.read("project", project_name),
        version=filters.read("version", _version),
        filename=filters.read("file", _text),
        index=None if index is None else str(index),
        user=filters.read("user", user_name),
        since=filters.read("since", _minute),
        until=filters.read("until", _time),
    )
    limit = filters.limit(MAX_FETCHES)
    filters.check()
    found = services_of(request).audit.fetches(wanted, limit + 1, created=created)
    rows = [_shown_fetch(fetch) for fetch in found[:limit]]
    return result("list:fetches", rows, more=len(found) > limit)


def _shown_entry(entry: JournalEntry) -> Mapping[str, Any]:
    event = entry.event
    return {
        "serial": entry.serial,
        "position": entry.position,
        "at": timestamp(entry.at),
        "event": event.kind.value,
        "actor": event.actor,
        "token": event.token,
        "address": event.address,
        "request": event.request,
        "user": event.user,
        "index": None if event.index is None else str(event.index),
        "project": event.project,
        "details": event.details,
    }


def _shown_fetch(fetch: Fetch) -> Mapping[str, Any]:
    key = fetch.key
    return {
        "minute": timestamp(key.minute),
        "count": fetch.count,
        "user": key.user or None,
        "token": key.token or None,
        "address": key.address or None,
        "asked": key.asked,
        "held": key.held,
        "project": key.project,
        "version": key.version or None,
        "filename": key.filename,
        "sha256": key.sha256 or None,
    }


class _Filters:
    """The query of a URL, read field by field: what is wrong with all of them is told at once.

    A misspelt field would quietly show what was not asked for, so unknown ones are refused.
    """

    def __init__(self, request: Request, known: frozenset[str] | set[str]) -> None:
        self._said = query(request)
        self._faults = [
            Fault(shown(name), f"it is no filter; there are {', '.join(sorted(known))}")
            for name in sorted(set(self._said) - known)
        ]

    def read(self, name: str, reader: Callable[[str], T]) -> T | None:
        """The value of a field; None where it is not there, or wrong."""
        text = self._said.get(name)
        if text is None:
            return None
        try:
            return reader(text)
        except InvalidRequest as invalid:
            self._faults.extend(Fault(name, fault.rule) for fault in invalid.faults)
        except ValueError as error:
            self._faults.append(Fault(name, f"{shown(text)} is not possible; {error}"))
        return None

    def limit(self, most: int) -> int:
        """How many rows are wanted."""

        def read(text: str) -> int:
            limit = int(text) if re.fullmatch("[0-9]{1,5}", text, re.ASCII) else 0
            if not 1 <= limit <= most:
                raise ValueError(f"use a number from 1 to {most}")
            return limit

        limit = self.read("limit", read)
        return LIMIT if limit is None else limit

    def check(self) -> None:
        """Raise InvalidRequest naming all faults, if there are any."""
        if self._faults:
            raise InvalidRequest(self._faults)


def _time(text: str) -> datetime:
    """A date or a time (ISO 8601), in UTC where it says no offset."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("use a date or time as 2026-01-31 or 2026-01-31T10:39:00Z") from None


def _minute(text: str) -> datetime:
    """The minute that a time is in: rows are counted by the minute."""
    return _time(text).replace(second=0, microsecond=0)


def _place(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,9})", text, re.ASCII)
    if match is None:
        raise ValueError("use the `next` of an earlier answer")
    return int(match[1]), int(match[2])


def _version(text: str) -> str:
    return release_key(_text(text))


def _text(text: str) -> str:
    if not text or len(text) > MAX_TEXT or not text.isprintable():
        raise ValueError(f"use up to {MAX_TEXT} printable characters")
    return text
