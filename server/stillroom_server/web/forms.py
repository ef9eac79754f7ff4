"""The upload form, read as a stream: fields in memory, the file straight into the store."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from pyramid.request import Request

from stillroom_server.domain.errors import InvalidRequest, TooLarge
from stillroom_server.domain.metadata import UploadForm
from stillroom_server.services.uploads import Incoming, Uploads

CHUNK = 256 * 1024
MAX_PARTS = 5_000
"""A form has some thirty fields; with repeated ones (classifiers, requirements) some hundreds."""
MAX_FIELDS = 16 * 1024 * 1024
"""Bytes of all fields together, the description among them."""
MAX_FORM = 2 * MAX_FIELDS
"""Bytes that an upload may hold beside its file: the fields, and what stands between them."""

ACTION = ":action"
CONTENT = "content"


@dataclass
class ReceivedForm:
    """What came: the last value of each field, and the file if there was one."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str | None = None
    incoming: Incoming | None = None

    def upload_form(self) -> UploadForm:
        """The fields that an upload is compared by; unknown ones are ignored."""
        return UploadForm(
            filename=self.filename or "",
            name=self.fields.get("name", ""),
            version=self.fields.get("version", ""),
            filetype=self.fields.get("filetype", ""),
            requires_python=self.fields.get("requires_python", ""),
            digests={
                "md5": self.fields.get("md5_digest", ""),
                "sha256": self.fields.get("sha256_digest", ""),
                "blake2_256": self.fields.get("blake2_256_digest", ""),
            },
        )


@contextlib.contextmanager
def received_form(request: Request, uploads: Uploads) -> Iterator[ReceivedForm]:
    """Read a multipart form; its file is dropped at the end of the block unless it was added.

    Raises InvalidRequest for what is no such form, TooLarge past a limit.
    """
    content_type, options = parse_options_header(request.environ.get("CONTENT_TYPE", ""))
    boundary = options.get("boundary")
    if content_type != "multipart/form-data" or not boundary:
        raise InvalidRequest.one(
            "body", "an upload is a multipart/form-data form with a boundary, as twine sends it"
        )
    with uploads.receive() as incoming:
        form = _Reader(incoming).read(request, boundary)
        yield form


class _Reader:
    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self._form = ReceivedForm()
        self._part: MultipartSegment | None = None
        self._value = bytearray()
        self._bytes = 0

    def read(self, request: Request, boundary: str) -> ReceivedForm:
        stream = request.environ["wsgi.input"]
        try:
            with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
                while not parser.closed:
                    for event in parser.parse(stream.read(CHUNK)):
                        self._take(event)
        except MultipartError as error:
            raise InvalidRequest.one("body", f"the form cannot be read: {error}") from None
        except (LookupError, UnicodeDecodeError):
            raise InvalidRequest.one("body", "the form's text must be UTF-8") from None
        return self._form

    def _take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if isinstance(event, MultipartSegment):
            self._begin(event)
        elif event is None:
            self._end()
        elif self._is_file():
            self._incoming.write(bytes(event))
        else:
            self._bytes += len(event)
            if self._bytes > MAX_FIELDS:
                raise TooLarge(f"body: the fields of an upload are at most {MAX_FIELDS:,} bytes.")
            self._value += event

    def _begin(self, part: MultipartSegment) -> None:
        self._part = part
        self._value = bytearray()
        if not self._is_file():
            return
        if part.filename is None:
            raise InvalidRequest.one(CONTENT, "it must be a file with a name, not a text field")
        if self._form.incoming is not None:
            raise InvalidRequest.one(CONTENT, "it must stand once: one file per upload")
        self._form.filename = part.filename
        self._form.incoming = self._incoming

    def _end(self) -> None:
        part, self._part = self._part, None
        if part is None or part.name is None or part.name == CONTENT:
            return
        if part.filename is None:
            self._form.fields[part.name] = self._value.decode("utf-8")

    def _is_file(self) -> bool:
        return self._part is not None and self._part.name == CONTENT
