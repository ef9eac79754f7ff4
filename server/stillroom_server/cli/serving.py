"""`serve`, `init` and `settings`."""

import json
import logging

import click

from stillroom_server.app.log_lines import LineFormatter
from stillroom_server.app.settings import LoadedSettings, SettingsError, declared

from .options import settings_options, shown_value


@click.command()
@settings_options()
def serve(loaded: LoadedSettings) -> None:
    """Start the server; the first start makes the data folder, root and root/pypi.

    Example: stillroom-server serve --data /srv/stillroom --port 3141
    """
    from stillroom_server.app import start

    _configure_logging(loaded)
    start.serve(loaded.settings, click.echo)


@click.command()
@settings_options("data", "database", "blob_store", "public_index")
def init(loaded: LoadedSettings) -> None:
    """Make the data folder, root and root/pypi without starting the server.

    Example: stillroom-server init --data /srv/stillroom
    """
    from stillroom_server.app import start

    with start.locked_folder(loaded.settings):
        prepared = start.prepare(loaded.settings)
    if prepared.password is None:
        click.echo(f"{prepared.folder.path} is set up already.")
        return
    click.echo(f"{prepared.folder.path} is set up.")
    click.echo(f"root's password is {prepared.password}")
    click.echo(f"It is shown this once, and kept in {prepared.folder.password_file}.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options()
def settings(loaded: LoadedSettings, *, as_json: bool) -> None:
    """Print each setting, its value and where that came from.

    Example: STILLROOM_PORT=8080 stillroom-server settings
    """
    rows = [(s.name, shown_value(s, loaded), loaded.sources[s.name]) for s in declared()]
    if as_json:
        entries = {name: {"value": value, "source": source} for name, value, source in rows}
        click.echo(json.dumps(entries, indent=2))
        return
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}")


def _configure_logging(loaded: LoadedSettings) -> None:
    level = logging.getLevelNamesMapping().get(loaded.settings.log_level.upper())
    if level is None:
        raise SettingsError(
            f"log_level ({loaded.sources['log_level']}): use debug, info, warning or error"
        )
    lines = logging.StreamHandler()
    lines.setFormatter(LineFormatter())
    logging.basicConfig(level=level, handlers=[lines])
    # Each request to an upstream, and each step of a migration, would drown everything else; and
    # httpcore writes down headers, in which there are credentials.
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
