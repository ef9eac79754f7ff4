"""The command line under test, its surroundings, and a server that answers by script."""

import io
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.fail
import pytest

from stillroom_client.main import run
from stillroom_client.platform import Platform
from support.command_line import Result, Stillroom
from support.stub_server import StubServer
from support.stub_stillroom import PASSWORD, offer_index, offer_root


@pytest.fixture(autouse=True)
def no_keyring() -> None:
    """Keep every test away from the keyring of whoever runs it, and of the test before."""
    keyring.set_keyring(keyring.backends.fail.Keyring())


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A Linux machine whose folders all lie in the test's own, without a terminal."""
    for name in ("home", "work", "client"):
        (tmp_path / name).mkdir()
    return Platform(
        system="linux",
        environ={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "STILLROOM_CLIENT_DIR": str(tmp_path / "client"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        },
        home=tmp_path / "home",
        working=tmp_path / "work",
        hostname="laptop",
        is_terminal=False,
    )


@pytest.fixture
def stillroom(
    platform: Platform,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Stillroom:
    """Run `stillroom` in this process."""

    def command(*arguments: str, typed: str = "", **changes: Any) -> Result:
        environ = {**platform.environ, **changes.pop("environ", {})}
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        status = run(arguments, replace(platform, environ=environ, **changes))
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return command


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """A server that looks like a Stillroom, with the index dev/sandbox."""
    with StubServer() as server:
        offer_root(server)
        offer_index(server, "dev/sandbox")
        yield server


@pytest.fixture
def logged_in(stillroom: Stillroom, stub: StubServer) -> Stillroom:
    """The command line with dev logged in and dev/sandbox in use."""
    assert stillroom("use", stub.url).status == 0
    login = stillroom("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert login.status == 0, login.err
    assert stillroom("use", "dev/sandbox").status == 0
    stub.asked.clear()
    return stillroom
