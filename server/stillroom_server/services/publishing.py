"""Trusted publishers: which issuers are believed, and whom an index takes at their word."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Action, Identity
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.publishing import Issuer, Publisher, check_issuer_url

from .access import REFUSED
from .changes import changing
from .ports import Clock, Database, Unit
from .tokens import forget_publisher

MAX_NAMED = 5
"""Indexes that a refusal to remove an issuer names."""


@dataclass(frozen=True, slots=True)
class NewPublisher:
    """A publisher that somebody wants: `user` is None where they mean themselves."""

    issuer: str
    claims: Mapping[str, str]
    actions: frozenset[Action]
    projects: frozenset[ProjectName] | None
    user: UserName | None
    note: str


class Publishing:
    """Issuers for root, publishers for who administers an index."""

    def __init__(
        self,
        database: Database,
        private: PrivateUpstreams,
        clock: Clock,
        *,
        user_publishers: bool,
    ) -> None:
        self._database = database
        self._private = private
        self._clock = clock
        self._user_publishers = user_publishers

    # Issuers

    def issuers(self) -> list[Issuer]:
        """All issuers, by URL."""
        with self._database.reading() as unit:
            return unit.publishers.issuers()

    def add_issuer(self, identity: Identity, url: str) -> Issuer:
        """Believe an issuer from now on.

        Raises InvalidRequest for a URL from which no keys may be fetched, and Conflict if it is
        there already.
        """
        check_issuer_url(url, self._private)
        with changing(self._database, identity) as unit:
            issuer = unit.publishers.add_issuer(Issuer(0, url, self._clock()))
            details = {"id": issuer.id, "issuer": url}
            unit.journal.record(Event.by(identity, EventKind.ISSUER_ADDED, details=details))
        return issuer

    def remove_issuer(self, identity: Identity, issuer_id: str) -> Issuer:
        """Believe an issuer no more; NotFound, or Conflict naming who has publishers of it."""
        with changing(self._database, identity) as unit:
            known = {str(issuer.id): issuer for issuer in unit.publishers.issuers()}
            if issuer_id not in known:
                raise NotFound(f"There is no issuer with the id {issuer_id}.")
            issuer = known[issuer_id]
            trusting = unit.publishers.of_issuer(issuer)
            if trusting:
                raise Conflict(_still_trusted(issuer, trusting))
            unit.publishers.delete_issuer(issuer)
            details = {"id": issuer.id, "issuer": issuer.url}
            unit.journal.record(Event.by(identity, EventKind.ISSUER_REMOVED, details=details))
        return issuer

    # Publishers

    def publishers(self) -> list[Publisher]:
        """The publishers of all indexes, oldest first."""
        with self._database.reading() as unit:
            return unit.publishers.all()

    def of_index(self, name: IndexName) -> list[Publisher]:
        """The publishers of an index, oldest first; raises NotFound."""
        with self._database.reading() as unit:
            return unit.publishers.of_index(_index(unit, name))

    def add(self, identity: Identity, name: IndexName, wanted: NewPublisher) -> Publisher:
        """Let bearers of certain identity tokens act for a user in an index.

        Raises Forbidden unless root asks, or where the settings allow it somebody for themselves,
        and for a limited token; NotAuthenticated if nobody is logged in, since nobody's rights
        could be handed on; InvalidRequest for an issuer that root has not named; NotFound.
        """
        publisher = self._new(identity, name, wanted)
        with changing(self._database, identity) as unit:
            _index(unit, name)
            if unit.publishers.issuer(publisher.issuer) is None:
                raise InvalidRequest.one(
                    "issuer",
                    "it is none that root has added, to the letter; root adds it with "
                    "`stillroom issuer add`",
                )
            unit.publishers.add(publisher)
            unit.journal.record(_event(identity, EventKind.PUBLISHER_ADDED, publisher))
        return publisher

    def _new(self, identity: Identity, name: IndexName, wanted: NewPublisher) -> Publisher:
        user = wanted.user or identity.user
        if user is None:
            raise NotAuthenticated(REFUSED)
        if identity.limits is not None:
            raise Forbidden(
                "Not allowed: the token in use is limited, and a publisher would outlive it; log "
                "in to add one."
            )
        if not (identity.is_root or self._user_publishers):
            raise Forbidden(
                "Not allowed: only root adds trusted publishers here, because those of several "
                "users for the same job stand in each other's way (setting user_publishers)."
            )
        if user != identity.user and not identity.is_root:
            raise Forbidden(
                f"Not allowed: a publisher that acts as {user} can only be added by {user}, who "
                f"needs the right to administer {name}, or by root."
            )
        return Publisher(
            id=secrets.token_hex(6),
            issuer=wanted.issuer,
            index=name,
            user=user,
            claims=wanted.claims,
            actions=wanted.actions,
            projects=wanted.projects,
            note=wanted.note,
            created=self._clock(),
        )

    def remove(self, identity: Identity, name: IndexName, publisher_id: str) -> None:
        """Trust a publisher no more, and end the tokens made for it; raises NotFound."""
        with changing(self._database, identity) as unit:
            index = _index(unit, name)
            known = {publisher.id: publisher for publisher in unit.publishers.of_index(index)}
            if publisher_id not in known:
                raise NotFound(f"{name} has no trusted publisher with the id {publisher_id}.")
            _remove(unit, identity, index, known[publisher_id])


def forget_publishers(unit: Unit, identity: Identity, user: UserName) -> None:
    """Trust no publisher more that acts for a user who is to be deleted."""
    for publisher in unit.publishers.all():
        if publisher.user == user:
            _remove(unit, identity, _index(unit, publisher.index), publisher)


def _remove(unit: Unit, identity: Identity, index: Index, publisher: Publisher) -> None:
    unit.publishers.delete(index, publisher.id)
    unit.journal.record(_event(identity, EventKind.PUBLISHER_REMOVED, publisher))
    forget_publisher(unit, identity, publisher)


def _still_trusted(issuer: Issuer, trusting: list[Publisher]) -> str:
    """Why an issuer cannot go, with the first few indexes that hold it."""
    names = sorted({str(publisher.index) for publisher in trusting})
    more = len(names) - MAX_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"issuer: jobs of {issuer.url} are still trusted by {', '.join(names[:MAX_NAMED])}{rest}; "
        "remove these publishers first, which `stillroom publisher list --all` shows"
    )


def _index(unit: Unit, name: IndexName) -> Index:
    index = unit.indexes.get(name)
    if index is None:
        raise NotFound(f"There is no index {name}.")
    return index


def _event(identity: Identity, kind: EventKind, publisher: Publisher) -> Event:
    projects = publisher.projects
    details = {
        "id": publisher.id,
        "issuer": publisher.issuer,
        "claims": dict(publisher.claims),
        "allow": sorted(publisher.actions),
        "projects": None if projects is None else sorted(projects),
    }
    return Event.by(identity, kind, user=publisher.user, index=publisher.index, details=details)
