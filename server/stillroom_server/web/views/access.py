"""Who may do what in an index, and why."""

from collections.abc import Mapping
from typing import Any

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.explanations import Door, Holder, Kind
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import group_name, user_name
from stillroom_server.services.explanations import Answer, Known, Overview
from stillroom_server.web.answers import result
from stillroom_server.web.bodies import query
from stillroom_server.web.security import identity_of, lineage_of, services_of


def show(request: Request) -> Response:
    """Who has which right; with `user` or `group` in the query, what that one may do."""
    lineage, asked = lineage_of(request), query(request)
    shown: dict[str, Any] = {"index": str(lineage.name), "type": lineage.asked.type}
    if "user" in asked and "group" in asked:
        raise InvalidRequest.one("group", "ask about a user or about a group, not about both")
    explanations, identity = services_of(request).explanations, identity_of(request)
    if "user" in asked:
        user = user_name(asked["user"])
        shown |= {"user": user, **_answer(explanations.of_user(identity, lineage, user))}
    elif "group" in asked:
        group = group_name(asked["group"].removeprefix(":"))
        shown |= {"group": group, **_answer(explanations.of_group(identity, lineage, group))}
    else:
        shown |= _overview(explanations.overview(identity, lineage))
    return result("access", {**shown, "projects": _projects(lineage.asked)})


def _answer(answer: Answer) -> Mapping[str, Any]:
    rights = {
        action.value: {"allowed": verdict.allowed, "reason": verdict.reason}
        for action, verdict in answer.verdicts.items()
    }
    return {"known": answer.is_known, "rights": rights}


def _overview(overview: Overview) -> Mapping[str, Any]:
    rights = {
        action.value: [_door(door, overview.known) for door in doors]
        for action, doors in overview.doors.items()
    }
    return {"rights": rights}


def _door(door: Door, known: Known) -> Mapping[str, Any]:
    return {
        "index": str(door.index),
        "holders": [_holder(holder, known) for holder in door.holders],
    }


def _holder(holder: Holder, known: Known) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "entry": holder.entry,
        "kind": holder.kind.value,
        "why": holder.why,
        "known": known.has(holder),
    }
    if holder.kind is Kind.GROUP:
        shown["members"] = list(known.groups.get(holder.name, ()))
    return shown


def _projects(index: Index) -> Mapping[str, Any]:
    """What restricts uploads project by project, beside the rights in the index."""
    return {
        "owned_projects": index.owned_projects,
        "first_upload": index.first_upload.value,
    }
