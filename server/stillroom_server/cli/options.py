"""Flags made from the declared settings."""

import functools
from collections.abc import Callable
from typing import Any

import click

from stillroom_server.app.settings import LoadedSettings, Setting, declared, load


def settings_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add `--config` and a flag for each setting named (all where none is named).

    The command gets the `LoadedSettings` as its first argument.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_settings(**given: Any) -> None:
            wanted = {setting.name: given.pop(setting.name, None) for setting in declared()}
            wanted["config"] = given.pop("config")
            command(load(wanted), **given)

        decorated: Callable[..., None] = with_settings
        for setting in reversed(declared()):
            if not names or setting.name in names:
                decorated = _option(setting)(decorated)
        config = click.option(
            "--config",
            metavar="FILE",
            help="The TOML file with settings. [stillroom.toml in data]",
        )
        return config(decorated)

    return decorate


def _option(setting: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    default = setting.default
    shown = ",".join(default) if isinstance(default, tuple) else default
    told = f"{setting.help} [{shown}]" if shown not in ("", ()) else setting.help
    if setting.kind == "boolean":
        no_flag = setting.flag.replace("--", "--no-", 1)
        return click.option(f"{setting.flag}/{no_flag}", setting.name, default=None, help=told)
    return click.option(setting.flag, setting.name, metavar=setting.kind.upper(), help=told)


def shown_value(setting: Setting, loaded: LoadedSettings) -> str:
    """A setting's value for people; a secret is never shown."""
    value = getattr(loaded.settings, setting.name)
    if setting.secret and value:
        return "(hidden)"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
