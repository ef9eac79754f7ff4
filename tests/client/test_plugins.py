import inspect
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import click
import pytest

from stillroom_client import plugins
from stillroom_client.hookspecs import Hooks, hookimpl
from stillroom_client.plugins import GROUP, Plugins
from stillroom_client.secret import Secret
from support.command_line import Stillroom
from support.stub_server import StubServer
from support.stub_stillroom import PASSWORD, TOKEN


class Vault:
    """A store that another plugin brings, preferred to those of Stillroom."""

    rank = 10
    title = "the vault"
    tokens: dict[tuple[str, str], Secret] = {}  # noqa: RUF012 - kept between two runs on purpose

    def is_usable(self) -> bool:
        return True

    def get(self, server: str, user: str) -> Secret | None:
        return self.tokens.get((server, user))

    def set(self, server: str, user: str, token: Secret) -> None:
        self.tokens[server, user] = token

    def delete(self, server: str, user: str) -> None:
        self.tokens.pop((server, user), None)


@click.command()
def greet() -> None:
    """Say hello."""
    click.echo("hello from a plugin")


def a_plugin() -> ModuleType:
    module = ModuleType("a_plugin")
    module.stillroom_commands = hookimpl(
        lambda: [greet, click.Command("login")], specname="stillroom_commands"
    )
    module.stillroom_credential_stores = hookimpl(
        lambda: [Vault()], specname="stillroom_credential_stores"
    )
    return module


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plugin that works, and one that does not, beside those of Stillroom."""
    monkeypatch.setitem(sys.modules, "a_plugin", a_plugin())
    extra = [EntryPoint("a", "a_plugin", GROUP), EntryPoint("b", "no_such_module", GROUP)]
    real = entry_points(group=GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [*extra, *real])
    Vault.tokens.clear()


def test_the_built_in_plugins_are_entry_points() -> None:
    values = {point.value for point in entry_points(group=GROUP)}
    assert {
        "stillroom_client.builtin.commands",
        "stillroom_client.builtin.file_store",
        "stillroom_client.builtin.keyring_store",
    } <= values


@pytest.mark.usefixtures("installed")
def test_stillroom_commands_adds_a_command(stillroom: Stillroom) -> None:
    result = stillroom("greet")
    assert (result.status, result.out) == (0, "hello from a plugin\n")
    assert "greet" in stillroom("--help").out


@pytest.mark.usefixtures("installed")
def test_a_plugin_cannot_take_the_name_of_a_command(
    stillroom: Stillroom, stub: StubServer
) -> None:
    result = stillroom("use", stub.url)
    assert "a plugin gives the command 'login' again: ignored" in result.err
    assert stillroom("login", "dev").status == 2


@pytest.mark.usefixtures("installed")
def test_a_plugin_that_cannot_be_loaded_is_reported_and_harms_nobody(
    stillroom: Stillroom, stub: StubServer
) -> None:
    result = stillroom("use", stub.url)
    assert result.status == 0
    assert "the plugin no_such_module cannot be loaded" in result.err


@pytest.mark.usefixtures("installed")
def test_stillroom_credential_stores_adds_a_store(
    stillroom: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stillroom("use", stub.url)
    login = stillroom("login", "dev", "--password-stdin", typed=f"{PASSWORD}\n")
    assert "kept in the vault" in login.err
    assert Vault.tokens == {(stub.url, "dev"): Secret(TOKEN)}
    assert stillroom("whoami").out == "dev\n"
    assert not (tmp_path / "client" / "credentials.json").exists()


def test_every_hook_says_its_kind_and_has_a_user() -> None:
    hooks = [name for name in vars(Hooks) if name.startswith("stillroom_")]
    assert hooks
    manager = Plugins(warn=pytest.fail)._manager
    for name in hooks:
        assert "Kind: " in inspect.getdoc(getattr(Hooks, name))
        assert getattr(manager.hook, name).get_hookimpls(), name
