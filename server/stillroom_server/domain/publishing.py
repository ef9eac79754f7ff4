"""Trusted publishers: whoever an issuer says they are, by claims that an administrator names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .identity import Action, Grant
from .names import IndexName, ProjectName, UserName


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs identity tokens (OpenID Connect): `url` is the claim `iss`, to the letter."""

    id: int
    url: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who may act for `user` in `index`: bearers of identity tokens whose claims match.

    `claims` are patterns by the name of a claim, in which `*` stands for any characters. All of
    them must match.
    """

    id: str
    issuer: str
    index: IndexName
    user: UserName
    claims: Mapping[str, str]
    actions: frozenset[Action]
    projects: frozenset[ProjectName] | None
    note: str
    created: datetime

    @property
    def grant(self) -> Grant:
        """What a token made for it may be used for."""
        return Grant(self.actions, frozenset({self.index}), self.projects)
