"""Reading what clients send: JSON with bounds, and flags in the query."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, TooLarge

MAX_JSON = 1024 * 1024
"""Bytes of a JSON body."""


def read_json(request: Request) -> Any:
    """The JSON body of a request; the content type does not matter, devpi's clients vary it.

    Raises InvalidRequest for anything but UTF-8 JSON (RFC 8259) without NUL characters and with
    unique keys, and TooLarge over 1 MiB.
    """
    stream = request.environ["wsgi.input"]
    body = stream.read(MAX_JSON + 1)
    if len(body) > MAX_JSON:
        raise TooLarge("body: a JSON body is at most 1 MiB.")
    try:
        value = orjson.loads(body)
        # orjson is strict, but takes the last of two values for one key without a word.
        json.loads(body, object_pairs_hook=_object)
    except ValueError as error:
        raise InvalidRequest.one("body", f"it is not JSON: {error}") from None
    except RecursionError:
        raise InvalidRequest.one("body", "it is nested too deeply") from None
    if _has_nul(value):
        raise InvalidRequest.one("body", "text in it must hold no NUL character")
    return value


def read_object(request: Request) -> Mapping[str, Any]:
    """A JSON body that must be an object; raises as `read_json` does."""
    value = read_json(request)
    if not isinstance(value, dict):
        raise InvalidRequest.one("body", "it must be a JSON object")
    return value


def has_flag(request: Request, name: str) -> bool:
    """Whether the query has this key, with whatever value; InvalidRequest if it is not UTF-8."""
    try:
        return name in request.GET
    except UnicodeDecodeError:
        raise InvalidRequest.one("url", "the query is not UTF-8") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key[:80]!r} stands more than once in an object")
        members[key] = value
    return members


def _has_nul(value: object) -> bool:
    return any("\0" in text for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
