"""`passwd`, `unlock`, `sweep` and `prune`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from stillroom_server.app.settings import LoadedSettings
from stillroom_server.domain.identity import COMMAND_LINE
from stillroom_server.domain.names import ROOT, user_name

from .options import settings_options

if TYPE_CHECKING:
    from stillroom_server.storage.database import SqlDatabase


@click.command()
@click.argument("user")
@click.option("--password-stdin", is_flag=True, help="Read the new password from standard input.")
@settings_options("data", "database", "password_length")
def passwd(loaded: LoadedSettings, *, user: str, password_stdin: bool) -> None:
    """Set a user's password, also root's; it ends all tokens of that user, and a lock.

    Works while the server runs. Example: stillroom-server passwd root
    """
    from stillroom_server.app import assembly
    from stillroom_server.app.data_folder import DataFolder
    from stillroom_server.builtin.password import Argon2Hasher

    name = user_name(user)
    password = _new_password(user, from_stdin=password_stdin)
    with _open_database(loaded) as database:
        users = assembly.user_service(loaded.settings, database, Argon2Hasher())
        users.change(COMMAND_LINE, name, {"password": password})
    if name == ROOT:
        DataFolder(loaded.settings.data).password_file.unlink(missing_ok=True)
    click.echo(f"The password of {name} is changed; all of their tokens have ended.")


def _new_password(user: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; use --password-stdin.")
    password: str = click.prompt(
        f"New password of {user}", hide_input=True, confirmation_prompt=True, err=True
    )
    return password


@click.command()
@click.argument("user")
@settings_options("data", "database")
def unlock(loaded: LoadedSettings, *, user: str) -> None:
    """Let a user log in again at once, after too many wrong passwords for that name.

    Works while the server runs. Example: stillroom-server unlock root
    """
    from stillroom_server.app import assembly

    with _open_database(loaded) as database:
        forgotten = assembly.guesses_of(loaded.settings, database).unlock(user)
    click.echo(f"{forgotten} wrong passwords for {user} are forgotten.")


@contextmanager
def _open_database(loaded: LoadedSettings) -> Iterator["SqlDatabase"]:
    from stillroom_server.app import assembly
    from stillroom_server.storage import migrate
    from stillroom_server.storage.database import SqlDatabase

    url = assembly.database_url(loaded.settings)
    migrate.check(url)
    database = SqlDatabase(url)
    try:
        yield database
    finally:
        database.close()


@click.command()
@click.option("--dry-run", is_flag=True, help="Only report what would be deleted.")
@settings_options("data", "database", "blob_store")
def sweep(loaded: LoadedSettings, *, dry_run: bool) -> None:
    """Delete content that nothing refers to any more and that has waited for a day.

    A running server does the same every hour. Example: stillroom-server sweep --dry-run
    """
    from stillroom_server.app import assembly
    from stillroom_server.plugin.manager import Plugins
    from stillroom_server.services.sweep import Sweep

    with _open_database(loaded) as database:
        store = Plugins().blob_store(loaded.settings.blob_store).open(loaded.settings.data)
        report = Sweep(database, store, assembly.utc_now).run(dry_run=dry_run)
    would = "would be " if dry_run else ""
    click.echo(f"{report.deleted} blobs ({report.deleted_bytes:,} bytes) {would}deleted.")
    click.echo(f"{report.doomed} more blobs {would}marked; they wait for a day.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only report what would be forgotten.")
@settings_options("data", "database", "audit_days", "fetches_days")
def prune(loaded: LoadedSettings, *, dry_run: bool) -> None:
    """Forget who changed and who fetched what, where that is older than it is to be kept.

    A running server does the same every day. Example: stillroom-server prune --dry-run
    """
    from stillroom_server.app import assembly
    from stillroom_server.plugin.manager import Plugins

    with _open_database(loaded) as database:
        pruning = assembly.pruning_of(loaded.settings, database, Plugins())
        report = pruning.run(dry_run=dry_run)
    would = "would be " if dry_run else ""
    click.echo(f"{report.deleted} entries of the audit {would}deleted.")
    click.echo(f"{report.blanked} more {would}blanked: pages need the rows.")
    click.echo(f"{report.fetches} rows of fetches {would}deleted.")
