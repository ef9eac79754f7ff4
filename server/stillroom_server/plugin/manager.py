"""Finds the plugins and asks them: a typed face on the hooks."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import pluggy

from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.events import JournalEntry
from stillroom_server.domain.identity import Credentials, Identity
from stillroom_server.domain.indexes import IndexType
from stillroom_server.domain.names import UserName
from stillroom_server.services.ports import Accounts, GroupSource, Listener

from .api import BlobStoreKind
from .specs import PROJECT, ServerHooks

ENTRY_POINTS = "stillroom_server.plugins"


class PluginError(StillroomError):
    """A plugin cannot be loaded, contradicts another one, or is asked for and not there."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


@dataclass(frozen=True, slots=True)
class PluginGroups:
    """One plugin as a source of groups, so that another's failure is not its own."""

    implementation: pluggy.HookImpl

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.implementation.plugin_name

    def groups_of(self, user: UserName) -> Collection[str] | None:
        """Call the plugin's own implementation."""
        given = {"user": user}
        answer = self.implementation.function(*(given[n] for n in self.implementation.argnames))
        return cast("Collection[str] | None", answer)


@dataclass(frozen=True, slots=True)
class PluginListener:
    """One plugin as a listener of events."""

    implementation: pluggy.HookImpl

    @property
    def name(self) -> str:
        """The plugin's name, which is also that of its cursor."""
        return self.implementation.plugin_name

    def tell(self, entry: JournalEntry) -> None:
        """Call the plugin's own implementation, so that another's failure is not its own."""
        given = {"entry": entry}
        self.implementation.function(*(given[name] for name in self.implementation.argnames))


class Plugins:
    """The plugins of one server. `extra` are registered beside those of the entry points.

    Raises PluginError if one cannot be imported or implements a hook wrongly.
    """

    def __init__(self, extra: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(ServerHooks)
        try:
            self._manager.load_setuptools_entrypoints(ENTRY_POINTS)
            for name, plugin in (extra or {}).items():
                self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ImportError, AttributeError, pluggy.PluginValidationError) as error:
            raise PluginError(f"plugins: one of them cannot be loaded: {error}") from error

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
        answers: list[Sequence[BlobStoreKind]] = self._manager.hook.stillroom_blob_stores()
        kinds = _by_name("blob store", answers)
        if name not in kinds:
            raise PluginError(
                f"blob_store: there is no kind {name!r}; there are {', '.join(sorted(kinds))}"
            )
        return kinds[name]

    def index_types(self) -> dict[str, IndexType]:
        """All types of indexes, by name; raises PluginError if two have one name."""
        answers: list[Sequence[IndexType]] = self._manager.hook.stillroom_index_types()
        return _by_name("index type", answers)

    def group_sources(self) -> list[GroupSource]:
        """The plugins that know groups of users."""
        implementations = self._manager.hook.stillroom_groups.get_hookimpls()
        return [PluginGroups(implementation) for implementation in implementations]

    def listeners(self) -> list[Listener]:
        """The plugins that want to be told of events, each with a cursor of its own."""
        implementations = self._manager.hook.stillroom_event.get_hookimpls()
        return [PluginListener(implementation) for implementation in implementations]


def _by_name(what: str, answers: Iterable[Iterable[_N]]) -> dict[str, _N]:
    named: dict[str, _N] = {}
    for offer in itertools.chain.from_iterable(answers):
        if offer.name in named:
            raise PluginError(f"two plugins offer the {what} {offer.name!r}")
        named[offer.name] = offer
    return named
