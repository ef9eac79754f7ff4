"""Reading what clients send: JSON with bounds, and flags in the query."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, TooLarge

from .security import identity_of

MAX_JSON = 1024 * 1024
"""Bytes of a JSON body."""

MAX_STRANGERS_JSON = 32 * 1024
"""Bytes of one from somebody who is not logged in: a password or an identity token, at most."""

MAX_VALUES = 20_000
"""Values in a JSON body. Each costs a hundred times the memory and time of its two bytes."""

MAX_DEPTH = 100
"""Levels of a JSON body. Python's own limit differs between versions, and is an error of ours."""


def read_json(request: Request) -> Any:
    """The JSON body of a request; the content type does not matter, devpi's clients vary it.

    Raises InvalidRequest for anything but UTF-8 JSON (RFC 8259) without NUL characters, with
    unique keys, of at most 100 levels and 20,000 values, and TooLarge past `json_bound`.
    """
    bound, too_large = json_bound(request)
    body = request.environ["wsgi.input"].read(bound + 1)
    if len(body) > bound:
        raise TooLarge(too_large)
    # Every value but the first follows one of these. Those in texts count too, which is cheap.
    if sum(map(body.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise InvalidRequest.one(
            "body", f"it must hold at most {MAX_VALUES:,} opening brackets and commas"
        )
    try:
        value = orjson.loads(body)
        # orjson is strict, but takes the last of two values for one key without a word.
        json.loads(body, object_pairs_hook=_object)
    except ValueError as error:
        raise InvalidRequest.one("body", f"it is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    _check_texts(value)
    return value


def json_bound(request: Request) -> tuple[int, str]:
    """The most bytes of a JSON body of this request, and the sentence for more."""
    if identity_of(request).is_anonymous:
        return MAX_STRANGERS_JSON, (
            "body: a JSON body is at most 32 KiB, and 1 MiB from who is logged in."
        )
    return MAX_JSON, "body: a JSON body is at most 1 MiB."


def read_object(request: Request) -> Mapping[str, Any]:
    """A JSON body that must be an object; raises as `read_json` does."""
    value = read_json(request)
    if not isinstance(value, dict):
        raise InvalidRequest.one("body", "it must be a JSON object")
    return value


def query(request: Request) -> Mapping[str, str]:
    """The query of the URL; InvalidRequest if it is not UTF-8."""
    try:
        values: Mapping[str, str] = request.GET
    except UnicodeDecodeError:
        raise InvalidRequest.one("url", "the query is not UTF-8") from None
    return values


def has_flag(request: Request, name: str) -> bool:
    """Whether the query has this key, with whatever value; raises as `query` does."""
    return name in query(request)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key[:80]!r} stands more than once in an object")
        members[key] = value
    return members


def _too_deep() -> InvalidRequest:
    return InvalidRequest.one("body", f"it is nested deeper than {MAX_DEPTH} levels")


def _check_texts(value: object) -> None:
    """Refuse what is too deep, and NUL characters in texts and keys."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(item, str) and "\0" in item for item in level):
            raise InvalidRequest.one("body", "text in it must hold no NUL character")
        level = [member for item in level for member in _members(item)]
    if level:
        raise _too_deep()


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, list) else ()
