"""Looks for secrets in all that a run of the tests brings to light (a plugin of pytest).

The passwords of the tests carry `MARK`, and tokens are known by their form. Neither may stand in
a log line or its traceback, an error or any answer that is not the one that hands it out, the log
of a server process, a database, or a warning. A run in which one does fails, and says where; not
what, because that would show it once more.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx
import pytest

MARK = "-pa55word"
"""The end of every password that the tests set."""

_MARK = MARK.encode()
_PREFIX = b"stillroom_"
_TOKEN = re.compile(rb"stillroom_[A-Za-z0-9_-]{43}")
_HANDS_OUT = {
    "PATCH": re.compile(r"/[^/+]+/?"),  # who changes their own password gets a new token
    "POST": re.compile(r"/\+login|/[^/]+/\+tokens(/.*)?|/_/oidc/[^/]+(/.*)?"),
}
"""By method, the paths whose answers tell a new token to who may have it."""

WORKER = "canary"
"""Under this key a worker of xdist hands its findings to the run."""


def holds_password(text: bytes) -> bool:
    """Whether a password of the tests is there."""
    return _MARK in text


def holds_token(text: bytes) -> bool:
    """Whether something of the form of a token is there."""
    start = text.find(_PREFIX)
    return start >= 0 and _TOKEN.search(text, start) is not None


class Canary:
    """The findings of a run, or of one worker of it."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def look(self, text: bytes, where: str, *, test: str = "", may_hand_out: bool = False) -> None:
        """Note `where` if there is a secret in the text; new tokens may stand in some answers.

        `test` is the test that did it, if that is not the one that runs.
        """
        if holds_password(text) or (not may_hand_out and holds_token(text)):
            test = test or os.environ.get("PYTEST_CURRENT_TEST", "no test").partition(" ")[0]
            self.found.append(f"{where}, in {test}")

    def look_in_answer(self, answer: httpx.Response) -> None:
        """Look into the status line, the headers and the body, as far as it was read."""
        request = answer.request
        path = request.url.path
        form = _HANDS_OUT.get(request.method)
        hands_out = form is not None and answer.is_success and bool(form.fullmatch(path))
        said = [answer.extensions.get("reason_phrase", b"")]
        said += [name + b": " + unquote_to_bytes(value) for name, value in answer.headers.raw]
        if hasattr(answer, "_content"):
            said.append(answer.content)
        where = f"the answer {answer.status_code} to {request.method} {path!r}"
        self.look(b"\n".join(said), where, may_hand_out=hands_out)

    def look_in_file(self, path: Path) -> None:
        """Look into a file that may not be there."""
        if path.is_file():
            self.look(path.read_bytes(), f"the file {path.name}")

    def look_in_database(self, path: Path) -> None:
        """Look into every page of a SQLite database, and into what was not yet moved to it."""
        for file in sorted(path.parent.glob(f"{path.name}*")):
            if not file.name.endswith("-shm"):
                self.look_in_file(file)


canary = Canary()
"""The one of this process."""


class _Handler(logging.Handler):
    """Reads every record as it would be written, with its traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - what cannot be formatted is not our subject
            text = repr(error)
        canary.look(text.encode(errors="replace"), f"a log line of {record.name}")


OURS = ("stillroom", "stillroom_client", "stillroom_migrations", "stillroom_server")
"""The loggers that speak in full; those of others speak as loud as they are set."""


@contextmanager
def _listening() -> Iterator[None]:
    handler = _Handler()
    logging.getLogger().addHandler(handler)
    send = httpx.Client.send

    def sent(client: httpx.Client, request: httpx.Request, **how: Any) -> httpx.Response:
        answer = send(client, request, **how)
        canary.look_in_answer(answer)
        return answer

    httpx.Client.send = sent  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        httpx.Client.send = send  # type: ignore[method-assign]
        logging.getLogger().removeHandler(handler)


class Watch:
    """Puts the canary into a run of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._is_worker = hasattr(config, "workerinput")
        self._elsewhere: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        with _listening():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        levels = {name: logging.getLogger(name).level for name in OURS}
        for name in OURS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        try:
            return (yield)
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        if not self._is_worker:  # a worker's warnings are told to the run as well
            text = str(warning_message.message).encode(errors="replace")
            canary.look(text, "a warning", test=nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._elsewhere += getattr(node, "workeroutput", {}).get(WORKER, [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._is_worker:
            session.config.workeroutput[WORKER] = canary.found
        elif self._all():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._all():
            terminalreporter.section("secrets came to light", red=True)
        for where in self._all():
            terminalreporter.line(where)

    def _all(self) -> list[str]:
        return canary.found + self._elsewhere
