"""Whether the body of a request may come, before it does; and refusals of what never gets there.

An engine that has read the head of a request runs the application with an `Admission` in the
environ and without a body. Routes, permissions and errors are those of any request; only where
the view would be called, a view deriver answers that the body is wanted, and how much of it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import StorageFull, TooLarge

from .bodies import json_bound
from .environ import ADMISSION, REFUSAL
from .errors import refusal
from .forms import MAX_FORM
from .security import identity_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

RESERVE = 64 * 1024 * 1024
"""Bytes that stay free where bodies are kept while they arrive."""

WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
"""Methods whose views read none."""

View = Callable[[Any, Request], Response]


@dataclass(slots=True)
class Admission:
    """The question whether a body of `length` bytes may come; None for one of unknown length.

    `promised` is how many bytes of other files are on their way already. If the body may come,
    the answer is in `bound`, the most bytes that it may have, and in `too_large`, the sentence
    for one that has more; `has_room` says that room was promised to it, `is_known` that its
    sender is logged in.
    """

    length: int | None
    promised: int = 0
    bound: int | None = None
    too_large: str = ""
    has_room: bool = False
    is_known: bool = False

    def grant(self, bound: int, too_large: str, *, is_known: bool, needs_room: bool) -> None:
        """Let the body come. Raises TooLarge, or StorageFull where there is no room for it."""
        length = self.length or 0
        if length > bound:
            raise TooLarge(too_large)
        if needs_room:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if length + self.promised + RESERVE > free:
                raise StorageFull("body: there is no room left for it here; try again later.")
        self.bound, self.too_large = bound, too_large
        self.is_known, self.has_room = is_known, needs_room


class Refusals:
    """A WSGI middleware that tells what the engine found wrong with a request."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(
        self, environ: dict[str, Any], start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Refuse, or pass the request on."""
        if REFUSAL in environ:
            return refusal(*environ[REFUSAL])(environ, start_response)
        return self._application(environ, start_response)


def _admitting(view: View, info: Any) -> View:
    """Answer the question about a body in the place of the view, after its permission."""
    if info.exception_only:
        return view
    takes_file = info.options.get("takes_file", False)

    def admit(context: Any, request: Request) -> Response:
        admission = request.environ.get(ADMISSION)
        if admission is None:
            return view(context, request)
        bound, too_large = _bound(request, takes_file=takes_file)
        is_known = not identity_of(request).is_anonymous
        admission.grant(bound, too_large, is_known=is_known, needs_room=takes_file)
        return Response(status=204)

    return admit


_admitting.options = ("takes_file",)  # type: ignore[attr-defined]  # how Pyramid has it


def _bound(request: Request, *, takes_file: bool) -> tuple[int, str]:
    """The most bytes of a body, and the sentence for more."""
    if request.method in WITHOUT_BODY:
        return 0, f"body: a {request.method} request has none here."
    if not takes_file:
        return json_bound(request)
    limit = request.registry.stillroom_web.max_file_size
    sentence = f"body: a file is at most {limit:,} bytes here, and the rest of the form"
    return limit + MAX_FORM, f"{sentence} {MAX_FORM:,} (setting max_file_size)."


def includeme(config: Configurator) -> None:
    """Register the deriver; by default it comes below the one that asks for the permission."""
    config.add_view_deriver(_admitting, name="admitting")
