"""Reading what clients send: JSON with bounds, and flags in the query."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, TooLarge

MAX_JSON = 1024 * 1024
"""Bytes of a JSON body."""

JSON_TOO_LARGE = "body: a JSON body is at most 1 MiB."

MAX_DEPTH = 100
"""Levels of a JSON body. Python's own limit differs between versions, and is an error of ours."""


def read_json(request: Request) -> Any:
    """The JSON body of a request; the content type does not matter, devpi's clients vary it.

    Raises InvalidRequest for anything but UTF-8 JSON (RFC 8259) without NUL characters, with
    unique keys and of at most 100 levels, and TooLarge over 1 MiB.
    """
    stream = request.environ["wsgi.input"]
    body = stream.read(MAX_JSON + 1)
    if len(body) > MAX_JSON:
        raise TooLarge(JSON_TOO_LARGE)
    try:
        value = orjson.loads(body)
        # orjson is strict, but takes the last of two values for one key without a word.
        json.loads(body, object_pairs_hook=_object)
    except ValueError as error:
        raise InvalidRequest.one("body", f"it is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None
    for text, depth in _texts(value):
        if depth > MAX_DEPTH:
            raise _too_deep()
        if "\0" in text:
            raise InvalidRequest.one("body", "text in it must hold no NUL character")
    return value


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


def _texts(value: object) -> Iterator[tuple[str, int]]:
    """All texts in a value, and the depth of each; an empty one for every list and object."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            yield item, depth
        elif isinstance(item, dict | list):
            yield "", depth
            members = [*item.keys(), *item.values()] if isinstance(item, dict) else item
            waiting.extend((member, depth + 1) for member in members)
