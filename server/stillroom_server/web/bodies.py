"""Reading what clients send: JSON with bounds, and the upload form as a stream."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, TooLarge

MAX_JSON = 1024 * 1024
"""Bytes of a JSON body."""


def read_json(request: Request) -> Any:
    """The JSON body of a request; the content type does not matter, devpi's clients vary it.

    Raises InvalidRequest for anything but UTF-8 JSON (RFC 8259) without NUL characters, and
    TooLarge over 1 MiB.
    """
    stream = request.environ["wsgi.input"]
    body = stream.read(MAX_JSON + 1)
    if len(body) > MAX_JSON:
        raise TooLarge("body: a JSON body is at most 1 MiB.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest.one("body", f"it is not JSON: {error}") from None
    if _has_nul(value):
        raise InvalidRequest.one("body", "text in it must hold no NUL character")
    return value


def read_object(request: Request) -> Mapping[str, Any]:
    """A JSON body that must be an object; raises as `read_json` does."""
    value = read_json(request)
    if not isinstance(value, dict):
        raise InvalidRequest.one("body", "it must be a JSON object")
    return value


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
