"""What a thread does for a request: ask whether its body may come, answer it, refuse it."""

import io
from typing import Any

from waitress.task import WSGITask

from stillroom_server.web.admission import Admission
from stillroom_server.web.environ import ADMISSION, REFUSAL


class Answer(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Answers a whole request by the application."""

    def set_close_on_finish(self) -> None:
        """Keep the connection after an answer without a body, which needs no Content-Length."""
        asked_to = self.request.headers.get("CONNECTION", "").lower() == "close"
        if self.has_body or self.wrote_header or self.version != "1.1" or asked_to:
            super().set_close_on_finish()

    def build_response_header(self) -> bytes:
        """End the answer to HEAD with its headers: waitress would send the end of a body too."""
        header: bytes = super().build_response_header()
        if self.request.command == "HEAD":
            self.chunked_response = False
        return header


class LastAnswer(Answer):
    """An answer after which the connection ends, whatever else the client sends."""

    def build_response_header(self) -> bytes:
        """Say so, and have the channel wait until the client has seen it."""
        WSGITask.set_close_on_finish(self)
        self.channel.lingers = True
        return super().build_response_header()


class Refusal(LastAnswer):
    """Tells, in the words and forms of the application, why a request cannot be taken."""

    def get_environment(self) -> dict[str, Any]:
        """The environ, with what is to be told."""
        environ: dict[str, Any] = super().get_environment()
        environ[REFUSAL] = (self.request.error.code, self.request.error.body)
        environ["wsgi.input"] = io.BytesIO()
        return environ


class Question(LastAnswer):
    """Asks the application whether a body may come; only a refusal is answered."""

    def get_environment(self) -> dict[str, Any]:
        """The environ, with the question."""
        environ: dict[str, Any] = super().get_environment()
        request = self.request
        length = None if request.chunked else request.content_length
        promised = self.channel.server.promised()
        environ[ADMISSION] = request.admission = Admission(length, promised)
        environ["wsgi.input"] = io.BytesIO()
        return environ

    def finish(self) -> None:
        """End the answer, if there is one."""
        if not self.request.is_admitted:
            super().finish()
