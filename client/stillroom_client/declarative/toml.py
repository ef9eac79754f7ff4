"""Writing TOML (1.0), as much of it as a file of `plan` needs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
_WIDTH = 99
"""Characters up to which a list stays on its line."""


def lines(document: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The lines of a document of tables by name in tables by name, such as `[users.ana]`.

    A value is a text, a truth, a whole number or a list of texts, or again a table, which comes
    after the values that are none. Tables stand apart by empty lines.
    """
    tables = [
        text
        for name, entries in document.items()
        for entry, table in entries.items()
        for text in _table((name, entry), table)
    ]
    for number, table in enumerate(tables):
        if number:
            yield ""
        yield from table


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[list[str]]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    head = f"[{'.'.join(map(_key, path))}]"
    yield [head, *(f"{_key(key)} = {_value(_key(key), value)}" for key, value in values.items())]
    for key, value in table.items():
        if key not in values:
            yield from _table((*path, key), value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    listed = [_text(entry) for entry in value]
    on_a_line = f"[{', '.join(listed)}]"
    if len(key) + len(" = ") + len(on_a_line) <= _WIDTH:
        return on_a_line
    return "\n".join(["[", *(f"    {entry}," for entry in listed), "]"])


def _text(text: str) -> str:
    """A basic string. What does not show is escaped, so that neither editor nor terminal acts."""
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
