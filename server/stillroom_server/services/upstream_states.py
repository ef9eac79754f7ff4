"""How the upstreams of mirrors do, for people."""

from dataclasses import dataclass

from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName

from .access import Access
from .breakers import Breakers, UpstreamState
from .ports import Database


@dataclass(frozen=True, slots=True)
class UpstreamView:
    """An upstream: its base URL, the mirrors that ask it, and how it does in this process."""

    url: str
    indexes: tuple[IndexName, ...]
    state: UpstreamState


class UpstreamStates:
    """Tells how upstreams do."""

    def __init__(self, database: Database, access: Access, breakers: Breakers) -> None:
        self._database = database
        self._access = access
        self._breakers = breakers

    def of_readable(self, identity: Identity) -> list[UpstreamView]:
        """The upstreams of all mirrors that somebody may read, by URL."""
        with self._database.reading() as unit:
            mirrors = [index for index in unit.indexes.all() if index.has_upstream]
        askers: dict[str, list[IndexName]] = {}
        for mirror in mirrors:
            if self._access.may_read(identity, mirror.name):
                for url in mirror.upstream_urls:
                    askers.setdefault(url, []).append(mirror.name)
        return [
            UpstreamView(url, tuple(names), self._breakers.state(url))
            for url, names in sorted(askers.items())
        ]
