"""The groups of who asks: our own, live, and those that plugins know, remembered for a while."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import ROOT, UserName, group_name, shown

from .caching import SerialCache, SingleFlight
from .ports import Database, GroupSource

_V = TypeVar("_V")

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 300.0
"""For how long a plugin is not asked again for the groups of a user."""

HELD_SECONDS = 3_600.0
"""For how long its last answer holds while it fails."""

PAUSE_SECONDS = 10.0
"""For how long it is not asked again for a user after it failed."""

MAX_REMEMBERED = 10_000
"""Users, for each plugin; those who were asked for last."""


class Memberships:
    """Which groups users are in, by our own account and by that of plugins."""

    def __init__(self, database: Database, sources: Sequence[GroupSource]) -> None:
        self._database = database
        self._sources = [RememberedSource(source) for source in sources]
        self._own: SerialCache[UserName, frozenset[str]] = SerialCache(10_000)

    def completed(self, identity: Identity, serial: int) -> Identity:
        """The identity with all of its groups; raises Trouble where a plugin cannot tell them.

        What a plugin noted at a login holds only where no plugin tells the groups of now.
        """
        user = identity.user
        if user is None:
            return identity
        known = identity.groups
        if identity.token is not None or not known:
            told = self._told(user)
            known = known if told is None else told
        ours = self._ours(user, serial)
        if (known, ours) == (identity.groups, identity.memberships):
            return identity
        return replace(identity, groups=known, memberships=ours)

    def of_user(self, user: UserName) -> frozenset[str]:
        """The groups that a user has whenever a token of theirs is used; raises Trouble."""
        return self._ours(user, self._database.serial()) | (self._told(user) or frozenset())

    def _ours(self, user: UserName, serial: int) -> frozenset[str]:
        groups = self._own.get(serial, user)
        if groups is None:
            with self._database.reading() as unit:
                groups = unit.groups.of_user(user)
            self._own.put(serial, user, groups)
        return groups

    def _told(self, user: UserName) -> frozenset[str] | None:
        """What the plugins say; None where none of them knows the user.

        They are not asked for root, who needs no group and has to come in when they fail.
        """
        if user == ROOT:
            return None
        answers = [source.groups_of(user) for source in self._sources]
        known = [groups for groups in answers if groups is not None]
        return frozenset[str]().union(*known) if known else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a plugin said (None: it does not know the user), and when (monotonic)."""

    groups: frozenset[str] | None
    told: float


class RememberedSource:
    """A plugin that is asked now and then. It never seems to know of fewer or other groups.

    While it fails its last answer holds for an hour; after that, nobody can tell.
    """

    def __init__(self, source: GroupSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._answers: OrderedDict[UserName, _Answer] = OrderedDict()
        self._pauses: OrderedDict[UserName, float] = OrderedDict()
        self._asking: SingleFlight[UserName, frozenset[str] | None] = SingleFlight()

    def groups_of(self, user: UserName) -> frozenset[str] | None:
        """The groups of a user, None where the plugin does not know them; raises Trouble."""
        now = time.monotonic()
        with self._lock:
            answer = self._answers.get(user)
            paused_until = self._pauses.get(user, 0.0)
        if answer is not None and now < answer.told + REMEMBERED_SECONDS:
            return answer.groups
        if now < paused_until:
            return self._held(user, answer)
        return self._asking.run(user, lambda: self._ask(user, answer))

    def _ask(self, user: UserName, last: _Answer | None) -> frozenset[str] | None:
        try:
            groups = _checked(self._source.groups_of(user))
        except Exception:
            # A plugin may raise anything.
            log.exception("Plugin %s cannot tell the groups of %s.", self._source.name, user)
            self._remember(self._pauses, user, time.monotonic() + PAUSE_SECONDS)
            return self._held(user, last)
        self._remember(self._answers, user, _Answer(groups, time.monotonic()))
        return groups

    def _held(self, user: UserName, last: _Answer | None) -> frozenset[str] | None:
        if last is None or time.monotonic() >= last.told + HELD_SECONDS:
            raise Trouble(
                f"The groups of {user} cannot be found out at the moment (plugin "
                f"{self._source.name}); try again in a moment.",
                retry_after=int(PAUSE_SECONDS),
            )
        return last.groups

    def _remember(self, memory: OrderedDict[UserName, _V], user: UserName, value: _V) -> None:
        with self._lock:
            memory[user] = value
            memory.move_to_end(user)
            while len(memory) > MAX_REMEMBERED:
                memory.popitem(last=False)


def _checked(told: Collection[str] | None) -> frozenset[str] | None:
    """What a plugin returned, if that is a collection of names of groups; else TypeError."""
    if told is None:
        return None
    if isinstance(told, str) or not all(isinstance(name, str) for name in told):
        raise TypeError(f"{shown(told)} is not a collection of names of groups")
    return frozenset(map(group_name, told))
