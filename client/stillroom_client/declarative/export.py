"""The document that says what a server has, so that comparing the two finds no difference."""

from collections.abc import Mapping
from typing import Any

from ..server import Server
from .found import Found, survey, with_options, with_owners
from .read import DEFAULT_TYPE, USER_FIELDS
from .values import DEFAULTS, OPTIONS, is_access_list, same

Document = Mapping[str, Mapping[str, Mapping[str, Any]]]


def export(server: Server, user: str) -> tuple[Document, bool]:
    """Ask a server as that user; the document, and whether all e-mail addresses could be seen.

    Raises what the requests raise: Refused too, for an index that may not be read.
    """
    found = survey(server, user)
    found = with_options(found, server, found.types)
    # Every mirror has an upstream; projects there have no owners here.
    stages = [name for name, options in found.options.items() if "mirror_url" not in options]
    return document_of(with_owners(found, server, stages)), found.emails_of is None


def document_of(found: Found) -> Document:
    """What a server has, by name. Left out are options that are as on a new index.

    Access lists are always there, after the other options: an entry that somebody adds is a
    difference then. So is every user, even without a field, but for root, whom each server has.
    """
    users = {name: _user(fields) for name, fields in sorted(found.users.items())}
    return {
        "users": {name: user for name, user in users.items() if user or name != "root"},
        "groups": {name: _group(fields) for name, fields in sorted(found.groups.items())},
        "indexes": {name: _index(found, name) for name in sorted(found.types)},
    }


def _user(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: fields[key] for key in USER_FIELDS if fields.get(key)}


def _group(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    described = {"description": fields["description"]} if fields.get("description") else {}
    return {**described, "members": sorted(fields.get("members", ()))}


def _index(found: Found, name: str) -> Mapping[str, Any]:
    kind = found.types[name]
    said = {} if kind == DEFAULT_TYPE else {"type": kind}
    held = found.options[name]
    keys = sorted(held, key=lambda key: (is_access_list(key), key))
    options = {key: held[key] for key in keys if _is_said(kind, key, held[key])}
    owners = {project: list(those) for project, those in found.owners.get(name, {}).items()}
    return {**said, **options, **({"owners": owners} if owners else {})}


def _is_said(kind: str, key: str, value: Any) -> bool:
    if kind not in OPTIONS:
        # Only the server knows the options; `volatile` it shows of every index.
        return key != "type" and not (key == "volatile" and value is True)
    if key not in OPTIONS[kind] or value == "":
        return False
    return not same(key, value, DEFAULTS[kind].get(key))
