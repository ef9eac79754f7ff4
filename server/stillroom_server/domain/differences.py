"""What a change made of values, as JSON for the audit."""

from collections.abc import Iterable, Mapping
from typing import Any

MAX_TEXT = 200
"""Characters of a text that are told; of a longer one the last is an ellipsis."""


def differences(
    before: Mapping[str, object], after: Mapping[str, object]
) -> dict[str, dict[str, Any]]:
    """What differs, by name: entries `added` to and `removed` from lists, else `from` and `to`.

    A list with the same entries in another order is told whole; what is not there is null.
    """
    names = sorted({*before, *after})
    return {
        name: _difference(before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    }


def beyond(defaults: Mapping[str, object], values: Mapping[str, object]) -> dict[str, object]:
    """The values that are not the defaults, by name."""
    return {
        name: _told(value) for name, value in sorted(values.items()) if value != defaults.get(name)
    }


def _difference(before: object, after: object) -> dict[str, Any]:
    old = before if isinstance(before, tuple) else ()
    new = after if isinstance(after, tuple) else ()
    sides = {"added": _without(new, old), "removed": _without(old, new)}
    told = {side: entries for side, entries in sides.items() if entries}
    return told or {"from": _told(before), "to": _told(after)}


def _without(entries: Iterable[object], others: tuple[object, ...]) -> list[object]:
    left_out = frozenset(others)
    return [entry for entry in entries if entry not in left_out]


def _told(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[: MAX_TEXT - 1]}…"
    return value
