"""`db upgrade` and `db current`."""

import click

from stillroom_server.app.settings import LoadedSettings

from .options import settings_options


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@settings_options("data", "database")
def upgrade(loaded: LoadedSettings) -> None:
    """Bring the database to the schema of this version; stop the server and make a backup first.

    Example: stillroom-server db upgrade --data /srv/stillroom
    """
    from stillroom_server.app import start
    from stillroom_server.app.assembly import database_url
    from stillroom_server.storage import migrate

    with start.locked_folder(loaded.settings):
        changed = migrate.upgrade(database_url(loaded.settings))
    click.echo(f"The database is {'now' if changed else 'already'} at revision {migrate.head()}.")


@db.command()
@settings_options("data", "database")
def current(loaded: LoadedSettings) -> None:
    """Print the database's revision and the one that this version needs.

    Example: stillroom-server db current --data /srv/stillroom
    """
    from stillroom_server.app.assembly import database_url
    from stillroom_server.storage import migrate

    revision = migrate.current(database_url(loaded.settings))
    click.echo(f"{revision or 'none'} (this version needs {migrate.head()})")
