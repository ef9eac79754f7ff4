"""Comparing what a file wants with what a server has: the steps from one to the other."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..principals import nobody
from .found import Found
from .read import Faults, Wanted
from .values import is_access_list, same


class Kind(enum.StrEnum):
    """What a step creates or changes."""

    USER = "user"
    GROUP = "group"
    INDEX = "index"
    OWNERS = "owners"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: what the server has (None for nothing) and what the file wants."""

    key: str
    held: Any
    wanted: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.values}"

    @property
    def values(self) -> str:
        """Both values, for people."""
        wanted = _shown(self.wanted)
        return wanted if self.held is None else f"{_shown(self.held)} → {wanted}"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to create, or to change. Of OWNERS, `project` says which one's in the index."""

    kind: Kind
    name: str
    is_new: bool
    differences: tuple[Difference, ...]
    project: str = ""

    def __str__(self) -> str:
        sign = "+" if self.is_new else "~"
        if self.project:
            [owners] = self.differences
            return f"{sign} {self.kind} of {self.project} in {self.name}: {owners.values}"
        line = f"{sign} {self.kind} {self.name}"
        fields = "; ".join(map(str, self.differences))
        return f"{line}: {fields}" if fields else line

    @property
    def fields(self) -> dict[str, Any]:
        """The values that are to be stored."""
        return {difference.key: difference.wanted for difference in self.differences}

    def as_json(self) -> dict[str, Any]:
        """The step for programs."""
        shown: dict[str, Any] = {
            "action": "create" if self.is_new else "change",
            "kind": self.kind.value,
            "name": self.name,
        }
        if self.project:
            shown["project"] = self.project
        changes = {d.key: {"from": d.held, "to": d.wanted} for d in self.differences}
        return {**shown, "changes": changes}


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in an order in which each is possible, and what the file does not name.

    `hidden` are the users whose e-mail address the file names and who asks may not see,
    `warnings` tell of names in lists that nobody has.
    """

    steps: tuple[Step, ...]
    unnamed: Mapping[str, Sequence[str]]
    hidden: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def compare(wanted: Wanted, found: Found, faults: Faults) -> Plan:
    """The steps from what a server has to what a file wants, in which there are those faults.

    Raises WrongUsage naming them, every reference to what is neither in the file nor on the
    server, every type that would change, and indexes that would inherit from themselves.
    """
    # Where the bases of an index cannot be read, there is no telling what inherits from what.
    has_bases = not faults.about("bases")
    _check_references(wanted, found, faults)
    order = _in_order_of_bases(wanted, found, faults) if has_bases else []
    faults.settle()
    steps = [
        *_user_steps(wanted, found),
        *_group_steps(wanted, found),
        *_index_steps(wanted, found, order),
        *_owner_steps(wanted, found, order),
    ]
    return Plan(
        tuple(steps),
        _unnamed(wanted, found),
        _hidden(wanted, found),
        tuple(_warnings(wanted, found)),
    )


# What makes no sense


def _check_references(wanted: Wanted, found: Found, faults: Faults) -> None:
    users = {*wanted.users, *found.users}
    indexes = {*wanted.indexes, *found.types}
    for name, group in wanted.groups.items():
        for member in group.get("members", ()):
            if member not in users:
                faults.add(f"groups.{name}.members", f"there is no user {member}")
    for name, index in wanted.indexes.items():
        place = f'indexes."{name}"'
        owner = name.partition("/")[0]
        if owner not in users:
            faults.add(place, f"there is no user {owner}")
        for base in index.bases or ():
            if base not in indexes:
                faults.add(f"{place}.bases", f"there is no index {base}")
        held = found.types.get(name, index.type)
        if held != index.type:
            rule = f"it is {index.type} here and {held} on the server; a type cannot be changed"
            faults.add(f"{place}.type", rule)


def _in_order_of_bases(wanted: Wanted, found: Found, faults: Faults) -> list[str]:
    """The indexes of the file, each after all from which it is going to inherit.

    In this order no index inherits from itself on the way either: when the turn of one comes,
    all that it will inherit from has its last bases already.
    """
    bases = {name: list(held) for name, held in found.bases.items()}
    for name, index in wanted.indexes.items():
        if index.bases is not None or name not in bases:
            bases[name] = list(index.bases or ())
    order: list[str] = []
    waiting = dict(bases)
    while waiting:
        ready = [name for name, left in waiting.items() if not set(left) & waiting.keys()]
        if not ready:
            circle = ", ".join(sorted(waiting.keys() & wanted.indexes.keys()))
            faults.add("indexes", f"some would inherit from themselves: look at {circle}")
            break
        order += ready
        for name in ready:
            del waiting[name]
    return [name for name in order if name in wanted.indexes]


# The steps


def _user_steps(wanted: Wanted, found: Found) -> Iterator[Step]:
    for name, fields in wanted.users.items():
        held = found.users.get(name)
        shown = {
            key: value
            for key, value in fields.items()
            if held is None or key in found.fields_shown_of(name)
        }
        yield from _step(Kind.USER, name, held, shown)


def _group_steps(wanted: Wanted, found: Found) -> Iterator[Step]:
    for name, fields in wanted.groups.items():
        yield from _step(Kind.GROUP, name, found.groups.get(name), fields)


def _index_steps(wanted: Wanted, found: Found, order: Sequence[str]) -> Iterator[Step]:
    for name in order:
        index, held = wanted.indexes[name], found.options.get(name)
        fields = dict(index.options) if held is not None else {"type": index.type, **index.options}
        yield from _step(Kind.INDEX, name, held, fields)


def _owner_steps(wanted: Wanted, found: Found, order: Sequence[str]) -> Iterator[Step]:
    for name in order:
        held = found.owners.get(name, {})
        for project, owners in wanted.indexes[name].owners.items():
            before = {"owners": list(held[project])} if project in held else None
            # A project without owners is not listed.
            if owners or before is not None:
                yield from _step(Kind.OWNERS, name, before, {"owners": owners}, project)


def _step(
    kind: Kind,
    name: str,
    held: Mapping[str, Any] | None,
    wanted: Mapping[str, Any],
    project: str = "",
) -> Iterator[Step]:
    """The step to what is wanted, if there is anything to do."""
    differences = tuple(
        Difference(key, None if held is None else held.get(key), value)
        for key, value in wanted.items()
        if held is None or not _is_held(key, value, held.get(key))
    )
    if held is None or differences:
        yield Step(kind, name, held is None, differences, project)


def _is_held(key: str, wanted: Any, held: Any) -> bool:
    if held is None:
        # Where there is no text, an empty one changes nothing that anybody sees.
        return bool(wanted == "")
    return same(key, wanted, held)


# Beside the file


def _unnamed(wanted: Wanted, found: Found) -> Mapping[str, Sequence[str]]:
    return {
        "users": sorted(set(found.users) - {"root", *wanted.users}),
        "groups": sorted(set(found.groups) - {*wanted.groups}),
        "indexes": sorted(set(found.types) - {*wanted.indexes}),
    }


def _warnings(wanted: Wanted, found: Found) -> Iterator[str]:
    """Names in access lists and among owners that nobody has: the server takes them."""
    groups = {f":{group}" for group in (*wanted.groups, *found.groups)}
    known = {*wanted.users, *found.users, *groups}
    for name, index in wanted.indexes.items():
        lists = {
            key: entries
            for key, entries in index.options.items()
            if is_access_list(key) and isinstance(entries, list)
        }
        owners = {f"owners.{project}": entries for project, entries in index.owners.items()}
        for key, entries in {**lists, **owners}.items():
            for sentence in nobody(entries, known):
                yield f'indexes."{name}".{key}: {sentence}'


def _hidden(wanted: Wanted, found: Found) -> tuple[str, ...]:
    return tuple(
        name
        for name, fields in wanted.users.items()
        if name in found.users and set(fields) - found.fields_shown_of(name)
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "nothing"
