"""Every setting, declared once: its type, default and help. Flags, file and environment follow.

A value comes from the first of: a flag (`--max-file-size`), the environment
(`STILLROOM_MAX_FILE_SIZE`), the TOML file (`max_file_size`), the default.
"""

import dataclasses
import os
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.hosts import host_name, read_networks, read_outside_url
from stillroom_server.domain.identity import ANONYMOUS, AUTHENTICATED
from stillroom_server.domain.options import check_principal, check_upstream_url, check_url
from stillroom_server.domain.upstream_credentials import UpstreamCredentials

ENVIRONMENT_PREFIX = "STILLROOM_"
CONFIG_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
CONFIG_FILE = "stillroom.toml"
"""The file's name in the data folder, where no other is named."""


class SettingsError(StillroomError):
    """A setting is unknown or its value breaks a rule; the message names the place."""


def _declare(
    default: Any,
    help_text: str,
    *,
    secret: bool = False,
    check: Callable[[Any], Any] | None = None,
) -> Any:
    metadata = {"help": help_text, "secret": secret, "check": check}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


def _at_least_one(number: int) -> int:
    if number < 1:
        raise ValueError("it must be at least 1")
    return number


def _days(number: int) -> int:
    if number > 36_500:
        raise ValueError("it must be at most 36500, or 0 for ever")
    return number


def _at_least_ten(number: int) -> int:
    if number < 10:
        raise ValueError("it must be at least 10")
    return number


def _principals(items: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(check_principal(item) for item in items)
    except ValueError:
        raise ValueError(
            f"it must be a list of users, :groups, {ANONYMOUS} and {AUTHENTICATED}"
        ) from None


_URL_RULE = "it must be an http or https URL without user name, query and fragment"


def _url_or_nothing(text: str) -> str:
    try:
        return check_url(text) if text else ""
    except ValueError:
        raise ValueError(_URL_RULE) from None


def _outside_url(text: str) -> str:
    url = _url_or_nothing(text)
    if url and read_outside_url(url) is None:
        raise ValueError("its host must be in ASCII (xn--…), and its path in UTF-8")
    return url


def _hosts(items: tuple[str, ...]) -> tuple[str, ...]:
    if any(host_name(item) is None for item in items):
        raise ValueError("it must be a list of host names and addresses, without schemes")
    return items


def _networks(items: tuple[str, ...]) -> tuple[str, ...]:
    try:
        read_networks(items)
    except ValueError:
        raise ValueError("it must be a list of addresses and networks, as 10.0.0.0/8") from None
    return items


def _upstream_or_nothing(text: str) -> str:
    try:
        return check_upstream_url(text) if text else ""
    except ValueError:
        raise ValueError(f"{_URL_RULE}, or a vendor's short form") from None


def _audience(text: str) -> str:
    if text and not re.fullmatch(r"[!-~]{1,200}", text):
        raise ValueError("it must be up to 200 ASCII characters without spaces")
    return text


def _private_upstreams(items: tuple[str, ...]) -> tuple[str, ...]:
    PrivateUpstreams.parse(items)
    return items


def _upstream_credentials(items: tuple[str, ...]) -> tuple[str, ...]:
    UpstreamCredentials.parse(items)
    return items


@dataclass(frozen=True)
class Settings:
    """The settings of one server; each field is a setting."""

    data: Path = _declare(Path("stillroom-data"), "The data folder: database, files, lock.")
    host: str = _declare("127.0.0.1", "The address to listen on; 0.0.0.0 for all.")
    port: int = _declare(3141, "The port to listen on.")
    threads: int = _declare(50, "How many requests are worked on at once.", check=_at_least_one)
    connections: int = _declare(
        1000, "How many connections may be open at once.", check=_at_least_ten
    )
    head_seconds: int = _declare(
        20,
        "How long the head of a request may take to arrive, in seconds.",
        check=_at_least_one,
    )
    slow_seconds: int = _declare(
        30,
        "For how long a client may send or take too little, in seconds, before its connection is "
        "closed.",
        check=_at_least_one,
    )
    shutdown_seconds: int = _declare(
        30, "How long running requests may take to end after SIGTERM, in seconds."
    )
    database: str = _declare(
        "",
        "The database's URL, such as postgresql://user:password@host/name; empty for SQLite in "
        "the data folder.",
        secret=True,
    )
    blob_store: str = _declare("disk", "The kind of blob store that keeps the files.")
    outside_url: str = _declare(
        "",
        "The URL that clients use, with its path prefix, where a reverse proxy stands in front; "
        "empty for the one they ask for.",
        check=_outside_url,
    )
    hosts: tuple[str, ...] = _declare(
        (),
        "The names by which clients may call this server, besides that in `outside_url` and those "
        "of loopback; without both settings, any.",
        check=_hosts,
    )
    trusted_proxies: tuple[str, ...] = _declare(
        (),
        "The addresses and networks of proxies whose X-Forwarded-* headers are believed; none by "
        "default.",
        check=_networks,
    )
    open_signup: bool = _declare(
        False, "Whether anybody may create a user for themselves; else only root does."
    )
    user_mirrors: bool = _declare(
        False, "Whether users may make mirrors and change their URLs; else only root may."
    )
    user_publishers: bool = _declare(
        False,
        "Whether who administers an index may add trusted publishers that act as themselves; else "
        "only root adds them.",
    )
    default_acl_read: tuple[str, ...] = _declare(
        (AUTHENTICATED,), "What `acl_read` of a new stage is unless said.", check=_principals
    )
    oidc_audience: str = _declare(
        "",
        "For whom identity tokens must be made out that are exchanged here (trusted publishing); "
        "empty for a name made from the id of the database.",
        check=_audience,
    )
    password_length: int = _declare(8, "How many characters a password has at least.")
    password_hashes_at_once: int = _declare(
        2,
        "How many passwords are checked at the same time; each takes 64 MiB for a moment.",
        check=_at_least_one,
    )
    login_seconds: int = _declare(
        36_000, "For how many seconds the token of a login is good.", check=_at_least_one
    )
    login_failures_per_user: int = _declare(
        10,
        "How many passwords may be wrong for one user name within `login_window_seconds`.",
        check=_at_least_one,
    )
    login_failures_per_address: int = _declare(
        50,
        "How many passwords from one address may be wrong within that time; the addresses of an "
        "IPv6 /64 count as one.",
        check=_at_least_one,
    )
    login_failures: int = _declare(
        1000, "How many passwords may be wrong in all within that time.", check=_at_least_one
    )
    login_window_seconds: int = _declare(
        300, "For how many seconds a wrong password counts.", check=_at_least_one
    )
    max_file_size: int = _declare(2 * 1024**3, "The largest file that may be uploaded, in bytes.")
    page_cache_bytes: int = _declare(
        64 * 1024**2, "How much memory rendered pages may take, in bytes."
    )
    public_index: str = _declare(
        "",
        "The upstream that root/pypi gets at the first start; empty for the public index. Later "
        "it is an option of that index.",
        check=_upstream_or_nothing,
    )
    private_upstreams: tuple[str, ...] = _declare(
        (),
        "The hosts, addresses and networks that mirrors may use, and issuers of identity tokens, "
        "although they are loopback, private or link-local; hosts and addresses may carry "
        "`:port`.",
        check=_private_upstreams,
    )
    upstream_credentials: tuple[str, ...] = _declare(
        (),
        "Credentials for upstreams, as URLs: https://user:password@host/path/, or "
        "https://:token@host/path/ for a Bearer token. They go to upstreams below that URL, and "
        "to that host only.",
        secret=True,
        check=_upstream_credentials,
    )
    upstream_credentials_file: str = _declare(
        "",
        "A file with more credentials for upstreams, a URL on each line, `#` for comments; read "
        "at the start.",
    )
    upstream_seconds: int = _declare(
        20,
        "How long an upstream may take for a page, in seconds, before a kept one is served.",
        check=_at_least_one,
    )
    max_mirrored_file_size: int = _declare(
        20 * 1024**3, "The largest file that a mirror passes on, in bytes."
    )
    audit_days: int = _declare(
        400,
        "For how many days the audit tells who changed what; 0 for ever.",
        check=_days,
    )
    fetches_days: int = _declare(
        90, "For how many days it is kept who fetched which file; 0 for ever.", check=_days
    )
    log_level: str = _declare("info", "What is logged: debug, info, warning or error.")


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting, for flags, documentation and messages."""

    name: str
    type: Any
    default: Any
    help: str
    secret: bool
    check: Callable[[Any], Any] | None

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """Its flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def kind(self) -> str:
        """What it holds, in one word."""
        return {bool: "boolean", int: "number", str: "text", Path: "path"}.get(self.type, "list")

    def read(self, raw: object) -> Any:
        """Turn what a flag, variable or file says into its type; ValueError says the rule."""
        value = _READERS[self.kind](raw)
        return value if self.check is None else self.check(value)


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(raw, str) and raw.lower() in words:
        return words[raw.lower()]
    raise ValueError("it must be true or false")


def _number(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    if isinstance(raw, str) and raw.isascii() and raw.isdigit():
        return int(raw)
    raise ValueError("it must be a whole number")


def _text(raw: object) -> str:
    if isinstance(raw, str):
        return raw.strip()
    raise ValueError("it must be text")


def _path(raw: object) -> Path:
    if isinstance(raw, str | Path) and str(raw):
        return Path(raw).expanduser()
    raise ValueError("it must be a path")


def _list(raw: object) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
        return tuple(item.strip() for item in items if item.strip())
    raise ValueError("it must be a list of texts")


_READERS: Mapping[str, Callable[[object], Any]] = {
    "boolean": _boolean,
    "number": _number,
    "text": _text,
    "path": _path,
    "list": _list,
}


def declared() -> tuple[Setting, ...]:
    """All settings, in the order of their declaration."""
    types = typing.get_type_hints(Settings)
    return tuple(
        Setting(f.name, types[f.name], f.default, **f.metadata)
        for f in dataclasses.fields(Settings)
    )


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force, and where each came from, in words."""

    settings: Settings
    sources: Mapping[str, str]


def load(
    flags: Mapping[str, object], environment: Mapping[str, str] = os.environ
) -> LoadedSettings:
    """Read the settings from flags (None: not given), environment, file and defaults.

    `flags` may also hold `config`, the path of the file; else `STILLROOM_CONFIG`, else
    `stillroom.toml` in the data folder if it is there. Raises SettingsError naming every value
    that breaks a rule and every unknown key of the file.
    """
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    faults: list[str] = []
    file_path, in_file = _file(given, environment, faults)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in declared():
        if setting.name in given:
            raw, source = given[setting.name], f"flag {setting.flag}"
        elif setting.variable in environment:
            raw, source = environment[setting.variable], f"environment {setting.variable}"
        elif setting.name in in_file:
            raw, source = in_file[setting.name], f"file {file_path}"
        else:
            raw, source = setting.default, "default"
        sources[setting.name] = source
        try:
            values[setting.name] = setting.read(raw)
        except ValueError as error:
            shown = "" if setting.secret else f", not {raw!r}"
            faults.append(f"{setting.name} ({source}): {error}{shown}")
    if not faults:
        faults.extend(_faults_between(values, sources))
    if faults:
        raise SettingsError("; ".join(faults))
    return LoadedSettings(Settings(**values), sources)


def _faults_between(values: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with settings that are right each by itself."""
    allowed = PrivateUpstreams.parse(values["private_upstreams"])
    refusal = allowed.refusal_of_url(values["public_index"])
    if refusal is not None:
        yield f"public_index ({sources['public_index']}): {refusal}"


def _file(
    given: Mapping[str, object], environment: Mapping[str, str], faults: list[str]
) -> tuple[Path, Mapping[str, object]]:
    named = given.get("config") or environment.get(CONFIG_VARIABLE)
    data = given.get("data") or environment.get(ENVIRONMENT_PREFIX + "DATA") or Settings().data
    path = Path(str(named)) if named else Path(str(data)).expanduser() / CONFIG_FILE
    if not named and not path.exists():
        return path, {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: it cannot be read: {error}") from None
    known = {setting.name for setting in declared()}
    faults.extend(f"{path}: unknown setting {key}" for key in content if key not in known)
    return path, content
