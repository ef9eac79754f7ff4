"""The hooks: documented, used, and asked in order."""

import importlib.metadata
import inspect
from pathlib import Path
from types import SimpleNamespace

import pytest

from stillroom_server.domain.errors import NotAuthenticated, StorageBusy
from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.plugin.api import (
    BlobStoreKind,
    Credentials,
    Identity,
    IndexType,
    UserName,
    hookimpl,
)
from stillroom_server.plugin.manager import ENTRY_POINTS, PluginError, Plugins
from stillroom_server.plugin.specs import ServerHooks
from support.rows import NOW

DOCUMENTED = Path(__file__).parents[3] / "docs/plugins/writing-plugins.md"
HOOKS = dict(inspect.getmembers(ServerHooks, inspect.isfunction))
KINDS = {"first answer", "collect", "notify"}
ENTRY = JournalEntry(7, 0, NOW, Event(EventKind.USER_CREATED, user=UserName("dev")))


def _plugin(**hooks):
    """A plugin with these implementations; a pair has the options of its marker."""
    marked = {}
    for name, hook in hooks.items():
        function, options = hook if isinstance(hook, tuple) else (hook, {})
        marked[name] = hookimpl(**options)(function)
    return SimpleNamespace(**marked)


def _kind(hook) -> str:
    found = [kind for kind in KINDS if f"({kind})" in inspect.getdoc(hook)]
    assert len(found) == 1, "the docstring names exactly one kind"
    return found[0]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_its_kind_and_is_of_that_kind(name):
    kind = _kind(HOOKS[name])
    options = HOOKS[name].stillroom_server_spec
    assert options["firstresult"] is (kind == "first answer")


def test_every_kind_that_is_used_is_explained():
    explained = inspect.getdoc(inspect.getmodule(ServerHooks))
    for hook in HOOKS.values():
        assert f"*{_kind(hook)}*" in explained


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_user(name):
    """A built-in, or a plugin of the documentation, which tests/docs installs and uses."""
    points = importlib.metadata.entry_points(group=ENTRY_POINTS)
    in_docs = f"def {name}(" in DOCUMENTED.read_text("utf-8")
    assert in_docs or any(hasattr(point.load(), name) for point in points)


def test_the_built_ins_are_there():
    assert set(Plugins().names()) >= {
        "audit_log", "disk_store", "headers", "mirror", "password", "stage", "token",
    }  # fmt: skip


# First answer


class NoAccounts:
    """Stillroom's own accounts, which know nobody, and who was asked for them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def by_token(self, credentials):
        self.asked.append("token")

    def by_password(self, credentials):
        self.asked.append("password")


CREDENTIALS = Credentials("ann", "secret")
ANN = Identity(user=UserName("ann"))


def _authenticate(*plugins):
    accounts = NoAccounts()
    extra = {f"extra{number}": plugin for number, plugin in enumerate(plugins)}
    return Plugins(extra).authenticate(CREDENTIALS, accounts), accounts.asked


def test_tokens_are_asked_before_passwords():
    assert _authenticate() == (None, ["token", "password"])


def test_a_plugin_is_asked_and_its_answer_is_the_first():
    seen = []

    def authenticate(credentials):
        seen.append(credentials)
        return ANN

    identity, asked = _authenticate(_plugin(stillroom_authenticate=authenticate))
    assert identity == ANN
    assert seen == [CREDENTIALS]
    assert "password" not in asked


def test_a_plugin_that_does_not_know_leaves_it_to_the_others():
    ignorant = _plugin(stillroom_authenticate=lambda: None)
    assert _authenticate(ignorant) == (None, ["token", "password"])


def test_a_plugin_may_ask_for_our_own_accounts():
    asking = _plugin(
        stillroom_authenticate=lambda credentials, accounts: accounts.by_password(credentials)
    )
    assert _authenticate(asking)[1].count("password") == 2


@pytest.mark.parametrize(
    "error", [NotAuthenticated("locked out"), StorageBusy("no directory"), RuntimeError("a bug")]
)
def test_a_plugin_that_raises_lets_nobody_in_and_asks_no_other(error):
    def authenticate():
        raise error

    def let_in():
        return ANN

    accounts = NoAccounts()
    plugins = Plugins(
        {
            "late": _plugin(stillroom_authenticate=(let_in, {"trylast": True})),
            "raises": _plugin(stillroom_authenticate=(authenticate, {"tryfirst": True})),
        }
    )
    with pytest.raises(type(error), match=str(error)):
        plugins.authenticate(CREDENTIALS, accounts)
    assert accounts.asked == []


def test_a_plugin_may_read_credentials_of_its_own_kind():
    plugin = _plugin(
        stillroom_credentials=lambda headers: (
            Credentials(None, headers["x-badge"]) if "x-badge" in headers else None
        )
    )
    plugins = Plugins({"badge": plugin})
    assert plugins.credentials({"x-badge": "7"}) == Credentials(None, "7")
    assert plugins.credentials({"authorization": "Bearer abc"}) == Credentials(None, "abc")
    assert plugins.credentials({}) is None


# Collect


def _types(*names):
    return lambda: [IndexType(name, (), takes_uploads=True) for name in names]


def _stores(*names):
    return lambda: [BlobStoreKind(name, create=None, open=None) for name in names]


def test_index_types_of_all_plugins_are_there():
    plugins = Plugins({"more": _plugin(stillroom_index_types=_types("archive", "frozen"))})
    assert set(plugins.index_types()) == {"stage", "mirror", "archive", "frozen"}


@pytest.mark.parametrize("name", ["stage", "mirror"])
def test_two_index_types_of_one_name_are_refused(name):
    plugins = Plugins({"more": _plugin(stillroom_index_types=_types(name))})
    with pytest.raises(PluginError, match=f"two plugins offer the index type '{name}'"):
        plugins.index_types()


def test_a_blob_store_is_chosen_by_name():
    plugins = Plugins({"more": _plugin(stillroom_blob_stores=_stores("vault"))})
    assert plugins.blob_store("vault").name == "vault"
    assert plugins.blob_store("disk").name == "disk"


def test_an_unknown_kind_of_blob_store_is_refused_with_those_that_there_are():
    plugins = Plugins({"more": _plugin(stillroom_blob_stores=_stores("vault"))})
    with pytest.raises(PluginError, match="there is no kind 'nope'; there are disk, vault"):
        plugins.blob_store("nope")


def test_two_blob_stores_of_one_name_are_refused():
    plugins = Plugins({"more": _plugin(stillroom_blob_stores=_stores("disk"))})
    with pytest.raises(PluginError, match="two plugins offer the blob store 'disk'"):
        plugins.blob_store("disk")


def test_each_plugin_that_knows_groups_is_a_source_of_its_own():
    def away(user):
        raise OSError(user)

    plugins = Plugins({
        "one": _plugin(stillroom_groups=lambda user: [f"{user}s"]),
        "two": _plugin(stillroom_groups=lambda: None),
        "three": _plugin(stillroom_groups=away),
    })  # fmt: skip
    sources = {source.name: source for source in plugins.group_sources()}
    assert set(sources) == {"one", "two", "three"}
    assert sources["one"].groups_of(UserName("ann")) == ["anns"]
    assert sources["two"].groups_of(UserName("ann")) is None
    with pytest.raises(OSError, match="ann"):
        sources["three"].groups_of(UserName("ann"))


def test_no_built_in_knows_groups_so_that_nobody_is_asked():
    assert Plugins().group_sources() == []


# Notify


def _listener(plugins, name):
    [listener] = [found for found in plugins.listeners() if found.name == name]
    return listener


def test_each_plugin_is_a_listener_of_its_own():
    heard = []
    plugins = Plugins(
        {
            "one": _plugin(stillroom_event=lambda entry: heard.append(("one", entry))),
            "two": _plugin(stillroom_event=lambda entry: heard.append(("two", entry))),
        }
    )
    _listener(plugins, "one").tell(ENTRY)
    assert heard == [("one", ENTRY)]
    _listener(plugins, "two").tell(ENTRY)
    assert heard == [("one", ENTRY), ("two", ENTRY)]
    assert "audit_log" in {listener.name for listener in plugins.listeners()}


def test_a_listener_may_leave_out_the_argument_that_it_does_not_need():
    heard = []
    plugins = Plugins({"bell": _plugin(stillroom_event=lambda: heard.append("ding"))})
    _listener(plugins, "bell").tell(ENTRY)
    assert heard == ["ding"]


def test_a_listener_may_have_another_name_than_the_hook():
    heard = []

    def on_change(entry):
        heard.append(entry)

    plugin = _plugin(on_change=(on_change, {"specname": "stillroom_event"}))
    _listener(Plugins({"own": plugin}), "own").tell(ENTRY)
    assert heard == [ENTRY]


# Plugins that cannot be loaded


@pytest.mark.parametrize(
    "plugin",
    [
        _plugin(stillroom_no_such_hook=lambda: None),
        _plugin(stillroom_event=lambda entry, weather: None),
    ],
    ids=["unknown hook", "unknown argument"],
)
def test_a_plugin_that_implements_what_does_not_exist_is_refused(plugin):
    with pytest.raises(PluginError, match="plugins: one of them cannot be loaded"):
        Plugins({"wrong": plugin})


def test_a_plugin_that_cannot_be_imported_is_named(monkeypatch):
    broken = importlib.metadata.EntryPoint("broken", "no_such_module_of_a_plugin", ENTRY_POINTS)
    distribution = SimpleNamespace(entry_points=[broken], metadata={"name": "broken"})
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: [distribution])
    with pytest.raises(PluginError, match="no_such_module_of_a_plugin"):
        Plugins()
