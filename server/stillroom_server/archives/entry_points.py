"""What `entry_points.txt` may say (the Entry points specification)."""

import re

from stillroom_server.domain.errors import Fault

from .bounds import content_fault, listed

_GROUP = re.compile(r"\[(.+)\]")
# Installers write files of these names into a folder of programs. In other groups a name is
# just a key, and some plugins do have slashes in it.
_SCRIPT_GROUPS = frozenset({"console_scripts", "gui_scripts"})
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")


def entry_point_faults(raw: bytes) -> list[Fault]:
    """What is wrong with the content of an `entry_points.txt`.

    It is read line by line, as `importlib.metadata` does it: a stricter reader would take an
    indented line for the rest of the one before it, and miss a name in it.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return [content_fault("entry_points.txt must be UTF-8")]
    unsafe, unreadable = [], []
    group = None
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if found := _GROUP.fullmatch(line):
            group = found[1].strip()
            continue
        name, equals, _target = (part.strip() for part in line.partition("="))
        if not name or not equals or group is None:
            unreadable.append(line)
        elif group in _SCRIPT_GROUPS and (_UNSAFE.search(name) or name in {".", ".."}):
            unsafe.append(name)
    faults = []
    if unreadable:
        rule = f"entry_points.txt must hold groups of 'name = target': {listed(unreadable)}"
        faults.append(content_fault(rule))
    if unsafe:
        faults.append(content_fault(f"names of scripts must not be paths: {listed(unsafe)}"))
    return faults
