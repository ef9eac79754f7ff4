"""The projects that an index shows: its page for installers, its JSON view, and the search."""

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from stillroom_server.domain.errors import StorageBusy
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import NameList

from .breakers import Breakers
from .mirrors import PATIENCE
from .name_lists import NameLists, ShownList
from .ports import Clock, Database, Unit, Upstream

PAGE = 5_000
"""Names of a list that are read at once."""


@dataclass(frozen=True, slots=True)
class ListView:
    """The projects that a lineage shows, of any number.

    `tag` is another one whenever they may be others. They were these at `serial`; for `seconds`
    more no upstream is to be asked, which is infinite where none has a part in it.
    """

    tag: str
    serial: int
    seconds: float
    here: tuple[ProjectName, ...]
    lists: tuple[NameList, ...]
    database: Database

    def names(self) -> Iterator[ProjectName]:
        """The names, sorted, each once, in bounded memory.

        Raises StorageBusy in the middle if a list was deleted meanwhile: who reads must not take
        a part for the whole.
        """
        sources = [iter(self.here), *(self._names_of(one) for one in self.lists)]
        return (name for name, _same in groupby(heapq.merge(*sources)))

    def _names_of(self, names: NameList) -> Iterator[ProjectName]:
        read, last = 0, ""
        while True:
            with self.database.reading() as unit:
                page = unit.mirror_names.after(names.id, last, PAGE)
            if not page:
                break
            yield from page
            read, last = read + len(page), page[-1]
        if read != names.count:
            raise StorageBusy("the list of projects was replaced while it was read; ask again")


class ProjectLists:
    """Lists over a lineage. Permission has been checked before."""

    def __init__(
        self,
        database: Database,
        upstream: Upstream,
        clock: Clock,
        breakers: Breakers,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._lists = NameLists(database, upstream, clock, breakers, patience=patience)

    def view(self, lineage: Lineage) -> ListView:
        """The projects that the lineage shows: held in its stages, or known to its mirrors.

        A mirror whose `mirror_no_project_list` is off knows what its upstream lists, any other
        one the pages that are kept. Raises a Trouble if a list must be read and cannot be.
        """
        lists = self._lists_of(lineage)
        with self._database.reading() as unit:
            here = tuple(_here(unit, lineage, ""))
            changed = unit.journal.last_change([index.name for index in lineage], None)
        return ListView(
            tag=_tag(lineage, changed, lists),
            serial=lineage.serial,
            seconds=min((one.seconds for one in lists), default=math.inf),
            here=here,
            lists=tuple(one.names for one in lists),
            database=self._database,
        )

    def search(self, lineage: Lineage, prefix: str, limit: int) -> list[ProjectName]:
        """The first names that begin with a normalised prefix, sorted; raises as `view` does."""
        lists = self._lists_of(lineage)
        with self._database.reading() as unit:
            found = set(_here(unit, lineage, prefix))
            for one in lists:
                found.update(unit.mirror_names.with_prefix(one.names.id, prefix, limit))
        return sorted(found)[:limit]

    def own(self, index: Index) -> list[ProjectName]:
        """The projects of this index alone that are here, sorted; never asks an upstream."""
        with self._database.reading() as unit:
            kind = unit.mirror_pages if index.has_upstream else unit.projects
            return kind.names([index])

    def refresh(self, index: Index, *, accept_shrunk: bool = False) -> NameList:
        """Ask a mirror's upstream for its list now; see `NameLists.refresh`."""
        return self._lists.refresh(index, accept_shrunk=accept_shrunk)

    def drop_old(self) -> int:
        """Delete the names of lists that nobody reads any more; how many."""
        return self._lists.drop_old()

    def close(self) -> None:
        """Let what goes on in the background end quietly."""
        self._lists.close()

    def _lists_of(self, lineage: Lineage) -> list[ShownList]:
        listing = (mirror for mirror in lineage.mirrors if mirror.lists_upstream_projects)
        return [self._lists.to_show(mirror) for mirror in listing]


def _here(unit: Unit, lineage: Lineage, prefix: str) -> list[ProjectName]:
    """The names that are no matter of an upstream's list, sorted."""
    pages = [mirror for mirror in lineage.mirrors if not mirror.lists_upstream_projects]
    held = unit.projects.names(lineage.stages, prefix)
    known = unit.mirror_pages.names(pages, prefix)
    return sorted({*held, *known})


def _tag(lineage: Lineage, changed: int, lists: Iterable[ShownList]) -> str:
    """What the names stand for: the index, the last change of its lineage, and the lists.

    A change that is later than the lineage itself may have been one of the lineage. What is made
    of the old lineage and of newer rows must then not be taken for the state after the change.
    Serials begin anew with a new database, so the tag holds when the index was created as well.
    """
    moments = [changed, *([lineage.serial] if changed > lineage.serial else [])]
    created = lineage.asked.created.isoformat()
    ids = [one.names.id for one in lists]
    return " ".join(map(str, (created, moments, ids)))
