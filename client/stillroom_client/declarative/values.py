"""Values of a file in the form in which the server gives them back.

Where the server takes several spellings for one value (`"true"`, `a,b`, `Name_With.Dots`, a URL
without its slash), so does a file; compared is what both of them mean. Every reader raises
ValueError with the rule that a value breaks.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from packaging.utils import InvalidName, canonicalize_name

from ..principals import EVERYBODY

Reader = Callable[[Any], Any]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?", re.ASCII)
_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_PRINCIPAL = re.compile(r":?[A-Za-z0-9][A-Za-z0-9._@-]{0,126}", re.ASCII)
_MOST_CHARACTERS = 10_000


def boolean(value: Any) -> bool:
    """True or false, also as text."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in {"true", "yes", "1", "false", "no", "0"}:
        raise ValueError("it must be true or false")
    return word in {"true", "yes", "1"}


def whole(unit: str, *, digits: int) -> Reader:
    """A whole number of so many digits, also as text."""

    def read(value: Any) -> int:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        written = str(value) if is_number else value
        if isinstance(written, str) and re.fullmatch(rf"[0-9]{{1,{digits}}}", written, re.ASCII):
            return int(written)
        raise ValueError(f"it must be a whole number of {unit}")

    return read


def text(value: Any) -> str:
    """Text for people."""
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS or "\0" in value:
        raise ValueError(f"it must be text of up to {_MOST_CHARACTERS:,} characters")
    return value


def first_upload(value: Any) -> str:
    """Who may bring a new project."""
    word = value.lower() if isinstance(value, str) else ""
    if word not in {"open", "restricted", "approval"}:
        raise ValueError("it must be open, restricted or approval")
    return word


def list_of(item: Callable[[str], str]) -> Reader:
    """A list of texts, or one text with commas; each entry once."""

    def read(value: Any) -> list[str]:
        entries = value.split(",") if isinstance(value, str) else value
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise ValueError("it must be a list of texts")
        stripped = [entry.strip() for entry in entries if entry.strip()]
        return list(dict.fromkeys(item(entry) for entry in stripped))

    return read


def url(value: Any) -> str:
    """The base URL of an upstream, which ends in a slash."""
    parts = urlsplit(value.strip()) if isinstance(value, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        # A vendor's short form would be compared with the URL that the server makes of it.
        raise ValueError("it must be a whole http or https URL, as `stillroom index show` has it")
    return f"{value.strip().rstrip('/')}/"


# Entries of lists


def user_name(entry: str) -> str:
    """A user."""
    if not _NAME.fullmatch(entry):
        raise ValueError(f"{entry[:80]!r} is not the name of a user")
    return entry


def group_name(entry: str) -> str:
    """A group, without a colon."""
    if not _GROUP.fullmatch(entry) or f":{entry.upper()}:" in EVERYBODY:
        raise ValueError(f"{entry[:80]!r} is not the name of a group")
    return entry


def owner(entry: str) -> str:
    """A user or a `:group`, which a plugin of the server may know and the server not."""
    if entry.upper() in EVERYBODY or not _PRINCIPAL.fullmatch(entry):
        raise ValueError(f"{entry[:80]!r} is not a user or a :group")
    return entry


def principal(entry: str) -> str:
    """A user, a `:group`, or one of the two words for everybody."""
    return entry.upper() if entry.upper() in EVERYBODY else owner(entry)


def index_name(entry: str) -> str:
    """The full name of an index."""
    parts = entry.strip("/").split("/")
    if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
        raise ValueError(f"{entry[:80]!r} is not of the form user/index")
    return "/".join(parts)


def project_name(entry: str) -> str:
    """A project, normalised (PEP 503)."""
    try:
        return str(canonicalize_name(entry, validate=True))
    except InvalidName:
        raise ValueError(f"{entry[:80]!r} is not the name of a project") from None


def project_or_all(entry: str) -> str:
    """A project, or `*` for all."""
    return entry if entry == "*" else project_name(entry)


def pattern(entry: str) -> str:
    """The name of a project, where `*` stands for any characters."""
    if not re.fullmatch(r"[A-Za-z0-9*]([A-Za-z0-9._*-]*[A-Za-z0-9*])?", entry, re.ASCII):
        raise ValueError(f"{entry[:80]!r} is not the name of a project, with or without '*'")
    return str(canonicalize_name(entry))


def upstream_url(entry: str) -> str:
    """An equivalent upstream."""
    return url(entry)


# Options

_COMMON: Mapping[str, Reader] = {
    "acl_read": list_of(principal),
    "acl_delete": list_of(principal),
    "acl_admin": list_of(principal),
    "reserved": list_of(pattern),
    "title": text,
}

OPTIONS: Mapping[str, Mapping[str, Reader]] = {
    "stage": {
        **_COMMON,
        "bases": list_of(index_name),
        "volatile": boolean,
        "acl_upload": list_of(principal),
        "owned_projects": boolean,
        "first_upload": first_upload,
        "mirror_whitelist": list_of(project_or_all),
        "shadow_mirrors": boolean,
        "description": text,
    },
    "mirror": {
        **_COMMON,
        "mirror_url": url,
        "mirror_fallback_urls": list_of(upstream_url),
        "mirror_cache_expiry": whole("seconds", digits=9),
        "mirror_no_project_list": boolean,
        "mirror_keep_delisted": boolean,
        "mirror_use_external_urls": boolean,
        "mirror_metadata_only": boolean,
        "mirror_size_budget": whole("bytes", digits=18),
    },
}
"""The options of the types of index that every server has, and how each is read.

What a plugin's types have is for the server to say: there, values are compared as they stand.
"""

OF_MIRRORS = OPTIONS["mirror"].keys() - OPTIONS["stage"].keys()
"""What only mirrors have."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "stage": {
        "bases": [],
        "volatile": True,
        "owned_projects": False,
        "first_upload": "open",
        "mirror_whitelist": [],
        "shadow_mirrors": True,
        "reserved": [],
    },
    "mirror": {
        "mirror_fallback_urls": [],
        "mirror_cache_expiry": 600,
        "mirror_no_project_list": False,
        "mirror_keep_delisted": False,
        "mirror_use_external_urls": False,
        "mirror_metadata_only": False,
        "mirror_size_budget": 0,
        "reserved": [],
    },
}
"""What options are unless they are said, but for access lists and those that have no default.

Of access lists settings of the server and the owner of the index have a say.
"""

ORDERED = frozenset({"bases", "mirror_fallback_urls"})
"""The lists whose order means something."""


def is_access_list(key: str) -> bool:
    """Whether an option says who may do something; an index of a plugin's type has such, too."""
    return key.startswith("acl_")


def same(key: str, wanted: Any, held: Any) -> bool:
    """Whether an option has its value, however the entries of a list are ordered."""
    if isinstance(wanted, list) and isinstance(held, list) and key not in ORDERED:
        return set(map(str, wanted)) == set(map(str, held))
    return bool(wanted == held) and isinstance(wanted, bool) == isinstance(held, bool)
