"""Groups: create, change, delete; and what goes when a name in access lists goes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stillroom_server.domain.access import LISTS
from stillroom_server.domain.differences import differences
from stillroom_server.domain.errors import Conflict, InvalidRequest, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Group, Identity
from stillroom_server.domain.names import UserName, user_name
from stillroom_server.domain.options import (
    Option,
    Options,
    OptionValue,
    apply_operations,
    read_options,
)

from .changes import changing
from .owners import forget_owner
from .ports import Clock, Database, Unit

Patch = Mapping[str, object] | Sequence[object]
"""A dict of new values, or a list of `key=value`, `members+=a,b`, `members-=a`."""


def _check_member(text: str) -> str:
    try:
        return user_name(text)
    except InvalidRequest as invalid:
        raise ValueError(invalid.faults[0].rule) from None


FIELDS = (
    Option("description", "text", None, "What it is for, for people."),
    Option("members", "list", (), "The users who are in it.", _check_member),
)


class GroupService:
    """Groups, as root keeps them and everybody who is logged in sees them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> list[Group]:
        """All groups with their members, by name."""
        with self._database.reading() as unit:
            return unit.groups.all()

    def get(self, name: str) -> Group:
        """One group; raises NotFound."""
        with self._database.reading() as unit:
            return _existing(unit, name)

    def create(self, identity: Identity, name: str, body: Mapping[str, object]) -> Group:
        """Create a group from `description` and `members`, both of which may be left out.

        Raises InvalidRequest naming all faults, Conflict if it exists.
        """
        values = read_options(FIELDS, body)
        with changing(self._database, identity) as unit:
            if unit.groups.get(name) is not None:
                raise Conflict(f"Group {name} exists already; change it, or use another name.")
            group = _with_values(Group(0, name, self._clock()), values)
            _check_members(unit, group.members)
            group = unit.groups.add(group)
            details = {"group": name, "members": list(group.members)}
            unit.journal.record(Event.by(identity, EventKind.GROUP_CREATED, details=details))
        return group

    def change(self, identity: Identity, name: str, patch: Patch) -> Group:
        """Change description and members; what is not named stays as it is.

        Raises NotFound, and InvalidRequest as `create` does.
        """
        with changing(self._database, identity) as unit:
            before = _existing(unit, name)
            after = _patched(before, patch)
            if after != before:
                _check_members(unit, set(after.members).difference(before.members))
                unit.groups.change(after)
                _record_change(unit, identity, before, after)
        return after

    def delete(self, identity: Identity, name: str) -> None:
        """Delete a group, and take it out of all lists; raises NotFound."""
        with changing(self._database, identity) as unit:
            group = _existing(unit, name)
            unit.groups.delete(group)
            forget_principal(unit, identity, f":{name}")
            details = {"group": name, "members": list(group.members)}
            unit.journal.record(Event.by(identity, EventKind.GROUP_DELETED, details=details))


def forget_member(unit: Unit, identity: Identity, user: UserName) -> None:
    """Take a user who is to be deleted out of all groups, lists and owners of projects."""
    for name in sorted(unit.groups.of_user(user)):
        before = _existing(unit, name)
        after = replace(before, members=tuple(m for m in before.members if m != user))
        unit.groups.change(after)
        _record_change(unit, identity, before, after)
    forget_principal(unit, identity, user)


def forget_principal(unit: Unit, identity: Identity, principal: str) -> None:
    """Take a user or `:group` that is gone out of all access lists and owners of projects.

    Whoever is made under that name later must not find rights that were given to another.
    """
    forget_owner(unit, identity, principal)
    changes = []
    for index in unit.indexes.naming(principal):
        left = _without(index.options, principal)
        if left:
            options = {**index.options, **left}
            changes.append((index, options))
            details = {"options": differences(index.options, options)}
            event = Event.by(identity, EventKind.INDEX_CHANGED, index=index.name, details=details)
            unit.journal.record(event)
    unit.indexes.change_lists(changes)


def is_named(unit: Unit, principal: str) -> bool:
    """Whether an access list or a project names a user or `:group`, who need not exist."""
    listing = unit.indexes.naming(principal)
    return unit.owners.has(principal) or any(_without(i.options, principal) for i in listing)


def _without(options: Options, principal: str) -> dict[str, OptionValue]:
    """Those access lists that name the principal, as they are without it."""
    lists = {option: options.get(option) for option in LISTS.values()}
    return {
        option: tuple(entry for entry in entries if entry != principal)
        for option, entries in lists.items()
        if isinstance(entries, tuple) and principal in entries
    }


def _existing(unit: Unit, name: str) -> Group:
    group = unit.groups.get(name)
    if group is None:
        raise NotFound(f"There is no group {name}.")
    return group


def _patched(group: Group, patch: Patch) -> Group:
    if isinstance(patch, Mapping):
        return _with_values(group, read_options(FIELDS, patch))
    held: dict[str, OptionValue] = {"members": tuple(group.members)}
    if group.description is not None:
        held["description"] = group.description
    changed = apply_operations(FIELDS, held, patch)
    return _with_values(group, {"description": "", **changed})


def _with_values(group: Group, values: Options) -> Group:
    """The group with new values; an empty description is none."""
    members = values.get("members", group.members)
    assert isinstance(members, tuple)
    return replace(
        group,
        description=str(values.get("description", group.description or "")) or None,
        members=tuple(sorted(UserName(member) for member in members)),
    )


def _check_members(unit: Unit, members: Sequence[UserName] | set[UserName]) -> None:
    missing = sorted(name for name in members if unit.users.get(name) is None)
    if missing:
        rule = f"there is no user {', '.join(missing)}; root creates users"
        raise InvalidRequest.one("members", rule)


def _record_change(unit: Unit, identity: Identity, before: Group, after: Group) -> None:
    """Tell what changed: who came and who went, and whether it is described differently."""
    details: dict[str, object] = {
        "group": after.name,
        "added": sorted(set(after.members).difference(before.members)),
        "removed": sorted(set(before.members).difference(after.members)),
        "fields": ["description"] if before.description != after.description else [],
    }
    unit.journal.record(Event.by(identity, EventKind.GROUP_CHANGED, details=details))
