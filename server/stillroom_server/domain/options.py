"""Options of an index: declared once, read from strings or JSON, changed by operations.

devpi's clients send `"True"`, `"a,b"` and lists alike, and PATCH either a dict of values or a
list of `key=value`, `key+=value`, `key-=value` and `key-=` operations.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from .errors import Fault, InvalidRequest
from .identity import ANONYMOUS, AUTHENTICATED
from .names import IndexName, shown
from .upstream_urls import has_dot_segments, is_host
from .vendors import expand

OptionValue = bool | int | str | tuple[str, ...]
Kind = Literal["boolean", "seconds", "bytes", "text", "url", "list"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name, what it holds, what it is unless said, and what it means.

    `check` gets one item of a list, or the whole value, and returns it in its canonical form;
    it raises ValueError with the rule that is broken.
    """

    name: str
    kind: Kind
    default: OptionValue | None
    help: str
    check: Callable[[str], str] | None = None

    def read(self, raw: object) -> OptionValue:
        """Turn a string or a JSON value into the option's own type; ValueError says the rule."""
        return _READERS[self.kind](self, raw)


def _boolean(_option: Option, raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in {"true", "yes", "1"}:
        return True
    if isinstance(raw, str) and raw.lower() in {"false", "no", "0"}:
        return False
    raise ValueError(f"{shown(raw)} is neither true nor false")


def _seconds(_option: Option, raw: object) -> int:
    return _number(raw, "seconds", digits=9)


def _bytes(_option: Option, raw: object) -> int:
    return _number(raw, "bytes", digits=18)


def _number(raw: object, unit: str, *, digits: int) -> int:
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    if isinstance(text, str) and re.fullmatch(rf"[0-9]{{1,{digits}}}", text, re.ASCII):
        return int(text)
    raise ValueError(f"{shown(raw)} is not a whole number of {unit}")


def _text(option: Option, raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"{shown(raw)} is not text")  # noqa: TRY004 - one kind of error for the caller
    if len(raw) > 10_000 or "\0" in raw:
        raise ValueError("it must be under 10,000 characters and hold no NUL")
    return option.check(raw) if option.check else raw


def _list(option: Option, raw: object) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"{shown(raw)} is not a list of strings")
    stripped = [item.strip() for item in items if item.strip()]
    checked = [option.check(item) if option.check else item for item in stripped]
    return tuple(dict.fromkeys(checked))


_READERS: Mapping[Kind, Callable[[Option, object], OptionValue]] = {
    "boolean": _boolean,
    "seconds": _seconds,
    "bytes": _bytes,
    "text": _text,
    "url": _text,
    "list": _list,
}


# Checks of single values


def check_base(text: str) -> str:
    """One entry of `bases`: user/index."""
    try:
        return str(IndexName.parse(text))
    except InvalidRequest:
        raise ValueError(f"{shown(text)} is not of the form user/index") from None


def check_principal(text: str) -> str:
    """One entry of an access list: a user, a :group, :ANONYMOUS: or :AUTHENTICATED:."""
    if text.upper() in {ANONYMOUS, AUTHENTICATED}:
        return text.upper()
    if not re.fullmatch(r":?[A-Za-z0-9][A-Za-z0-9._@-]{0,126}", text, re.ASCII):
        raise ValueError(f"{shown(text)} is not a user, a :group, {ANONYMOUS} or {AUTHENTICATED}")
    return text


def check_project_or_all(text: str) -> str:
    """One entry of `mirror_whitelist`: a project's name, or `*` for all."""
    if text == "*":
        return text
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text, re.ASCII):
        raise ValueError(f"{shown(text)} is neither a project's name nor '*'")
    return canonicalize_name(text)


def check_pattern(text: str) -> str:
    """One entry of `reserved`: a project's name, where `*` stands for any characters."""
    if not re.fullmatch(r"[A-Za-z0-9*]([A-Za-z0-9._*-]*[A-Za-z0-9*])?", text, re.ASCII):
        raise ValueError(f"{shown(text)} is not a project's name, with or without '*'")
    return canonicalize_name(text)


def check_first_upload(text: str) -> str:
    """`first_upload`: one of its words."""
    if text.lower() not in {"open", "restricted", "approval"}:
        raise ValueError(f"{shown(text)} is none of open, restricted, approval")
    return text.lower()


def check_upstream_url(text: str) -> str:
    """`mirror_url`: the URL of an index, or a vendor's short form for one; see `check_url`."""
    return check_url(expand(text))


def check_url(text: str) -> str:
    """An http(s) URL without credentials, dot segments, query or fragment; gets its slash.

    The text is not repeated: somebody may have put a password into it.
    """
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not an http or https URL")
    if not is_host(parts.hostname):
        raise ValueError("its host is neither an address nor a valid name")
    if "@" in parts.netloc:
        raise ValueError("it must hold no user name or password: every reader can see options")
    if "?" in text or "#" in text or re.search(r"[\s\x00-\x1f]", text.strip()):
        raise ValueError("it must hold no query, fragment or white space")
    if has_dot_segments(parts.path):
        raise ValueError("it must hold no '.' or '..' between slashes, however encoded")
    return text.strip().rstrip("/") + "/"


# Reading and changing a set of options

Options = Mapping[str, OptionValue]


def read_options(declared: Sequence[Option], raw: Mapping[str, object]) -> dict[str, OptionValue]:
    """Read the given values, keeping only what was given.

    Raises InvalidRequest naming every unknown option and every value that breaks a rule.
    """
    by_name = {option.name: option for option in declared}
    faults: list[Fault] = []
    values: dict[str, OptionValue] = {}
    for key, value in raw.items():
        option = by_name.get(key)
        if option is None:
            faults.append(_unknown(key, by_name))
            continue
        try:
            values[key] = option.read(value)
        except ValueError as error:
            faults.append(Fault(key, str(error)))
    if faults:
        raise InvalidRequest(faults)
    return values


def _unknown(key: str, known: Iterable[str]) -> Fault:
    return Fault(key, f"unknown option; there are {', '.join(sorted(known))}")


MAX_OPERATIONS = 100
"""Operations of one change; one of them may name as many items of a list as need be."""

_OPERATION = re.compile(
    r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<sign>\+=|-=|=)(?P<value>.*)", re.DOTALL
)


def apply_operations(
    declared: Sequence[Option], current: Options, operations: Sequence[object]
) -> dict[str, OptionValue]:
    """Apply `key=value`, `key+=value`, `key-=value` and `key-=` in order, to a copy.

    `+=` and `-=` with a value work on lists; `key-=` removes an option. It is refused for one
    that has a default, as devpi does, because it would change its value unseen. Raises
    InvalidRequest naming every operation that cannot be done, and for more than 100 of them.
    """
    if len(operations) > MAX_OPERATIONS:
        raise InvalidRequest.one(
            "body", f"it must hold at most {MAX_OPERATIONS} operations; send more in a second one"
        )
    by_name = {option.name: option for option in declared}
    faults: list[Fault] = []
    values: dict[str, OptionValue] = dict(current)
    for operation in operations:
        match = _OPERATION.fullmatch(operation) if isinstance(operation, str) else None
        if match is None:
            faults.append(
                Fault(
                    "operation", f"{shown(operation)} is not key=value, key+=value or key-=value"
                )
            )
            continue
        key, sign, value = match["key"], match["sign"], match["value"]
        option = by_name.get(key)
        if option is None:
            faults.append(_unknown(key, by_name))
            continue
        try:
            _apply(option, sign, value, values)
        except ValueError as error:
            faults.append(Fault(key, str(error)))
    if faults:
        raise InvalidRequest(faults)
    return values


def _apply(option: Option, sign: str, value: str, values: dict[str, OptionValue]) -> None:
    key = option.name
    if sign == "=":
        values[key] = option.read(value)
        return
    if sign == "-=" and not value:
        if option.default is not None:
            raise ValueError("an option with a default cannot be removed; set it with key=value")
        values.pop(key, None)
        return
    if option.kind != "list":
        raise ValueError(f"{sign} works on lists only; set it with {key}=value")
    items = option.read(value)
    held = values.get(key, ())
    assert isinstance(items, tuple)
    assert isinstance(held, tuple)
    if sign == "+=":
        values[key] = tuple(dict.fromkeys((*held, *items)))
        return
    missing = [item for item in items if item not in held]
    if missing:
        raise ValueError(f"it does not hold {', '.join(missing)}")
    values[key] = tuple(item for item in held if item not in items)
