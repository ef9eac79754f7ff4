"""What an index inherits from, and in which order it is asked."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .indexes import Index
from .names import IndexName, ProjectName

Lookup = Callable[[IndexName], Index | None]


@dataclass(frozen=True, slots=True)
class Lineage:
    """An index and all that it inherits from: breadth first, each once, mirrors last.

    It held at `serial`. What is made from it must not be thought newer than that, or it would
    outlive a change of the lineage that was committed meanwhile.
    """

    name: IndexName
    indexes: tuple[Index, ...]
    serial: int = 0

    @property
    def asked(self) -> Index:
        """The index that was asked for."""
        return next(index for index in self.indexes if index.name == self.name)

    @property
    def stages(self) -> tuple[Index, ...]:
        """Those that hold uploads."""
        return tuple(index for index in self.indexes if not index.has_upstream)

    @property
    def mirrors(self) -> tuple[Index, ...]:
        """Those that have an upstream."""
        return tuple(index for index in self.indexes if index.has_upstream)

    def __iter__(self) -> Iterator[Index]:
        return iter(self.indexes)


def lineage_of(start: Index, lookup: Lookup) -> Lineage:
    """Walk the bases of `start`, breadth first. A base that is missing is a LookupError."""
    found: dict[IndexName, Index] = {}
    waiting = deque([start])
    while waiting:
        index = waiting.popleft()
        if index.name in found:
            continue
        found[index.name] = index
        for name in index.bases:
            base = lookup(name)
            if base is None:
                raise LookupError(f"{index.name} inherits from {name}, which does not exist")
            waiting.append(base)
    in_order = sorted(found.values(), key=lambda index: index.has_upstream)
    return Lineage(name=start.name, indexes=tuple(in_order))


def inherits_from(start: IndexName, bases: Iterable[IndexName], lookup: Lookup) -> bool:
    """Whether following `bases` leads back to `start`, so that it would inherit from itself."""
    seen: set[IndexName] = set()
    waiting = deque(bases)
    while waiting:
        name = waiting.popleft()
        if name == start:
            return True
        if name in seen:
            continue
        seen.add(name)
        index = lookup(name)
        if index is not None:
            waiting.extend(index.bases)
    return False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a project's files may come from, within one lineage.

    `stages` hold the project; `mirrors` are to be asked for it; `claimed` says that the name is
    taken (held, or reserved), so that nobody may conclude it does not exist.
    """

    stages: tuple[Index, ...]
    mirrors: tuple[Index, ...]
    claimed: bool


def origin_of(lineage: Lineage, project: ProjectName, holders: Iterable[int]) -> Origin:
    """First origin wins: the rule that keeps public projects from posing as private ones.

    `holders` are the ids of the stages in which the project lives. It hides the mirrors'
    project of its name, unless every one of those stages lists it in its `mirror_whitelist`. A
    reserved name is never asked upstream, whoever holds it.
    """
    held_by = frozenset(holders)
    stages = tuple(stage for stage in lineage.stages if stage.id in held_by)
    reserved = any(index.reserves(project) for index in lineage)
    hidden = any(not stage.allows_mirrors(project) for stage in stages)
    mirrors = () if reserved or hidden else lineage.mirrors
    return Origin(stages=stages, mirrors=mirrors, claimed=reserved or bool(stages))
