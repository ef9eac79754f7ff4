"""uv.toml, changed line by line so that comments survive."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from ..errors import LocalTrouble
from ..platform import Platform
from . import git
from .base import Settings, Target

FILE_NAME = "uv.toml"
INDEX_NAME = "stillroom"
KEYRING_KEY = "keyring-provider"
KEYRING_VALUE = "subprocess"

_TABLE = re.compile(r"\s*\[")
_INDEX = re.compile(r"\s*\[\[\s*index\s*\]\]")


class Uv:
    """uv, by the rules of its own documentation for configuration files."""

    name = "uv"

    def target(self, platform: Platform, *, is_personal: bool) -> Target:
        """UV_CONFIG_FILE, else uv.toml of the project, else uv.toml of the user.

        The user's is taken where the project's would do harm: a new uv.toml switches [tool.uv]
        of pyproject.toml off, and one with a login must not end up in a git repository.
        """
        notes = tuple(
            f"{name} is set, and uv obeys it before any file"
            for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")
            if platform.variable(name)
        )
        named = platform.variable("UV_CONFIG_FILE")
        if named:
            return Target(platform.working / named, notes)
        user = _user_folder(platform) / FILE_NAME
        project = _project_folder(platform.working)
        if project is None:
            return Target(user, notes)
        reason = _reason_against(platform, project, is_personal=is_personal)
        if reason is None:
            return Target(project / FILE_NAME, notes)
        return Target(user, (*notes, f"not the uv.toml of {project}: {reason}"))

    def current_url(self, content: str) -> str | None:
        """The URL of the default index."""
        url = next((i.get("url") for i in _indexes(_parsed(content)) if i.get("default")), None)
        return url if isinstance(url, str) else None

    def changed(self, content: str, settings: Settings) -> str:
        """The file with this index as the default one, and uv's keyring on if it is needed."""
        before = _parsed(content)
        position = _position(before)
        changed = _with_index(content, before, position, settings.url)
        if settings.from_keyring:
            changed = _with_key(changed, KEYRING_KEY, KEYRING_VALUE)
        if not _says(changed, _expected(before, position, settings)):
            raise LocalTrouble(
                "uv's configuration cannot be changed safely: write each index in it as a table "
                "[[index]], or set the default one by hand"
            )
        return changed

    def needs_trust(self, url: str) -> bool:  # noqa: ARG002 - the shape that pip needs
        """Never: uv takes any http:// URL."""
        return False

    def others(self, content: str) -> list[str]:
        """Other indexes, which uv asks before the default one."""
        return [
            f"uv asks the index {index.get('name') or index.get('url')} of this file first"
            for index in _indexes(_parsed(content))
            if not index.get("default") and not index.get("explicit")
            if index.get("name") != INDEX_NAME
        ]


def _user_folder(platform: Platform) -> Path:
    if platform.system == "windows":
        return platform.folder("APPDATA", platform.home / "AppData" / "Roaming") / "uv"
    return platform.folder("XDG_CONFIG_HOME", platform.home / ".config") / "uv"


def _project_folder(working: Path) -> Path | None:
    # In a workspace uv looks at its root only.
    folders = [working, *working.parents]
    for folder in folders:
        if "workspace" in _tool_uv(folder):
            return folder
    names = (FILE_NAME, "pyproject.toml")
    return next((f for f in folders if any((f / name).is_file() for name in names)), None)


def _tool_uv(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("uv", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return table if isinstance(table, dict) else {}


def _reason_against(platform: Platform, project: Path, *, is_personal: bool) -> str | None:
    path = project / FILE_NAME
    if not path.is_file() and _tool_uv(project):
        return "it would switch off [tool.uv] of pyproject.toml"
    if is_personal and git.would_commit(platform, path):
        return "git does not ignore it, and it would hold your login"
    return None


def _parsed(content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise LocalTrouble(f"uv's configuration is not valid TOML: {error}") from None


def _says(content: str, expected: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(content) == expected
    except tomllib.TOMLDecodeError:
        return False


def _indexes(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    indexes = parsed.get("index", [])
    return [i for i in indexes if isinstance(i, dict)] if isinstance(indexes, list) else []


def _position(parsed: dict[str, Any]) -> int | None:
    """Which [[index]] to change: the default one, else our own; None to add one.

    Raises LocalTrouble if the default one has a name that is not ours: sources may refer to it.
    """
    ours = None
    for position, index in enumerate(_indexes(parsed)):
        name = index.get("name", INDEX_NAME)
        if index.get("default") and name != INDEX_NAME:
            raise LocalTrouble(
                f"uv's configuration has the default index {name!r} already: remove "
                "`default = true` from it, then try again"
            )
        if index.get("default"):
            return position
        if index.get("name") == INDEX_NAME:
            ours = position
    return ours


def _expected(before: dict[str, Any], position: int | None, settings: Settings) -> dict[str, Any]:
    indexes = [dict(index) for index in _indexes(before)]
    if position is None:
        indexes.append({"name": INDEX_NAME})
    indexes[-1 if position is None else position] |= {"url": settings.url, "default": True}
    keyring = {KEYRING_KEY: KEYRING_VALUE} if settings.from_keyring else {}
    return {**before, "index": indexes, **keyring}


def _with_index(content: str, before: dict[str, Any], position: int | None, url: str) -> str:
    newline = _newline(content)
    lines = content.splitlines(keepends=True)
    wanted = {"url": f"url = {json.dumps(url)}", "default": "default = true"}
    if position is None:
        gap = "" if not content else newline if content.endswith("\n") else newline * 2
        block = ["[[index]]", f'name = "{INDEX_NAME}"', *wanted.values()]
        return content + gap + "".join(line + newline for line in block)
    headers = [i for i, line in enumerate(lines) if _INDEX.match(line)]
    if len(headers) != len(_indexes(before)):
        return content
    start = headers[position] + 1
    end = next((i for i in range(start, len(lines)) if _TABLE.match(lines[i])), len(lines))
    for i in range(start, end):
        replacement = wanted.pop(_key_of(lines[i]), None)
        if replacement is not None:
            lines[i] = replacement + newline
    new = [line + newline for line in wanted.values()]
    return "".join([*lines[:start], *new, *lines[start:]])


def _with_key(content: str, key: str, value: str) -> str:
    newline = _newline(content)
    line = f"{key} = {json.dumps(value)}{newline}"
    lines = content.splitlines(keepends=True)
    end = next((i for i, text in enumerate(lines) if _TABLE.match(text)), len(lines))
    for i in range(end):
        if _key_of(lines[i]) == key:
            lines[i] = line
            return "".join(lines)
    if end == len(lines) and lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    return "".join([*lines[:end], line, *lines[end:]])


def _key_of(line: str) -> str:
    return line.partition("=")[0].strip().strip("\"'")


def _newline(content: str) -> str:
    return "\r\n" if "\r\n" in content else "\n"
