import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from stillroom_client.errors import LocalTrouble
from stillroom_client.installers.base import Settings, Target
from stillroom_client.installers.uv import Uv
from stillroom_client.platform import Platform, System

URL = "http://dev:token@localhost:3141/dev/sandbox/simple/"
BLOCK = f'[[index]]\nname = "stillroom"\nurl = "{URL}"\ndefault = true\n'


def target(platform: Platform, *, is_personal: bool = True, **environ: str) -> Target:
    changed = replace(platform, environ={**platform.environ, **environ})
    return Uv().target(changed, is_personal=is_personal)


def user_file(platform: Platform) -> Path:
    return platform.home / ".config" / "uv" / "uv.toml"


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("linux", ".config/uv/uv.toml"),
        ("macos", ".config/uv/uv.toml"),
        ("windows", "AppData/Roaming/uv/uv.toml"),
    ],
)
def test_the_file_of_the_user(platform: Platform, system: System, expected: str) -> None:
    assert target(replace(platform, system=system)).path == platform.home / expected


def test_the_file_of_the_project_above(platform: Platform) -> None:
    (platform.working / "pyproject.toml").write_text("[project]\nname = 'demo'\n")
    below = platform.working / "src" / "demo"
    below.mkdir(parents=True)
    assert target(replace(platform, working=below)).path == platform.working / "uv.toml"


def test_the_file_that_uv_was_told_to_read(platform: Platform) -> None:
    assert target(platform, UV_CONFIG_FILE="mine.toml").path == platform.working / "mine.toml"


def test_a_new_file_must_not_switch_the_projects_settings_off(platform: Platform) -> None:
    (platform.working / "pyproject.toml").write_text("[tool.uv]\npackage = false\n")
    chosen = target(platform)
    assert chosen.path == user_file(platform)
    assert "switch off [tool.uv]" in chosen.notes[0]
    (platform.working / "uv.toml").write_text("")
    assert target(platform).path == platform.working / "uv.toml"


def test_in_a_workspace_only_its_root_counts(platform: Platform) -> None:
    root, member = platform.working, platform.working / "member"
    member.mkdir()
    (root / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['*']\n")
    (root / "uv.toml").write_text("")
    (member / "pyproject.toml").write_text("[project]\nname = 'member'\n")
    assert target(replace(platform, working=member)).path == root / "uv.toml"


@pytest.fixture
def repository(platform: Platform) -> Path:
    """A project in a git repository."""
    subprocess.run(["git", "init", "-q", platform.working], check=True)
    (platform.working / "pyproject.toml").write_text("[project]\nname = 'demo'\n")
    return platform.working


def test_a_login_does_not_go_where_git_would_commit_it(
    platform: Platform, repository: Path
) -> None:
    chosen = target(platform)
    assert chosen.path == user_file(platform)
    assert "git does not ignore it" in chosen.notes[0]


def test_an_ignored_file_of_the_project_may_hold_a_login(
    platform: Platform, repository: Path
) -> None:
    (repository / ".gitignore").write_text("uv.toml\n")
    assert target(platform).path == repository / "uv.toml"


def test_without_a_login_git_does_not_matter(platform: Platform, repository: Path) -> None:
    assert target(platform, is_personal=False).path == repository / "uv.toml"


def test_where_git_cannot_be_asked_nothing_is_risked(platform: Platform, repository: Path) -> None:
    assert target(platform, PATH="").path == user_file(platform)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", BLOCK),
        ("# mine\noffline = false\n", f"# mine\noffline = false\n\n{BLOCK}"),
        ("offline = false", f"offline = false\n\n{BLOCK}"),
        ("[pip]\nstrict = true\n", f"[pip]\nstrict = true\n\n{BLOCK}"),
        ('[[index]]\nname = "a"\nurl = "http://a/"\n', None),
        (
            '[[index]]\nurl = "http://old/"  # old\ndefault = true\nauthenticate = "always"\n',
            f'[[index]]\nurl = "{URL}"\ndefault = true\nauthenticate = "always"\n',
        ),
        (
            '[[index]]\nname = "stillroom"\nurl = "http://old/"\n[pip]\nstrict=true\n',
            f'[[index]]\ndefault = true\nname = "stillroom"\nurl = "{URL}"\n[pip]\nstrict=true\n',
        ),
        ("offline = false\r\n", f"offline = false\r\n\r\n{BLOCK}".replace("\n", "\r\n")),
    ],
)
def test_only_the_default_index_changes(before: str, after: str | None) -> None:
    changed = Uv().changed(before, Settings(URL))
    assert changed.replace("\r", "") == (after or f"{before}\n{BLOCK}").replace("\r", "")
    assert Uv().current_url(changed) == URL
    assert Uv().changed(changed, Settings(URL)) == changed


def test_the_keyring_is_switched_on_above_the_tables() -> None:
    by_keyring = Settings("http://dev@localhost/simple/", from_keyring=True)
    for before in ("", "# mine", "offline = false\n[pip]\n", "[pip]\nstrict = true\n"):
        parsed = tomllib.loads(Uv().changed(before, by_keyring))
        assert parsed["keyring-provider"] == "subprocess"
        assert parsed.get("pip", {}) == tomllib.loads(before).get("pip", {})
    changed = Uv().changed('keyring-provider = "disabled" # no\n', by_keyring)
    assert changed.startswith('keyring-provider = "subprocess"\n')


def test_a_default_index_with_a_name_of_its_own_is_left_alone() -> None:
    content = '[[index]]\nname = "corp"\nurl = "http://corp/"\ndefault = true\n'
    with pytest.raises(LocalTrouble, match="'corp'"):
        Uv().changed(content, Settings(URL))


@pytest.mark.parametrize(
    "content",
    [
        'index = [{ name = "a", url = "http://a/" }]\n',
        'index = [{ name = "stillroom", url = "http://a/" }]\n',
        '[[index]]\nurl = """\nhttp://a/"""\ndefault = true\n',
    ],
)
def test_a_file_that_cannot_be_changed_line_by_line_is_left_alone(content: str) -> None:
    with pytest.raises(LocalTrouble, match="cannot be changed safely"):
        Uv().changed(content, Settings(URL))


def test_a_file_that_is_not_toml_is_left_alone() -> None:
    with pytest.raises(LocalTrouble, match="not valid TOML"):
        Uv().changed("[[index", Settings(URL))


def test_indexes_that_uv_asks_first_are_told() -> None:
    content = (
        '[[index]]\nname = "a"\nurl = "http://a/"\n'
        '[[index]]\nname = "b"\nurl = "http://b/"\nexplicit = true\n' + BLOCK
    )
    assert Uv().others(content) == ["uv asks the index a of this file first"]
