"""`passwd` and `sweep`."""

import sys

import click

from stillroom_server.app.settings import LoadedSettings
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import ROOT, user_name

from .options import settings_options


@click.command()
@click.argument("user")
@click.option("--password-stdin", is_flag=True, help="Read the new password from standard input.")
@settings_options("data", "database", "password_length")
def passwd(loaded: LoadedSettings, *, user: str, password_stdin: bool) -> None:
    """Set a user's password, also root's; it ends all tokens of that user.

    Works while the server runs. Example: stillroom-server passwd root
    """
    from stillroom_server.app import assembly
    from stillroom_server.app.data_folder import DataFolder
    from stillroom_server.builtin.password import Argon2Hasher
    from stillroom_server.services.users import UserService
    from stillroom_server.storage import migrate
    from stillroom_server.storage.database import SqlDatabase

    name = user_name(user)
    password = _new_password(user, from_stdin=password_stdin)
    url = assembly.database_url(loaded.settings)
    migrate.check(url)
    database = SqlDatabase(url)
    try:
        users = UserService(
            database,
            Argon2Hasher(),
            assembly.utc_now,
            password_length=loaded.settings.password_length,
        )
        users.change(Identity(user=ROOT), name, {"password": password})
    finally:
        database.close()
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
@click.option("--dry-run", is_flag=True, help="Only report what would be deleted.")
@settings_options("data", "database", "blob_store")
def sweep(loaded: LoadedSettings, *, dry_run: bool) -> None:
    """Delete content that nothing refers to any more and that has waited for a day.

    A running server does the same every hour. Example: stillroom-server sweep --dry-run
    """
    from stillroom_server.app import assembly
    from stillroom_server.plugin.manager import Plugins
    from stillroom_server.services.sweep import Sweep
    from stillroom_server.storage import migrate
    from stillroom_server.storage.database import SqlDatabase

    url = assembly.database_url(loaded.settings)
    migrate.check(url)
    store = Plugins().blob_store(loaded.settings.blob_store).open(loaded.settings.data)
    database = SqlDatabase(url)
    try:
        report = Sweep(database, store, assembly.utc_now).run(dry_run=dry_run)
    finally:
        database.close()
    would = "would be " if dry_run else ""
    click.echo(f"{report.deleted} blobs ({report.deleted_bytes:,} bytes) {would}deleted.")
    click.echo(f"{report.doomed} more blobs {would}marked; they wait for a day.")
