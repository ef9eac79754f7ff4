"""`upload`: build, and send what was built or named."""

import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import click

from .. import building, distributions
from ..addresses import IndexName
from ..distributions import Distribution
from ..errors import ClientError, NotLoggedIn, Refused, WrongUsage
from ..session import Session
from .options import examples, index_option, json_option


@click.command(
    epilog=examples(
        "stillroom upload",
        "stillroom upload --wheel --index dev/release",
        "stillroom upload dist/",
        "stillroom upload dist/myproject-1.0-py3-none-any.whl",
    )
)
@click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]..."
)
@click.option("--sdist", is_flag=True, help="Build the sdist only.")
@click.option("--wheel", is_flag=True, help="Build the wheel only.")
@click.option(
    "--no-isolation",
    is_flag=True,
    help="Build with what is installed, not in a fresh environment.",
)
@index_option
@json_option
@click.pass_obj
def upload(
    session: Session,
    paths: Sequence[Path],
    *,
    sdist: bool,
    wheel: bool,
    no_isolation: bool,
    index_name: str | None,
) -> None:
    """Upload files, or build the project in this folder and upload that.

    PATH is a wheel, an sdist or a folder that holds some. Without one, the sdist and the wheel
    are built in a temporary folder, so that nothing old is sent along. A file that the index
    already holds with the same content counts as uploaded.
    """
    if paths and (sdist or wheel or no_isolation):
        raise WrongUsage("--sdist, --wheel and --no-isolation are for building: name no PATH")
    index = session.index(index_name)
    if not session.server.entrance(index).takes_uploads:
        raise ClientError(f"{index} is a mirror and takes no uploads: choose a stage")
    if paths:
        _send_all(session, index, distributions.find(paths))
        return
    with tempfile.TemporaryDirectory(prefix="stillroom-") as folder:
        _build(session, Path(folder), sdist=sdist, wheel=wheel, isolated=not no_isolation)
        _send_all(session, index, distributions.find([Path(folder)]))


def _build(session: Session, folder: Path, *, sdist: bool, wheel: bool, isolated: bool) -> None:
    project = session.platform.working
    session.output.say(f"Building {project} ...")
    try:
        building.build(project, folder, sdist=sdist, wheel=wheel, isolated=isolated)
    except building.BuildFailed as error:
        session.output.say(error.output)
        raise


def _send_all(session: Session, index: IndexName, paths: Sequence[Path]) -> None:
    rows = []
    for file in distributions.read_all(paths):
        row = _send(session, index, file)
        session.output.item(f"{row['filename']}: {row['message']}")
        rows.append(row)
    session.output.data(rows, lines=())
    refused = [row for row in rows if not row["accepted"]]
    if refused:
        raise ClientError(f"{index} refused {len(refused)} of {len(rows)} files")


def _send(session: Session, index: IndexName, file: Distribution) -> dict[str, Any]:
    # What is wrong with one file says nothing about the next one; a missing login does.
    name = file.path.name
    row: dict[str, Any] = {"filename": name, "index": str(index), "sha256": file.sha256}
    try:
        with file.path.open("rb") as opened, _progress(session, file, opened) as content:
            answer = session.server.upload(index, file.fields, name, content)
    except NotLoggedIn:
        raise
    except Refused as error:
        return {**row, "accepted": False, "message": str(error)}
    return {**row, "accepted": True, "message": answer.message}


def _progress(
    session: Session, file: Distribution, opened: BinaryIO
) -> AbstractContextManager[BinaryIO]:
    if not session.platform.is_terminal:
        return nullcontext(opened)
    from ..progress import watched

    return watched(opened, file.path.name, file.size)
