"""Which names the members of an archive may have, and where links may point."""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from stillroom_server.domain.errors import Fault

from .bounds import content_fault, listed

_MAX_NAME_BYTES = 1024
_MAX_DEPTH = 100

# Control characters, the backslash (a separator on Windows), and the marks that change the
# direction of text, which make a name look like another.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"[A-Za-z]:")


def name_faults(names: Iterable[str]) -> list[Fault]:
    """What is wrong with the names of all members, one fault for each rule.

    The name of a directory ends in a slash. Nothing is repaired: what one tool would repair,
    another would not, and they would unpack different trees.
    """
    ordered = sorted((_key(name), name) for name in names)
    broken: dict[str, list[str]] = {}
    for _, name in ordered:
        rule = _broken_rule(name)
        if rule:
            broken.setdefault(rule, []).append(name)
    for (key, name), (next_key, next_name) in pairwise(ordered):
        if key == next_key:
            broken.setdefault(_TWICE, []).append(next_name)
        elif next_key.startswith(key + "\0") and not name.endswith("/"):
            broken.setdefault(_BELOW_FILE, []).append(next_name)
    return [content_fault(f"{rule}: {listed(found)}") for rule, found in broken.items()]


_TWICE = "no two members may have one name, not even in another case or Unicode form"
_BELOW_FILE = "no member may lie below a file or link"


def _key(name: str) -> str:
    # Equal for names that are one file on some file system. The separator becomes the lowest
    # character, so that a sorted list has what is below a name directly after it.
    path = name.removesuffix("/")
    if path.isascii():
        folded = path.lower()
    else:
        folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
    return folded.replace("/", "\0")


def _broken_rule(name: str) -> str | None:
    if _UNSAFE.search(name):
        return "names of members must not hold control characters or backslashes"
    if name.startswith("/") or _DRIVE.match(name):
        return "names of members must not be absolute"
    parts = name.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        return "names of members must not have parts that are empty, '.' or '..'"
    if len(parts) > _MAX_DEPTH or len(name.encode()) > _MAX_NAME_BYTES:
        return f"names of members must not be over {_MAX_NAME_BYTES} bytes or {_MAX_DEPTH} parts"
    return None


def link_stays_inside(name: str, target: str) -> bool:
    """Whether a symbolic link of that name points into the top-level directory it lies in.

    `..` may only stand at the start of the target: after the name of another link it would lead
    to where that one points.
    """
    if _UNSAFE.search(target) or target.startswith("/") or _DRIVE.match(target):
        return False
    parts = [part for part in target.split("/") if part not in {"", "."}]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    # Of the link's own name, the last part is itself and the first the top-level directory.
    return ".." not in parts[ups:] and ups <= name.count("/") - 1
