"""The shapes of answers that devpi's clients know: `{"type", "result"}` and `{"message"}`."""

from collections.abc import Mapping
from typing import Any

import orjson
from pyramid.response import Response


def json_response(body: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON object; the content type has no charset, because clients compare it as a whole."""
    response = Response(status=status)
    response.content_type = "application/json"
    response.charset = None
    response.body = orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept"
    return response


def result(kind: str, value: object, *, status: int = 200, **more: object) -> Response:
    """An answer that carries data of a type."""
    return json_response({"result": value, "type": kind, **more}, status)


def message(text: str, *, status: int = 200) -> Response:
    """An answer that only says what was done."""
    return json_response({"message": text}, status)
