"""pip.conf (pip.ini on Windows): an INI file, changed line by line so that comments survive."""

import configparser
import ipaddress
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import LocalTrouble
from ..platform import Platform
from .base import Settings, Target

SECTION = "global"
URL_KEY = "index-url"
TRUST_KEY = "trusted-host"

_HEADER = re.compile(r"\[(?P<name>[^]]+)\]")
_OPTION = re.compile(r"(?P<key>[^\s:=#;\[][^:=]*?)\s*[:=]")


class Pip:
    """pip, by the rules of its own documentation for configuration files."""

    name = "pip"

    def target(self, platform: Platform, *, is_personal: bool) -> Target:  # noqa: ARG002 - nobody commits an environment
        """PIP_CONFIG_FILE, else the file of the active virtual environment, else the user's."""
        notes: tuple[str, ...] = ()
        if platform.variable("PIP_INDEX_URL"):
            notes = ("PIP_INDEX_URL is set, and pip obeys it before any file",)
        named = platform.variable("PIP_CONFIG_FILE")
        if named == os.devnull:
            raise LocalTrouble("pip reads no file while PIP_CONFIG_FILE is the null device")
        if named:
            return Target(platform.working / named, notes)
        environment = platform.variable("VIRTUAL_ENV")
        if environment and Path(environment).is_dir():
            return Target(Path(environment) / _file_name(platform), notes)
        return Target(_user_folder(platform) / _file_name(platform), notes)

    def current_url(self, content: str) -> str | None:
        """The `index-url` of the section `global`."""
        return _parsed(content).get(SECTION, {}).get(URL_KEY)

    def changed(self, content: str, settings: Settings) -> str:
        """The file with another `index-url`, and one more `trusted-host` if that is wanted."""
        expected = _parsed(content)
        section = expected.setdefault(SECTION, {})
        section[URL_KEY] = settings.url
        if settings.trusted_host is not None:
            hosts = section.get(TRUST_KEY, "").split()
            if settings.trusted_host not in hosts:
                hosts.append(settings.trusted_host)
            section[TRUST_KEY] = " ".join(hosts)
        for key in (URL_KEY, TRUST_KEY):
            if key in section:
                content = _with_option(content, key, section[key])
        if _parsed(content) != expected:
            raise LocalTrouble(
                f"pip's configuration cannot be changed safely: set {URL_KEY} in it by hand"
            )
        return content

    def needs_trust(self, url: str) -> bool:
        """Whether it is http:// on a host that is not this one, which pip passes over."""
        parts = urlsplit(url)
        return parts.scheme == "http" and not _is_local(parts.hostname or "")

    def others(self, content: str) -> list[str]:
        """Other indexes, whose files pip mixes with those of this one."""
        keys = ("extra-index-url", "find-links")
        return [
            f"pip also looks where {key} in [{section}] says, and takes the newest of all"
            for section, options in _parsed(content).items()
            for key in keys
            if options.get(key)
        ]


def _file_name(platform: Platform) -> str:
    return "pip.ini" if platform.system == "windows" else "pip.conf"


def _user_folder(platform: Platform) -> Path:
    home = platform.home
    if platform.system == "windows":
        return platform.folder("APPDATA", home / "AppData" / "Roaming") / "pip"
    if platform.system == "macos":
        native = home / "Library" / "Application Support" / "pip"
        return native if native.is_dir() else home / ".config" / "pip"
    return platform.folder("XDG_CONFIG_HOME", home / ".config") / "pip"


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parsed(content: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content)
    except configparser.Error as error:
        reason = str(error).splitlines()[0]
        raise LocalTrouble(f"pip's configuration is not a valid INI file: {reason}") from None
    return {
        section: {_normal(key): value for key, value in parser.items(section)}
        for section in parser.sections()
    }


def _normal(key: str) -> str:
    # pip takes index_url, Index-Url and --index-url for the same option.
    return key.strip().lower().replace("_", "-").removeprefix("--")


def _with_option(content: str, key: str, value: str) -> str:
    newline = "\r\n" if "\r\n" in content else "\n"
    option = f"{key} = {value}{newline}"
    lines = content.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if _section_of(line) == SECTION), None)
    if start is None:
        if lines and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += newline
        gap = [newline] if lines else []
        return "".join([*lines, *gap, f"[{SECTION}]{newline}", option])
    end = next((i for i in range(start + 1, len(lines)) if _section_of(lines[i])), len(lines))
    body = lines[start + 1 : end]
    place = next((i for i, line in enumerate(body) if _key_of(line) == key), 0)
    body = _without_option(body, key)
    body.insert(place, option)
    header = lines[start] if lines[start].endswith("\n") else lines[start] + newline
    return "".join([*lines[:start], header, *body, *lines[end:]])


def _without_option(body: list[str], key: str) -> list[str]:
    kept: list[str] = []
    dropping = False
    for line in body:
        # An indented line continues the value above it.
        continues = line[:1].isspace() and line.strip() != ""
        if not continues:
            dropping = _key_of(line) == key
        if not dropping:
            kept.append(line)
    return kept


def _section_of(line: str) -> str | None:
    match = _HEADER.match(line)
    return match["name"] if match else None


def _key_of(line: str) -> str | None:
    match = _OPTION.match(line)
    return _normal(match["key"]) if match else None
