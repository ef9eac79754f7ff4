"""What a unit of work holds of trusted publishing."""

from datetime import datetime
from typing import Protocol

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.publishing import Issuer, Publisher


class Publishers(Protocol):
    """Issuers of identity tokens, trusted publishers, and the identity tokens that were used."""

    def issuer(self, url: str) -> Issuer | None:
        """The issuer of that URL."""

    def issuers(self) -> list[Issuer]:
        """All issuers, by URL."""

    def add_issuer(self, issuer: Issuer) -> Issuer:
        """Store a new issuer (its `id` is ignored); Conflict if it is there."""

    def delete_issuer(self, issuer: Issuer) -> None:
        """Delete an issuer; Conflict while publishers refer to it."""

    def is_used(self) -> bool:
        """Whether any index has a publisher."""

    def all(self) -> list[Publisher]:
        """The publishers of all indexes, oldest first."""

    def of_issuer(self, issuer: Issuer) -> list[Publisher]:
        """The publishers of an issuer, oldest first."""

    def of_index(self, index: Index) -> list[Publisher]:
        """The publishers of an index, oldest first."""

    def add(self, publisher: Publisher) -> None:
        """Store a new publisher; NotFound if its issuer, index or user is gone."""

    def delete(self, index: Index, publisher_id: str) -> bool:
        """Delete one; False if the index has none of that id."""

    def use(self, issuer: Issuer, token_id: str, expires: datetime) -> bool:
        """Note that an identity token is used; False if it was used before."""

    def forget_used(self, before: datetime) -> int:
        """Delete what expired before a time; how many there were."""
