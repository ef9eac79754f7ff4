"""Requests to a WSGI application without sockets, and answers with all that it said.

httpx's own transport decodes paths, refuses headers that are not ASCII and forgets the reason
phrase; hostile requests, and those who read the reason phrase, need better.
"""

import io
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper
from wsgiref.validate import WSGIWarning, validator

import httpx

WSGIApplication = Any


class WsgiTransport(httpx.BaseTransport):
    """Runs each request in the thread that sends it, and checks both sides against PEP 3333.

    A request goes to the path and query of its URL, or to the bytes of the extension `target`,
    which are not touched on the way. What the application raises in the middle of a body comes
    out of the reading of the body.
    """

    def __init__(self, application: WSGIApplication, *, remote_addr: str = "127.0.0.1") -> None:
        self._application = validator(application)
        self._remote_addr = remote_addr

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        said: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None):
            said.append((status, headers))
            return lambda _data: None

        with warnings.catch_warnings():
            # devpi's clients send PUSH, which PEP 3333 does not know.
            warnings.simplefilter("ignore", WSGIWarning)
            chunks = self._application(self._environ(request), start_response)
        status, headers = said[-1]
        number, _, reason = status.partition(" ")
        return httpx.Response(
            int(number),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
            stream=_Body(chunks),
            extensions={"reason_phrase": reason.encode("latin-1")},
        )

    def _environ(self, request: httpx.Request) -> dict[str, Any]:
        target = request.extensions.get("target", request.url.raw_path)
        path, _, query = target.partition(b"?")
        environ = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_NAME": request.url.host,
            "SERVER_PORT": str(request.url.port or 80),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self._remote_addr,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": request.url.scheme,
            "wsgi.input": io.BytesIO(request.read()),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }
        for name, value in request.headers.raw:
            key = name.decode("ascii").upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                key = "HTTP_" + key
            environ[key] = value.decode("latin-1")
        return environ


class _Body(httpx.SyncByteStream):
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def close(self) -> None:
        self._chunks.close()
