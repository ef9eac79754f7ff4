"""`stillroom-server`: the one place where errors become text and an exit status."""

import sys
import warnings

import click

from stillroom_server.app.settings import SettingsError
from stillroom_server.domain.errors import StillroomError

from . import database, maintenance, mirror, serving

REFUSED = 1
WRONG_USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="stillroom", prog_name="stillroom-server")
def cli() -> None:
    """The Stillroom server: a private Python package index.

    Start with `stillroom-server serve`. Exit status: 0 done, 1 refused, 2 wrong usage.
    """


cli.add_command(serving.serve)
cli.add_command(serving.init)
cli.add_command(serving.settings)
cli.add_command(database.db)
cli.add_command(maintenance.passwd)
cli.add_command(maintenance.sweep)
cli.add_command(maintenance.unlock)
cli.add_command(maintenance.prune)
cli.add_command(mirror.mirror)


def main() -> None:
    """Run the command line."""
    # Pyramid still asks setuptools for this; who starts a server can do nothing about it.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except click.Abort:
        click.echo("stillroom-server: interrupted", err=True)
        sys.exit(REFUSED)
    except SettingsError as error:
        _complain(error)
        sys.exit(WRONG_USAGE)
    except StillroomError as error:
        _complain(error)
        sys.exit(REFUSED)


def _complain(error: StillroomError) -> None:
    click.echo(f"stillroom-server: {error.message}", err=True)
