"""Credentials for upstreams from the settings and from the file that they name."""

import logging
from pathlib import Path

import pytest

from stillroom_server.app.settings import Settings, SettingsError
from stillroom_server.app.upstream_credentials import upstream_credentials

SECRET = "s3cret"
BASE = "https://index.test/simple/"


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "upstreams"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def _read(path: Path, *items: str):
    return upstream_credentials(
        Settings(upstream_credentials=items, upstream_credentials_file=str(path))
    )


def test_without_anything_there_are_none():
    assert upstream_credentials(Settings()).entries == ()


def test_those_of_the_setting_and_of_the_file_are_used(tmp_path):
    path = _file(tmp_path, b"# comment\nhttps://:file@other.test/\nhttps://:file@index.test/\n")
    found = _read(path, "https://:setting@index.test/")
    assert found.for_upstream("https://other.test/").authorization == "Bearer file"
    assert found.for_upstream(BASE).authorization == "Bearer setting"


def test_the_file_may_be_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    _file(tmp_path, b"https://:t@index.test/")
    assert _read(Path("~/upstreams")).for_upstream(BASE) is not None


def test_a_file_that_is_not_there_stops_the_start(tmp_path):
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path / "nope")
    expected = f"upstream_credentials_file: {tmp_path}/nope: no such file or directory"
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (f"https://u:p@index.test/\n\nhttps://{SECRET}@index.test/\n".encode(), "line 3: it must"),
        (f"{SECRET}\n".encode(), "line 1: it must"),
        (f"https://u:{SECRET}@i.test/\n".encode("utf-16"), "it is not in UTF-8"),
    ],
)
def test_a_wrong_line_is_named_and_never_shown(tmp_path, content, where):
    path = _file(tmp_path, content)
    with pytest.raises(SettingsError) as caught:
        _read(path)
    assert caught.value.message.startswith(f"upstream_credentials_file: {path}: {where}")
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)])
def test_a_file_that_others_can_read_is_warned_of(tmp_path, caplog, mode, warned):
    path = _file(tmp_path, f"https://u:{SECRET}@index.test/".encode(), mode)
    with caplog.at_level(logging.WARNING):
        assert _read(path).for_upstream(BASE) is not None
    assert [str(path) in message for message in caplog.messages] == [True] * warned
    assert SECRET not in caplog.text
