"""Names of users, indexes and projects, each with a type of its own."""

import re
from dataclasses import dataclass
from typing import NewType

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from .errors import InvalidRequest

UserName = NewType("UserName", str)

ROOT = UserName("root")

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?", re.ASCII)
_NAME_RULE = (
    "use 1 to 64 ASCII letters, digits and '.', '_', '-', '@', starting and ending with a "
    "letter or digit"
)


def shown(value: object) -> str:
    """A value as a message quotes it: escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


def user_name(text: str) -> UserName:
    """Check a user's name.

    Raises InvalidRequest if it is not 1 to 64 characters of letters, digits and `._-@`.
    """
    if not _NAME.fullmatch(text):
        raise InvalidRequest.one("user", f"{shown(text)} is not a user name; {_NAME_RULE}")
    return UserName(text)


_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_NO_GROUPS = frozenset({"anonymous", "authenticated"})


def group_name(text: str) -> str:
    """Check a group's name, without the colon that it has in access lists.

    Raises InvalidRequest if it is not 1 to 64 characters of letters, digits and `._-`, or could
    be taken for `:ANONYMOUS:` or `:AUTHENTICATED:`.
    """
    if not _GROUP.fullmatch(text) or text.lower() in _NO_GROUPS:
        rule = (
            f"{shown(text)} is not a group's name; use 1 to 64 ASCII letters, digits and '.', "
            "'_', '-', starting and ending with a letter or digit, and neither 'anonymous' nor "
            "'authenticated'"
        )
        raise InvalidRequest.one("group", rule)
    return text


@dataclass(frozen=True, order=True, slots=True)
class IndexName:
    """The full name of an index, `user/index`."""

    user: UserName
    index: str

    def __str__(self) -> str:
        return f"{self.user}/{self.index}"

    @classmethod
    def checked(cls, user: str, index: str) -> "IndexName":
        """Build from two parts; raises InvalidRequest if one of them is not a name."""
        owner = user_name(user)
        if not _NAME.fullmatch(index):
            raise InvalidRequest.one("index", f"{shown(index)} is not an index name; {_NAME_RULE}")
        return cls(owner, index)

    @classmethod
    def parse(cls, text: str) -> "IndexName":
        """Read `user/index`; slashes around it are ignored, as devpi's clients send them.

        Raises InvalidRequest if it does not have exactly two parts that are names.
        """
        parts = text.strip().strip("/").split("/")
        if len(parts) != 2:
            raise InvalidRequest.one("index", f"{shown(text)} is not of the form user/index")
        return cls.checked(*parts)


ProjectName = NormalizedName
"""A project's name as normalised by PEP 503."""


def project_name(text: str) -> ProjectName:
    """Check and normalise a project's name (PEP 503, PEP 508).

    Raises InvalidRequest for anything that is not a valid name: empty, non-ASCII, or starting
    or ending with something other than a letter or digit.
    """
    try:
        if len(text) > 200:
            raise InvalidName("too long")
        return canonicalize_name(text, validate=True)
    except InvalidName:
        rule = (
            f"{shown(text)} is not a project name; use up to 200 ASCII letters, digits and '.', "
            "'_', '-', starting and ending with a letter or digit"
        )
        raise InvalidRequest.one("name", rule) from None
