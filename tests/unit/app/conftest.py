"""`stillroom-server` in the process of the test, with nothing in its environment."""

import io
import os
import sys
from pathlib import Path

import pytest

from stillroom_server.cli import main as command_line
from support.command_line import Result

URL = "https://upstream.example.com/simple/"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("STILLROOM_"):
            monkeypatch.delenv(name)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command; its exit status and output."""

    def run(*arguments: object, typed: str = "") -> Result:
        words = ["stillroom-server", *(str(argument) for argument in arguments)]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            command_line.main()
            status = 0
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        said = capsys.readouterr()
        return Result(status, said.out, said.err)

    return run


@pytest.fixture
def made(run, data) -> Path:
    """A data folder that was set up."""
    result = run("init", "--data", data, "--public-index", URL)
    assert result.status == 0, result.err
    return data
