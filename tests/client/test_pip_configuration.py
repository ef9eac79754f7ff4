import os
from dataclasses import replace
from pathlib import Path

import pytest

from stillroom_client.errors import LocalTrouble
from stillroom_client.installers.base import Settings
from stillroom_client.installers.pip import Pip
from stillroom_client.platform import Platform, System

URL = "http://dev:a%25b@localhost:3141/dev/sandbox/simple/"


def target(platform: Platform, **environ: str) -> Path:
    changed = replace(platform, environ={**platform.environ, **environ})
    return Pip().target(changed, is_personal=True).path


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("linux", ".config/pip/pip.conf"),
        ("macos", ".config/pip/pip.conf"),
        ("windows", "AppData/Roaming/pip/pip.ini"),
    ],
)
def test_the_file_of_the_user(platform: Platform, system: System, expected: str) -> None:
    assert target(replace(platform, system=system)) == platform.home / expected


def test_variables_that_move_the_file_of_the_user(platform: Platform, tmp_path: Path) -> None:
    windows = replace(platform, system="windows")
    assert target(windows, APPDATA=str(tmp_path / "a")) == tmp_path / "a" / "pip" / "pip.ini"
    assert target(platform, XDG_CONFIG_HOME=str(tmp_path)) == tmp_path / "pip" / "pip.conf"


def test_macos_prefers_its_own_folder_if_it_is_there(platform: Platform) -> None:
    native = platform.home / "Library" / "Application Support" / "pip"
    native.mkdir(parents=True)
    assert target(replace(platform, system="macos")) == native / "pip.conf"


def test_an_active_environment_goes_before_the_user(platform: Platform, tmp_path: Path) -> None:
    assert target(platform, VIRTUAL_ENV=str(tmp_path)) == tmp_path / "pip.conf"
    windows = replace(platform, system="windows")
    assert target(windows, VIRTUAL_ENV=str(tmp_path)) == tmp_path / "pip.ini"


def test_an_environment_that_is_gone_does_not_count(platform: Platform, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    assert target(platform, VIRTUAL_ENV=gone).is_relative_to(platform.home)


def test_the_file_that_pip_was_told_to_read(platform: Platform, tmp_path: Path) -> None:
    named = target(platform, PIP_CONFIG_FILE="mine.conf", VIRTUAL_ENV=str(tmp_path))
    assert named == platform.working / "mine.conf"
    with pytest.raises(LocalTrouble, match="PIP_CONFIG_FILE"):
        target(platform, PIP_CONFIG_FILE=os.devnull)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[global]\nindex-url = {URL}\n"),
        ("[global]\n", f"[global]\nindex-url = {URL}\n"),
        ("[global]", f"[global]\nindex-url = {URL}\n"),
        (
            "# mine\n[global]\nretries=9\n; why\nindex-url = http://old/\n\n[install]\nuser = no",
            f"# mine\n[global]\nretries=9\n; why\nindex-url = {URL}\n\n[install]\nuser = no",
        ),
        (
            "[install]\nuser = no",
            f"[install]\nuser = no\n\n[global]\nindex-url = {URL}\n",
        ),
        (
            "[global]\nIndex_URL: http://old/\n  http://more/\ntimeout=60\n",
            f"[global]\nindex-url = {URL}\ntimeout=60\n",
        ),
        (
            "[global]\r\ntimeout = 60\r\n",
            f"[global]\r\nindex-url = {URL}\r\ntimeout = 60\r\n",
        ),
    ],
)
def test_only_the_index_url_changes(before: str, after: str) -> None:
    changed = Pip().changed(before, Settings(URL))
    assert changed == after
    assert Pip().current_url(changed) == URL
    assert Pip().changed(changed, Settings(URL)) == changed


def test_a_trusted_host_is_added_to_those_that_are_there() -> None:
    settings = Settings(URL, trusted_host="index.example:3141")
    added = Pip().changed("[global]\ntrusted-host =\n    a.example\n    b.example\n", settings)
    assert "trusted-host = a.example b.example index.example:3141\n" in added
    assert Pip().changed(added, settings) == added


@pytest.mark.parametrize("content", ["index-url = x\n", "[global]\n[global]\n", "[global\n"])
def test_a_file_that_pip_could_not_read_is_left_alone(content: str) -> None:
    with pytest.raises(LocalTrouble, match="INI"):
        Pip().changed(content, Settings(URL))


@pytest.mark.parametrize(
    ("url", "needs_trust"),
    [
        ("http://localhost:3141/", False),
        ("http://127.0.0.1/", False),
        ("http://127.8.8.8/", False),
        ("http://[::1]:3141/", False),
        ("https://index.example/", False),
        ("http://index.example/", True),
        ("http://10.0.0.1/", True),
    ],
)
def test_pip_ignores_http_on_other_hosts(url: str, needs_trust: bool) -> None:
    assert Pip().needs_trust(url) is needs_trust


def test_further_indexes_are_told() -> None:
    content = "[global]\nextra-index-url = http://other/\n[install]\nfind-links = /wheels\n"
    assert len(Pip().others(content)) == 2
    assert Pip().others("[global]\nindex-url = http://other/\n") == []
