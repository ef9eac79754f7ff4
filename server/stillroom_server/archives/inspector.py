"""Looks into uploads: `ArchiveInspector` implements the port `Inspector`."""

import os
from typing import BinaryIO

from stillroom_server.domain.distributions import Filename, FileType
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.services.ports import Inspected

from .bounds import ArchiveLimits, UnreadableArchive
from .sdists import inspect_sdist
from .tar_headers import BLOCK, is_header
from .wheel_metadata import read_wheel_metadata
from .wheels import inspect_wheel
from .zip_directory import END_SIGNATURE

_KINDS = {FileType.WHEEL: "wheel", FileType.SDIST: "sdist"}
# The end record of a zip, and the longest comment that may follow it.
_ZIP_TAIL = 22 + 0xFFFF


class ArchiveInspector:
    """Checks wheels and sdists and reads their metadata, in memory and within limits.

    It trusts nothing: what two readers could read differently is refused. It keeps no state, so
    that any number of threads may share it.
    """

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits

    def inspect(self, file: BinaryIO, filename: Filename) -> Inspected:
        """Check an archive, from its start; `file` must be seekable.

        Raises InvalidRequest with every fault that was found. An OSError of the file itself is
        not the client's fault and passes through.
        """
        size = file.seek(0, os.SEEK_END)
        deadline = self._limits.deadline(size)
        inspect = inspect_wheel if filename.filetype is FileType.WHEEL else inspect_sdist
        try:
            _refuse_polyglot(file, size, filename.filetype)
            return Inspected(inspect(file, size, filename, self._limits, deadline))
        except UnreadableArchive as error:
            rule = f"it is not a readable {_KINDS[filename.filetype]}: {error}"
            raise InvalidRequest.one("content", rule) from None

    def wheel_metadata(self, file: BinaryIO) -> bytes:
        """The METADATA of a mirrored wheel, byte for byte; nothing else of it is judged.

        Raises InvalidRequest where there is not exactly one that is reasonable. Errors of the
        file itself pass through.
        """
        return read_wheel_metadata(file)


def _refuse_polyglot(file: BinaryIO, size: int, filetype: FileType) -> None:
    if not size:
        raise UnreadableArchive("it is empty")
    file.seek(0)
    if filetype is FileType.WHEEL and is_header(file.read(BLOCK)):
        raise UnreadableArchive("it is both a zip and a tar")
    # pip unpacks whatever has the end record of a zip as a zip, also if it is named `.tar.gz`.
    file.seek(max(0, size - _ZIP_TAIL))
    if filetype is FileType.SDIST and END_SIGNATURE in file.read(_ZIP_TAIL):
        raise UnreadableArchive("it is both a zip and a tar")
