"""What a unit of work holds of accounts beside users and tokens: groups, guessed passwords."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.identity import Group
from stillroom_server.domain.names import UserName


class Groups(Protocol):
    """Groups and their members."""

    def get(self, name: str) -> Group | None:
        """The group of that name."""

    def all(self) -> list[Group]:
        """All groups with their members, by name."""

    def add(self, group: Group) -> Group:
        """Store a new group (its `id` is ignored); Conflict if the name is taken.

        NotFound if a member does not exist.
        """

    def change(self, group: Group) -> None:
        """Store the description and the members of a group, found by `id`; NotFound as above."""

    def delete(self, group: Group) -> None:
        """Delete the group."""

    def of_user(self, user: UserName) -> frozenset[str]:
        """The names of the groups that a user is in."""


@dataclass(frozen=True, slots=True)
class GuessCounts:
    """How many guesses of passwords stand against a user, an address and everybody.

    `oldest_…` is when the first of those was made; None where there are none.
    """

    user: int
    address: int
    everybody: int
    oldest_of_user: datetime | None
    oldest_of_address: datetime | None
    oldest: datetime | None


class PasswordGuesses(Protocol):
    """Guesses of passwords that are being checked or were wrong. Takes no serial."""

    def counts(self, user: str, address: str, after: datetime) -> GuessCounts:
        """The guesses made after a time: against a user, from an address, and all."""

    def add(self, user: str, address: str, at: datetime) -> int:
        """Note a guess before it is checked; its id."""

    def delete(self, guess_id: int) -> None:
        """Take a guess back; one that is gone already is passed over."""

    def forget(self, user: str) -> int:
        """Delete all that stands against a user; how many there were."""

    def delete_before(self, at: datetime) -> int:
        """Delete the guesses made at a time or before it; how many there were."""
