"""Reading the file: what is wanted, or all that is wrong with it."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import WrongUsage
from . import values

USER_FIELDS = ("email", "title", "description")
_TABLES = ("users", "groups", "indexes")


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index: its type, the options that are named, and the owners of projects."""

    type: str
    options: Mapping[str, Any]
    owners: Mapping[str, list[str]]

    @property
    def bases(self) -> list[str] | None:
        """What it is to inherit from; None if the file leaves that alone."""
        bases = self.options.get("bases")
        return bases if isinstance(bases, list) else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file says, by name. What it does not name is left alone."""

    users: Mapping[str, Mapping[str, str]]
    groups: Mapping[str, Mapping[str, Any]]
    indexes: Mapping[str, WantedIndex]


@dataclass(slots=True)
class Faults:
    """What is wrong with a file: each time the key, and the rule that it breaks."""

    path: str
    found: list[str] = field(default_factory=list)

    def add(self, key: str, rule: object) -> None:
        """Note one more."""
        self.found.append(f"{self.path}: {key}: {rule}")

    def settle(self) -> None:
        """Raise WrongUsage with all of them, if there are any."""
        if self.found:
            raise WrongUsage("\n".join(self.found))


def read(path: Path) -> Wanted:
    """Read a file; raises WrongUsage naming the file, and each key with the rule it breaks."""
    faults = Faults(str(path))
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{path}: it is not TOML: {error}") from None
    except OSError as error:
        raise WrongUsage(f"{path}: it cannot be read: {error.strerror}") from None
    for key in document:
        if key not in _TABLES:
            faults.add(key, f"unknown; there are {', '.join(_TABLES)}")
    wanted = Wanted(
        users=dict(_users(document, faults)),
        groups=dict(_groups(document, faults)),
        indexes=dict(_indexes(document, faults)),
    )
    faults.settle()
    return wanted


def _users(document: Mapping[str, Any], faults: Faults) -> Iterator[tuple[str, Mapping[str, str]]]:
    readers = dict.fromkeys(USER_FIELDS, values.text)
    for name, table in _entries(document, "users", values.user_name, faults):
        if "password" in table:
            faults.add(
                f"users.{name}.password",
                "no secret belongs into a file; a new user gets none, and `stillroom user set "
                f"{name} --password` sets one",
            )
        known = {key: value for key, value in table.items() if key != "password"}
        yield name, _read_all(known, readers, f"users.{name}", faults)


def _groups(
    document: Mapping[str, Any], faults: Faults
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    readers = {"description": values.text, "members": values.list_of(values.user_name)}
    for name, table in _entries(document, "groups", values.group_name, faults):
        yield name, _read_all(table, readers, f"groups.{name}", faults)


def _indexes(document: Mapping[str, Any], faults: Faults) -> Iterator[tuple[str, WantedIndex]]:
    for name, table in _entries(document, "indexes", values.index_name, faults):
        place = f'indexes."{name}"'
        kind = table.get("type", "stage")
        if not isinstance(kind, str):
            faults.add(f"{place}.type", "it must be text")
            continue
        given = {key: value for key, value in table.items() if key not in {"type", "owners"}}
        readers = values.OPTIONS.get(kind, dict.fromkeys(given, _anything))
        options = _read_all(given, readers, place, faults)
        owners = _owners(table.get("owners", {}), f"{place}.owners", faults)
        if owners and kind == "mirror":
            faults.add(f"{place}.owners", "the projects of a mirror have no owners here")
        if name in options.get("bases", ()):
            faults.add(f"{place}.bases", f"{name} would inherit from itself")
        yield name, WantedIndex(kind, options, owners)


def _owners(table: Any, place: str, faults: Faults) -> dict[str, list[str]]:
    if not isinstance(table, dict):
        faults.add(place, "it must be a table of projects")
        return {}
    return {
        project: listed
        for project, value in _named(table, place, values.project_name, faults)
        if (listed := _value(value, values.list_of(values.owner), f"{place}.{project}", faults))
        is not None
    }


def _anything(value: Any) -> Any:
    """An option of a type that only the server knows: any text, truth, number or list of texts."""
    if isinstance(value, bool | int | str):
        return value
    return values.list_of(str)(value)


def _entries(
    document: Mapping[str, Any], key: str, check: Callable[[str], str], faults: Faults
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables in one of the tables of the file, by their names as the server has them."""
    table = document.get(key, {})
    if not isinstance(table, dict):
        faults.add(key, "it must be a table")
        return
    for name, entry in _named(table, key, check, faults):
        if isinstance(entry, dict):
            yield name, entry
        else:
            faults.add(f"{key}.{name}", "it must be a table")


def _named(
    table: Mapping[str, Any], place: str, check: Callable[[str], str], faults: Faults
) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, value in table.items():
        name = _value(key, check, f"{place}.{key}", faults)
        if name is None:
            continue
        if name in seen:
            faults.add(f"{place}.{key}", f"{name} stands there already, under another spelling")
        else:
            seen.add(name)
            yield name, value


def _read_all(
    table: Mapping[str, Any], readers: Mapping[str, values.Reader], place: str, faults: Faults
) -> dict[str, Any]:
    found = {}
    for key, value in table.items():
        if key not in readers:
            faults.add(f"{place}.{key}", f"unknown; there are {', '.join(sorted(readers))}")
            continue
        read_value = _value(value, readers[key], f"{place}.{key}", faults)
        if read_value is not None:
            found[key] = read_value
    return found


def _value(value: Any, reader: values.Reader, place: str, faults: Faults) -> Any:
    """The value as it is read; None, and one more fault, where it breaks a rule."""
    try:
        return reader(value)
    except ValueError as error:
        faults.add(place, error)
        return None
