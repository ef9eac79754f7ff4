"""Archives that hold their metadata and nothing else: quickly made, quickly inspected."""

from typing import BinaryIO

from stillroom_server.domain.distributions import Filename
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.metadata import UploadForm, parse_metadata
from stillroom_server.services.ports import Inspected

from .distributions import Distribution

MARK = b"ARCHIVE\n"


def an_archive(
    name: str = "demo", version: str = "1.0", *lines: str, wheel: bool = False, note: str = ""
) -> Distribution:
    """A file of which the inspector below knows what it is; another `note`, other bytes."""
    head = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}", *lines]
    metadata = "\n".join([*head, f"Summary: {note}", ""]).encode()
    ending = "-py3-none-any.whl" if wheel else ".tar.gz"
    return Distribution(f"{name}-{version}{ending}", MARK + metadata, metadata)


def a_form(archive: Distribution, **changes: object) -> UploadForm:
    """The form that comes with it: agreeing, unless something is changed."""
    given = {
        "filename": archive.filename,
        "name": "",
        "version": "",
        "filetype": "",
        "requires_python": "",
        "digests": {"sha256": archive.sha256},
    }
    return UploadForm(**{**given, **changes})


class FakeInspector:
    """The port `Inspector`: takes what follows the mark for the metadata."""

    def inspect(self, file: BinaryIO, filename: Filename) -> Inspected:
        try:
            return Inspected(parse_metadata(file.read().removeprefix(MARK)))
        except ExceptionGroup as group:
            raise InvalidRequest.one("content", str(group.exceptions[0])) from None

    def wheel_metadata(self, file: BinaryIO) -> bytes:
        content = file.read()
        if not content.startswith(MARK):
            raise InvalidRequest.one("content", "there is no METADATA")
        return content.removeprefix(MARK)
