"""The entry point of `stillroom`: from the arguments to an exit status."""

import os
import sys
import traceback
from collections.abc import Sequence

import click

from .commands.options import examples
from .errors import ClientError
from .output import Output
from .platform import Platform
from .plugins import Plugins
from .session import Session

REFUSED = 1


def command_line(plugins: Plugins) -> click.Group:
    """The command `stillroom` with the commands of all plugins."""

    @click.group(
        commands=plugins.commands,
        epilog=examples(
            "stillroom use http://localhost:3141",
            "stillroom login dev",
            "stillroom use dev/sandbox --pip --uv",
            "stillroom upload",
        ),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
    )
    @click.version_option(package_name="stillroom", message="%(prog)s %(version)s")
    @click.option("--debug", is_flag=True, help="Tell on standard error what goes on inside.")
    @click.pass_obj
    def stillroom(session: Session, *, debug: bool) -> None:
        """Work with a Stillroom server: choose an index, upload, administer.

        Data goes to standard output, everything else to standard error. The exit status is 0 if
        it was done, 1 if it was refused or failed, 2 if the command line makes no sense.

        STILLROOM_URL (a server or an index) and STILLROOM_TOKEN go before what `use` and
        `login` remember, so that a CI job needs neither. STILLROOM_CLIENT_DIR is the folder in
        which they remember it. NO_COLOR switches colours off.
        """
        session.output.debugging = debug

    return stillroom


def run(arguments: Sequence[str] | None, platform: Platform) -> int:
    """Run a command; its exit status. Everything that goes wrong is told here, and only here.

    Without arguments those of the process are taken, in which click expands `*` on Windows.
    """
    session = Session(platform)
    try:
        status = command_line(session.plugins).main(
            args=arguments, prog_name="stillroom", standalone_mode=False, obj=session
        )
        return status if isinstance(status, int) else 0
    except ClientError as error:
        _tell_cause(session.output)
        session.output.error(str(error))
        return error.exit_status
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        session.output.error("interrupted")
        return REFUSED
    except BrokenPipeError:
        # Whoever read standard output has read enough; Python must not flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        _tell_cause(session.output)
        session.output.error(f"this machine refuses: {error}")
        return REFUSED
    except Exception as error:  # noqa: BLE001 - the last resort is a sentence, not a traceback
        _tell_cause(session.output)
        session.output.error(
            f"a bug in stillroom: {type(error).__name__}: {error} (--debug shows where)"
        )
        return REFUSED
    finally:
        session.close()


def _tell_cause(output: Output) -> None:
    output.debug(traceback.format_exc())


def main() -> int:
    """Run the command that the process was started with."""
    for stream in (sys.stdout, sys.stderr):
        # An old Windows console cannot show every character; it must not fail over one.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return run(None, Platform.current())
