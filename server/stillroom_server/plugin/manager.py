"""Finds the plugins and asks them: a typed face on the hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pluggy

from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.identity import Credentials, Identity
from stillroom_server.domain.indexes import IndexType
from stillroom_server.services.ports import Accounts, Listener

from .api import BlobStoreKind
from .specs import PROJECT, ServerHooks

ENTRY_POINTS = "stillroom_server.plugins"


class PluginError(StillroomError):
    """Two plugins contradict each other, or one that is asked for is not there."""


@dataclass(frozen=True, slots=True)
class PluginListener:
    """One plugin as a listener of events."""

    name: str
    plugin: object

    def tell(self, entry: JournalEntry) -> None:
        """Call the plugin's own implementation, so that another's failure is not its own."""
        hook = cast("ServerHooks", self.plugin)
        hook.stillroom_event(entry=entry)


class Plugins:
    """The plugins of one server. `extra` are registered beside those of the entry points."""

    def __init__(self, extra: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(ServerHooks)
        self._manager.load_setuptools_entrypoints(ENTRY_POINTS)
        for name, plugin in (extra or {}).items():
            self._manager.register(plugin, name)
        self._manager.check_pending()

    def names(self) -> list[str]:
        """The names of all plugins, sorted."""
        return sorted(name for name, _plugin in self._manager.list_name_plugin())

    def credentials(self, headers: Mapping[str, str]) -> Credentials | None:
        """What a request brought to prove who sends it; `headers` has lower-case names."""
        return cast(
            "Credentials | None", self._manager.hook.stillroom_credentials(headers=headers)
        )

    def authenticate(self, credentials: Credentials, accounts: Accounts) -> Identity | None:
        """Who sent these credentials, by the first plugin that knows."""
        identity = self._manager.hook.stillroom_authenticate(
            credentials=credentials, accounts=accounts
        )
        return cast("Identity | None", identity)

    def blob_store(self, name: str) -> BlobStoreKind:
        """The kind of blob store of that name; raises PluginError."""
        kinds = _flat(self._manager.hook.stillroom_blob_stores())
        by_name = {kind.name: kind for kind in cast("list[BlobStoreKind]", kinds)}
        if name not in by_name:
            raise PluginError(
                f"blob_store: there is no kind {name!r}; there are {', '.join(sorted(by_name))}"
            )
        return by_name[name]

    def index_types(self) -> dict[str, IndexType]:
        """All types of indexes, by name; raises PluginError if two have one name."""
        types: dict[str, IndexType] = {}
        for index_type in cast(
            "list[IndexType]", _flat(self._manager.hook.stillroom_index_types())
        ):
            if index_type.name in types:
                raise PluginError(f"two plugins offer the index type {index_type.name!r}")
            types[index_type.name] = index_type
        return types

    def listeners(self) -> list[Listener]:
        """The plugins that want to be told of events, each with a cursor of its own."""
        implementations = self._manager.hook.stillroom_event.get_hookimpls()
        return [PluginListener(i.plugin_name, i.plugin) for i in implementations]


def _flat(answers: Sequence[Sequence[object]]) -> list[object]:
    return [item for answer in answers for item in answer]
