"""The progress bar of an upload. It imports rich, so it is itself imported late."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextmanager
def watched(file: BinaryIO, name: str, size: int) -> Iterator[BinaryIO]:
    """The file, with a bar on standard error that follows how far it was read.

    The bar goes away at the end: what stays is the line that says what became of the file. rich
    itself obeys NO_COLOR.
    """
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    with bar, bar.wrap_file(file, total=size, description=name) as wrapped:
        yield wrapped
