"""Owners of the projects of a stage, and requests to bring new ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from typing import NoReturn

from stillroom_server.domain.access import granters
from stillroom_server.domain.errors import (
    Fault,
    Forbidden,
    InvalidRequest,
    NeedsApproval,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName, shown
from stillroom_server.domain.options import apply_operations, read_options
from stillroom_server.domain.ownership import (
    OWNERS,
    Holding,
    Standing,
    administers,
    may_delete,
    owners_after_upload,
    standing_of,
)

from .access import REFUSED, lineage_in
from .changes import changing
from .ports import Clock, Database, ProjectRequest, Unit

MAX_OWNERS = 100
"""Owners of one project."""

MAX_REQUESTS = 100
"""Open requests of one user in one index."""

Patch = Mapping[str, object] | Sequence[object]
"""A dict `{"owners": […]}`, or a list of `owners=…`, `owners+=…`, `owners-=…`."""


class Owners:
    """Who owns what in a stage. The permission on the index has been checked before.

    Every method raises NotFound where there is no such index, and Forbidden for a mirror.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, name: IndexName) -> Mapping[ProjectName, frozenset[str]]:
        """The owners of all projects that have some, and of the names kept for somebody."""
        with self._database.reading() as unit:
            return unit.owners.all(_stage(unit, name))

    def of_project(self, name: IndexName, project: ProjectName) -> frozenset[str]:
        """The owners of one project; NotFound if it neither lives here nor has any."""
        with self._database.reading() as unit:
            index = _stage(unit, name)
            owners = unit.owners.of_project(index, project)
            if not owners and unit.projects.get(index, project) is None:
                raise NotFound(f"There is no project {project} in {name}; nobody owns the name.")
        return owners

    def change(
        self, identity: Identity, name: IndexName, project: ProjectName, patch: Patch
    ) -> frozenset[str]:
        """Say who owns a project, which need not be there yet; the owners after that.

        With owners, requests for the project are settled. Raises InvalidRequest naming all
        faults.
        """
        with changing(self._database, identity) as unit:
            index = _stage(unit, name)
            before = unit.owners.of_project(index, project)
            after = _patched(before, patch)
            if after != before:
                _set(unit, identity, index, project, after)
            if after:
                unit.owners.drop_requests(index, project)
        return after

    def requests(self, name: IndexName) -> list[ProjectRequest]:
        """Who asked to bring which project, oldest first."""
        with self._database.reading() as unit:
            return unit.owners.requests(_stage(unit, name))

    def decline(
        self,
        identity: Identity,
        name: IndexName,
        project: ProjectName,
        user: UserName | None = None,
    ) -> list[str]:
        """Drop the requests for a project, or that of one user; who had asked.

        Raises NotFound if nobody did, or not that user.
        """
        with changing(self._database, identity) as unit:
            index = _stage(unit, name)
            asked = [r.user for r in unit.owners.requests(index) if r.project == project]
            users = [each for each in asked if user in {None, each}]
            if not users:
                who = f"{user} has not" if user is not None else "Nobody has"
                raise NotFound(f"{who} asked for a project {project} in {name}.")
            unit.owners.drop_requests(index, project, user)
            kind = EventKind.PROJECT_REQUEST_DECLINED
            details = {"users": users}
            unit.journal.record(
                Event.by(identity, kind, index=name, project=project, details=details)
            )
        return [str(user) for user in users]


# In the unit of whoever adds or removes


def check_standing(
    unit: Unit, identity: Identity, index: Index, project: ProjectName, *, lives_here: bool
) -> Holding:
    """Let those through who may add files to a project, of those who may upload to its stage.

    Raises NeedsApproval where they may ask for the name (see `asking`), else Forbidden; for who
    is not logged in, NotAuthenticated.
    """
    holding = Holding(lives_here, unit.owners.of_project(index, project))
    standing = standing_of(identity, index, holding)
    if standing is not Standing.ALLOWED:
        _refuse(identity, index, project, standing)
    return holding


def own_after_upload(
    unit: Unit, identity: Identity, index: Index, project: ProjectName, holding: Holding
) -> None:
    """Make who brought a new project its owner, where that is wanted; nobody asks for it now.

    Not an account that was deleted while its upload came: whoever got the name later would own it.
    """
    if holding.lives_here:
        return
    unit.owners.drop_requests(index, project)
    if identity.user is None or unit.users.get(identity.user) is None:
        return
    owners = owners_after_upload(identity, index, holding)
    if owners != holding.owners:
        _set(unit, identity, index, project, owners)


def disown(unit: Unit, identity: Identity, index: Index, project: ProjectName) -> None:
    """A project is deleted: the name is free again, if those give it up who own it.

    That is an owner, or who administers the index. Where somebody else deletes it, the name is
    kept for its owners: else who may delete and upload could take over any project. For the same
    reason, only who administers the index deletes one that has no owners, where projects have
    some; raises Forbidden for others (or NotAuthenticated).
    """
    owners = unit.owners.of_project(index, project)
    if not may_delete(identity, index, owners):
        _refuse_deletion(identity, index, project)
    is_owner = not owners.isdisjoint(identity.principals)
    if owners and (is_owner or administers(identity, index)):
        _set(unit, identity, index, project, frozenset())


def forget_owner(unit: Unit, identity: Identity, principal: str) -> None:
    """Take a user or `:group` that is gone from the owners of all projects."""
    owned = unit.owners.forget(principal)
    for name, projects in groupby(owned, key=itemgetter(0)):
        left = unit.owners.all(lineage_in(unit, name).asked)
        for _name, project in projects:
            _record(unit, identity, name, project, left.get(project, frozenset()))


@contextmanager
def asking(
    database: Database, clock: Clock, identity: Identity, name: IndexName, project: ProjectName
) -> Iterator[None]:
    """Where the block is refused for want of approval, note that somebody asks for it.

    The refusal is raised on, and says what became of the request.
    """
    try:
        yield
    except NeedsApproval as refusal:
        noted = _note_request(database, clock, identity, name, project)
        raise NeedsApproval(f"{refusal.message.rstrip('.')}; {noted}.") from None


def _note_request(
    database: Database, clock: Clock, identity: Identity, name: IndexName, project: ProjectName
) -> str:
    assert identity.user is not None, "who is not logged in cannot ask"
    with database.writing() as unit:
        index = _stage(unit, name)
        request = ProjectRequest(project, identity.user, clock())
        open_names = {r.project for r in unit.owners.requests(index) if r.user == identity.user}
        if project not in open_names and len(open_names) >= MAX_REQUESTS:
            return (
                f"it was not asked for, because {identity.user} has {MAX_REQUESTS} open requests "
                f"there; let the index's {granters(index)} approve or decline some"
            )
        if unit.owners.request(index, request):
            kind = EventKind.PROJECT_REQUESTED
            unit.journal.record(Event.by(identity, kind, index=name, project=project))
    return (
        f"it was asked for, and the index's {granters(index)} can approve it with "
        f"`stillroom owner approve {project} {identity.user} --index {name}`"
    )


def _refuse(
    identity: Identity, index: Index, project: ProjectName, standing: Standing
) -> NoReturn:
    user = identity.user
    if user is None:
        raise NotAuthenticated(REFUSED)
    refused = f"Not allowed: {user} may not upload {project} to {index.name}: "
    if standing is Standing.NEEDS_APPROVAL:
        raise NeedsApproval(f"{refused}it is new there, and first_upload is approval.")
    why = {
        Standing.NOT_AN_OWNER: f"owned_projects is on, and {user} is not among its owners",
        Standing.NO_OWNERS: "owned_projects is on, and it has no owners yet",
        Standing.NOT_FIRST: "it is new there, and first_upload is restricted",
    }[standing]
    raise Forbidden(
        f"{refused}{why}; the index's {granters(index)} can change that with `stillroom "
        f"owner add {project} {user} --index {index.name}`."
    )


def _refuse_deletion(identity: Identity, index: Index, project: ProjectName) -> NoReturn:
    if identity.user is None:
        raise NotAuthenticated(REFUSED)
    raise Forbidden(
        f"Not allowed: {identity.user} may not delete {project} from {index.name}: owned_projects "
        f"is on, and it has no owners; the index's {granters(index)} can delete it, or name an "
        f"owner with `stillroom owner add {project} USER --index {index.name}`."
    )


def _set(
    unit: Unit, identity: Identity, index: Index, project: ProjectName, owners: frozenset[str]
) -> None:
    unit.owners.set(index, project, owners)
    _record(unit, identity, index.name, project, owners)


def _record(
    unit: Unit, identity: Identity, name: IndexName, project: ProjectName, owners: frozenset[str]
) -> None:
    kind, details = EventKind.PROJECT_OWNERS_CHANGED, {"owners": sorted(owners)}
    unit.journal.record(Event.by(identity, kind, index=name, project=project, details=details))


def _stage(unit: Unit, name: IndexName) -> Index:
    index = lineage_in(unit, name).asked
    if index.has_upstream:
        raise Forbidden(
            f"Not allowed: {name} is a mirror, whose projects belong to its upstream; use a stage."
        )
    return index


def _patched(before: frozenset[str], patch: Patch) -> frozenset[str]:
    """The owners after a patch; InvalidRequest names all that is wrong with it."""
    current = {OWNERS.name: tuple(sorted(before))}
    _check_names(patch)
    if isinstance(patch, Mapping):
        values = {**current, **read_options([OWNERS], patch)}
    else:
        values = apply_operations([OWNERS], current, patch)
    owners = values[OWNERS.name]
    assert isinstance(owners, tuple)
    if len(owners) > MAX_OWNERS:
        rule = f"a project has at most {MAX_OWNERS} owners; put people into a :group"
        raise InvalidRequest.one(OWNERS.name, rule)
    return frozenset(owners)


def _check_names(patch: Patch) -> None:
    """Only `owners` can be changed; what stands there is for the option to read."""
    if isinstance(patch, Mapping):
        strange = [str(key) for key in patch if key != OWNERS.name]
        missing = [] if OWNERS.name in patch else [Fault(OWNERS.name, "it is missing")]
    else:
        named = [item for item in patch if isinstance(item, str)]
        strange = [item for item in named if item.rstrip().partition("=")[0] not in _SIDES]
        missing = []
    faults = [Fault("body", f"{shown(text)} is not about owners") for text in strange]
    if faults or missing:
        raise InvalidRequest([*faults, *missing])


_SIDES = {f"{OWNERS.name}{sign}" for sign in ("", "+", "-")}
