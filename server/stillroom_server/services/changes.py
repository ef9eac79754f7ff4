"""Changes in somebody's name: the right is asked for again once nobody else can change anything.

The verdict on a request is given before its view runs. A change that takes the right away may be
committed after that, and before the request's own unit of work gets its turn to write. So the
unit begins with the same question, about the database as it is now. Uploads and pushes are not
asked again: what was allowed when they began is finished, however long their content took.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from stillroom_server.domain.access import (
    LISTS,
    Permission,
    Verdict,
    Warrant,
    index_verdict,
    read_verdict,
    user_verdict,
)
from stillroom_server.domain.errors import Forbidden, NotAuthenticated
from stillroom_server.domain.identity import Identity, proof_of

from .access import REFUSED, lineage_in
from .ports import Database, Unit

ENDED = "What this request was sent with was changed or revoked meanwhile; log in again."


@contextmanager
def changing(database: Database, identity: Identity) -> Iterator[Unit]:
    """A writing unit for what somebody was permitted to do, and still is.

    Raises NotAuthenticated if their token, password or account is another by now, Forbidden if
    the permission is gone, and NotFound if the index is.
    """
    with database.writing() as unit:
        confirm(unit, identity)
        yield unit


def confirm(unit: Unit, identity: Identity) -> None:
    """Ask again, in a unit that writes; raises as `changing` does."""
    now = _as_it_is_now(unit, identity)
    warrant = identity.warrant
    if warrant is None:
        return
    verdict = _verdict(unit, now, warrant)
    if not verdict and now.is_anonymous:
        raise NotAuthenticated(REFUSED)
    if not verdict:
        raise Forbidden(f"Not allowed: {verdict.reason}.")


def _as_it_is_now(unit: Unit, identity: Identity) -> Identity:
    """The identity with the limits and groups that it has now; who it is must be the same."""
    name = identity.user
    if name is None:
        return identity
    if identity.token is not None:
        token = unit.tokens.get(name, identity.token)
        if token is None:
            raise NotAuthenticated(ENDED)
        identity = replace(identity, limits=token.limits)
    elif identity.proof is not None:
        user = unit.users.get(name)
        if user is None or proof_of(user) != identity.proof:
            raise NotAuthenticated(ENDED)
    return replace(identity, memberships=unit.groups.of_user(name))


def _verdict(unit: Unit, identity: Identity, warrant: Warrant) -> Verdict:
    permission = warrant.permission
    if permission not in LISTS or warrant.index is None:
        # Sign-up that was open then is open now: a setting does not change while a server runs.
        return user_verdict(identity, permission, warrant.user, open_signup=True)
    lineage = lineage_in(unit, warrant.index)
    reading = read_verdict(identity, lineage, warrant.project)
    if permission is Permission.READ:
        return reading
    return index_verdict(
        identity, permission, lineage.asked, warrant.project, is_reader=bool(reading)
    )
