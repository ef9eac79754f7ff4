"""Reading the file: what is wanted, or all that is wrong with it."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import WrongUsage
from . import values

USER_FIELDS = ("email", "title", "description")
DEFAULT_TYPE = "stage"
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
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, rule: object) -> None:
        """Note one more."""
        self.found.append((key, str(rule)))

    def about(self, option: str) -> bool:
        """Whether that option of an index is wrong somewhere."""
        return any(key.endswith(f'".{option}') for key, _rule in self.found)

    def settle(self) -> None:
        """Raise WrongUsage with all of them, if there are any."""
        if self.found:
            raise WrongUsage("\n".join(f"{self.path}: {key}: {rule}" for key, rule in self.found))


def load(path: Path) -> Mapping[str, Any]:
    """The TOML of a file; raises WrongUsage naming the file."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"{path}: it is not TOML: {error}") from None
    except OSError as error:
        raise WrongUsage(f"{path}: it cannot be read: {error.strerror}") from None


def read(document: Mapping[str, Any], types: Mapping[str, str] | None, faults: Faults) -> Wanted:
    """What a document wants; notes each key that breaks a rule, and goes on without it.

    `types` are those of the server's indexes, which one has that says none of its own; with None,
    as long as no server was asked, it may have the options of any.
    """
    for key in document:
        if key not in _TABLES:
            faults.add(key, f"unknown; there are {', '.join(_TABLES)}")
    return Wanted(
        users=dict(_users(document, faults)),
        groups=dict(_groups(document, faults)),
        indexes=dict(_indexes(document, types, faults)),
    )


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


def _indexes(
    document: Mapping[str, Any], types: Mapping[str, str] | None, faults: Faults
) -> Iterator[tuple[str, WantedIndex]]:
    for name, table in _entries(document, "indexes", values.index_name, faults):
        place = f'indexes."{name}"'
        given = {key: value for key, value in table.items() if key not in {"type", "owners"}}
        kind = _type(table, name, types, faults)
        options = _read_all(given, _readers(kind, given), place, faults)
        owners = _owners(table.get("owners", {}), f"{place}.owners", faults)
        if owners and kind == "mirror":
            faults.add(f"{place}.owners", "the projects of a mirror have no owners here")
        if name in options.get("bases", ()):
            faults.add(f"{place}.bases", f"{name} would inherit from itself")
        yield name, WantedIndex(kind or DEFAULT_TYPE, options, owners)


def _type(
    table: Mapping[str, Any], name: str, types: Mapping[str, str] | None, faults: Faults
) -> str | None:
    """The type that an index says, or has on the server; None as long as nobody knows."""
    place = f'indexes."{name}".type'
    said = table.get("type")
    if isinstance(said, str):
        return said
    if said is not None:
        faults.add(place, "it must be text")
    if types is None or name in types:
        return None if types is None else types[name]
    of_mirrors = [key for key in table if key in values.OF_MIRRORS]
    if said is None and of_mirrors:
        faults.add(place, f'{", ".join(of_mirrors)}: only mirrors have that; add type = "mirror"')
    return "mirror" if of_mirrors else DEFAULT_TYPE


def _readers(kind: str | None, given: Mapping[str, Any]) -> Mapping[str, values.Reader]:
    if kind is None:
        return {key: reader for of in values.OPTIONS.values() for key, reader in of.items()}
    return values.OPTIONS.get(kind, dict.fromkeys(given, _anything))


def _owners(table: Any, place: str, faults: Faults) -> dict[str, list[str]]:
    if not isinstance(table, dict):
        faults.add(place, "it must be a table of projects")
        return {}
    found = {}
    for project, value in _named(table, place, values.project_name, faults):
        if isinstance(value, dict):
            hint = _in_quotes(project, value)
            faults.add(f"{place}.{project}", f"it must be a list of texts; {hint}")
            continue
        listed = _value(value, values.list_of(values.owner), f"{place}.{project}", faults)
        if listed is not None:
            found[project] = listed
    return found


def _in_quotes(name: str, value: Mapping[str, Any]) -> str:
    """What to do where TOML has taken the dots of a name for tables in one another."""
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        name = f"{name}.{key}"
    return f'a name with dots stands in quotes: "{name}"'


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
        if not isinstance(entry, dict):
            faults.add(f"{key}.{name}", "it must be a table")
        # What names it elsewhere is right all the same.
        yield name, entry if isinstance(entry, dict) else {}


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
            faults.add(f"{place}.{key}", _unknown(key, value, readers, place))
            continue
        read_value = _value(value, readers[key], f"{place}.{key}", faults)
        if read_value is not None:
            found[key] = read_value
    return found


def _unknown(key: str, value: Any, readers: Mapping[str, values.Reader], place: str) -> str:
    rule = f"unknown; there are {', '.join(sorted(readers))}"
    kind, _dot, name = place.partition(".")
    if isinstance(value, dict) and kind in {"users", "groups"}:
        return f"{rule}; {_in_quotes(name, {key: {}})}"
    return rule


def _value(value: Any, reader: values.Reader, place: str, faults: Faults) -> Any:
    """The value as it is read; None, and one more fault, where it breaks a rule."""
    try:
        return reader(value)
    except ValueError as error:
        faults.add(place, error)
        return None
