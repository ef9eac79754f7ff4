"""Uploads: received, verified against the archive, kept, and only then made known."""

import base64
import binascii
import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stillroom_server.domain.distributions import Filename, FileType, parse_filename
from stillroom_server.domain.errors import Fault, InvalidRequest, TooLarge
from stillroom_server.domain.events import EventKind
from stillroom_server.domain.files import NewFile
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.metadata import CoreMetadata, UploadForm, form_faults
from stillroom_server.domain.names import IndexName, UserName

from .linking import Addition, Outcome, check_addition, link_file
from .owners import asking
from .ports import BlobStore, BlobWriter, Clock, Database, Inspector


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class Incoming:
    """The content of an upload while it arrives: counted, and hashed in every way we verify."""

    def __init__(self, writer: BlobWriter, max_size: int) -> None:
        self.writer = writer
        self.size = 0
        self._max_size = max_size
        self._hashes: dict[str, _Hash] = {
            "md5": hashlib.md5(usedforsecurity=False),
            "sha256": hashlib.sha256(),
            "blake2_256": hashlib.blake2b(digest_size=32),
        }

    def write(self, data: bytes) -> None:
        """Append; raises TooLarge as soon as the limit is passed."""
        self.size += len(data)
        if self.size > self._max_size:
            raise TooLarge(
                f"content: the file is larger than the {self._max_size:,} bytes that this server "
                "takes (setting max_file_size)."
            )
        for digest in self._hashes.values():
            digest.update(data)
        self.writer.write(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what has arrived, hex."""
        return self._hashes["sha256"].hexdigest()

    def digest_faults(self, declared: dict[str, str]) -> list[Fault]:
        """Compare with what the client declared, by algorithm; empty values declare nothing."""
        faults = []
        for name, value in declared.items():
            actual = self._hashes[name].hexdigest()
            if value and _as_hex(value, len(actual)) != actual:
                faults.append(
                    Fault(f"{name}_digest", f"the form says {value[:80]!r}, the file has {actual}")
                )
        return faults


def _as_hex(value: str, length: int) -> str:
    """A digest in lower-case hex; some clients send md5 in URL-safe base64 without padding."""
    text = value.strip()
    if len(text) < length:
        with contextlib.suppress(binascii.Error, ValueError):
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    return text.lower()


@dataclass(frozen=True, slots=True)
class _Checked:
    filename: Filename
    metadata: CoreMetadata
    new: NewFile


class Uploads:
    """Adds files to stages. Permission has been checked before."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        inspector: Inspector,
        clock: Clock,
        *,
        max_size: int,
    ) -> None:
        self._database = database
        self._store = store
        self._inspector = inspector
        self._clock = clock
        self._max_size = max_size

    @contextlib.contextmanager
    def receive(self) -> Iterator[Incoming]:
        """Begin to receive; what is not added by the end of the block is thrown away."""
        with self._store.receive() as writer:
            yield Incoming(writer, self._max_size)

    def add(
        self, identity: Identity, name: IndexName, form: UploadForm, incoming: Incoming
    ) -> Outcome:
        """Verify what arrived and add it.

        Raises InvalidRequest with every fault of the form, the file's name and the archive;
        Conflict where other bytes of that name are there and the index is not volatile, or the
        project may not have its name; Forbidden where its status takes no uploads or it is
        others', NeedsApproval where it is new and now asked for. The same bytes again change
        nothing.
        """
        checked = self._check(identity, form, incoming)
        with asking(self._database, self._clock, identity, name, checked.filename.project):
            return self._add(identity, name, checked, incoming)

    def _add(
        self, identity: Identity, name: IndexName, checked: _Checked, incoming: Incoming
    ) -> Outcome:
        with self._database.reading() as unit:
            # Asked again when it is linked; here, so that what is refused leaves no blob behind.
            check_addition(unit, identity, name, checked.filename.project, checked.new)
        incoming.writer.keep()
        if checked.new.metadata_sha256 is not None:
            keep_metadata(self._store, checked.metadata)
        addition = Addition(
            project=checked.filename.project,
            display_name=checked.metadata.name,
            file=checked.new,
            metadata=checked.metadata.fields,
        )
        with self._database.writing() as unit:
            return link_file(unit, identity, name, addition, EventKind.FILE_ADDED)

    def _check(self, identity: Identity, form: UploadForm, incoming: Incoming) -> _Checked:
        faults = incoming.digest_faults(dict(form.digests))
        if incoming.size == 0:
            faults.append(Fault("content", "the file is empty"))
        filename = metadata = None
        try:
            filename = parse_filename(form.filename)
        except ValueError as error:
            faults.append(
                Fault("content", f"the file name {form.filename[:80]!r} is wrong: {error}")
            )
        if filename is not None and incoming.size:
            try:
                metadata = self._inspector.inspect(incoming.writer.file(), filename).metadata
            except InvalidRequest as invalid:
                faults.extend(invalid.faults)
            else:
                faults.extend(form_faults(form, metadata, filename.filetype))
        if faults or filename is None or metadata is None:
            raise InvalidRequest(faults)
        new = new_file(
            filename,
            metadata,
            sha256=incoming.sha256,
            size=incoming.size,
            uploaded=self._clock(),
            uploader=identity.user,
        )
        return _Checked(filename, metadata, new)


def new_file(
    filename: Filename,
    metadata: CoreMetadata,
    *,
    sha256: str,
    size: int,
    uploaded: datetime,
    uploader: UserName | None,
) -> NewFile:
    """What a stage holds of a distribution that was inspected."""
    # An sdist's metadata may be served only if building a wheel cannot change it (PEP 643).
    has_metadata = filename.filetype is FileType.WHEEL or metadata.is_static
    return NewFile(
        version=str(filename.version),
        filename=filename.text,
        key=filename.key,
        filetype=filename.filetype,
        python_tag=filename.python_tag,
        sha256=sha256,
        size=size,
        requires_python=metadata.requires_python,
        metadata_sha256=hashlib.sha256(metadata.raw).hexdigest() if has_metadata else None,
        metadata_size=len(metadata.raw) if has_metadata else None,
        uploaded=uploaded,
        uploader=uploader,
    )


def keep_metadata(store: BlobStore, metadata: CoreMetadata) -> None:
    """Keep the bytes that will be served as the file's `.metadata`."""
    with store.receive() as writer:
        writer.write(metadata.raw)
        writer.keep()
