"""The system's keyring, with all that may be wrong with it."""

import builtins
import json
import threading
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend

from stillroom_client.builtin.keyring_store import KeyringStore
from stillroom_client.errors import LocalTrouble
from stillroom_client.secret import Secret
from stillroom_client.system_keyring import SystemKeyring
from support.command_line import Stillroom
from support.file_keyring import FileKeyring
from support.stub_server import StubServer, message_reply
from support.stub_stillroom import PASSWORD, TOKEN


@pytest.fixture
def passwords(tmp_path: Path) -> FileKeyring:
    """A keyring that works."""
    backend = FileKeyring(tmp_path / "keyring.json")
    keyring.set_keyring(backend)
    return backend


def test_the_token_is_kept_in_the_keyring_where_there_is_one(
    stillroom: Stillroom, stub: StubServer, passwords: FileKeyring, tmp_path: Path
) -> None:
    stillroom("use", stub.url)
    login = stillroom("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert "kept in the system's keyring" in login.err
    assert passwords.passwords() == {f"dev at {stub.url}@stillroom": TOKEN}
    assert not (tmp_path / "client" / "credentials.json").exists()
    assert stillroom("whoami").out == "dev\n"
    stub.script("DELETE", "/dev/+tokens/current", message_reply("revoked"))
    assert stillroom("logout").status == 0
    assert passwords.passwords() == {}


def test_a_new_login_leaves_no_old_token_in_the_file(
    logged_in: Stillroom, passwords: FileKeyring, tmp_path: Path
) -> None:
    path = tmp_path / "client" / "credentials.json"
    assert TOKEN in path.read_text()
    logged_in("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert json.loads(path.read_text()) == {}


def test_the_file_is_asked_where_the_keyring_knows_nothing(
    logged_in: Stillroom, passwords: FileKeyring
) -> None:
    assert logged_in("whoami").out == "dev\n"


@pytest.mark.parametrize(
    "backend",
    [
        keyring.backends.fail.Keyring(),
        keyring.backends.null.Keyring(),
        keyring.backends.chainer.ChainerBackend(),
    ],
)
def test_a_keyring_that_keeps_nothing_is_not_used(
    backend: KeyringBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.backends.chainer.ChainerBackend, "backends", [])
    keyring.set_keyring(backend)
    assert not KeyringStore().is_usable()


def test_without_the_library_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_keyring(name: str, *args: Any, **options: Any) -> Any:
        if name == "keyring":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_keyring)
    assert not SystemKeyring().is_usable()


class LockedKeyring(KeyringBackend):
    """A keyring that waits for somebody to unlock it."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.unlocked.wait()


def test_a_keyring_that_waits_for_ever_is_left_alone() -> None:
    locked = LockedKeyring()
    keyring.set_keyring(locked)
    with pytest.raises(LocalTrouble, match="does not answer"):
        SystemKeyring(patience=0.05).get("stillroom", "dev")
    locked.unlocked.set()


class BrokenKeyring(KeyringBackend):
    """A keyring whose system fails."""

    priority = 5

    def get_password(self, service: str, username: str) -> str | None:
        raise OSError("the bus is gone")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise OSError("the bus is gone")


def test_a_keyring_that_fails_is_one_sentence(stillroom: Stillroom, stub: StubServer) -> None:
    keyring.set_keyring(BrokenKeyring())
    stillroom("use", stub.url)
    login = stillroom("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert login.status == 1
    assert "the system's keyring fails: the bus is gone" in login.err
    assert TOKEN not in login.err


def test_deleting_what_is_not_there_is_no_error(passwords: FileKeyring) -> None:
    SystemKeyring().delete("stillroom", "nobody")
    SystemKeyring().set("stillroom", "dev", Secret("x"))
    SystemKeyring().delete("stillroom", "dev")
    assert passwords.passwords() == {}
