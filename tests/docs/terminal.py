"""A shell at a terminal, with somebody who answers its questions."""

import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs.examples import Command

PATIENCE_SECONDS = 45
"""For how long nothing may appear: what waits for an answer that nobody has is not done."""
_MARK = "@@ {} @@"
_MARKED = re.compile(r"@@ \d+ @@\n")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>78])")


class Terminal:
    """Types commands into one shell, so that folders, variables and functions last.

    `answers` maps the patterns of questions to the answers.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], answers: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._environment = dict(environment) | {"TERM": "dumb", "COLUMNS": "300"}
        self._answers = {re.compile(f"{asked}$"): answer for asked, answer in answers.items()}

    def type(self, commands: Sequence[Command]) -> list[str]:
        """Run the commands; the output of each.

        AssertionError, with all that was on the screen, if one does not end as it should.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write(_script(commands))
            script.flush()
            screen, status = self._run(script.name)
        parts = _MARKED.split(screen)[1:]
        assert status == 0, f"it ended with status {status}:\n{screen}"
        return parts

    def _run(self, script: str) -> tuple[str, int]:
        ours, theirs = os.openpty()
        # A shell that leads a session takes the terminal that it opens for its own, and only on
        # that are passwords asked for.
        start = 'exec <"$0" >"$0" 2>&1; . "$1"'
        with subprocess.Popen(
            ["bash", "-c", start, os.ttyname(theirs), script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as shell:
            try:
                screen = self._converse(ours, shell)
            finally:
                shell.kill()
                os.close(ours)
                os.close(theirs)
        return screen, shell.returncode

    def _converse(self, terminal: int, shell: subprocess.Popen[bytes]) -> str:
        screen = ""
        answered = 0
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            has_ended = shell.poll() is not None
            if select.select([terminal], [], [], 0 if has_ended else 0.1)[0]:
                screen += os.read(terminal, 65536).decode(errors="replace")
                deadline = time.monotonic() + PATIENCE_SECONDS
            elif has_ended:
                break
            for question, answer in self._answers.items():
                if question.search(screen, answered):
                    os.write(terminal, f"{answer}\n".encode())
                    answered = len(screen)
        return _ESCAPES.sub("", screen).replace("\r\n", "\n").replace("\r", "\n")


def _script(commands: Sequence[Command]) -> str:
    lines = ["set -e -o pipefail"]
    for number, command in enumerate(commands):
        lines.append(f"echo '{_MARK.format(number)}'")
        if command.is_refused:
            lines.append(f"if {{ {command.typed}}}; then echo 'it was not refused'; exit 99; fi")
        else:
            lines.append(command.typed)
    return "\n".join([*lines, "exit 0\n"])
