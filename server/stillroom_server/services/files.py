"""Files by their URL: the stages' own, and the mirrors', fetched when they are not here yet."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from stillroom_server.domain.errors import Forbidden, NotFound, StorageBusy
from stillroom_server.domain.files import File
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage, Origin, origin_of
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.upstream import KeptFile

from .companions import METADATA, PROVENANCE, SUFFIXES, Companions, FetchWheel
from .downloads import Download, Downloads, kept_file
from .file_uses import FileUses
from .mirrors import Listed, Mirrors, quarantined
from .ports import BlobStore, Clock, Database
from .transfers import Place, Wanted

NO_DIGEST = "-"
"""In a URL, where an upstream gives no SHA-256."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a file URL means, below the index: a file, or what lies beside it.

    `digest` is the SHA-256 of the file, or NO_DIGEST; `companion` one of METADATA and PROVENANCE,
    or empty.
    """

    project: ProjectName
    digest: str
    filename: str
    companion: str = ""

    @classmethod
    def of(cls, project: ProjectName, digest: str, name: str) -> "Address":
        """Read the parts of a URL."""
        for companion in SUFFIXES:
            if name.endswith(companion):
                return cls(project, digest, name.removesuffix(companion), companion)
        return cls(project, digest, name)

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.filename + self.companion


@dataclass(frozen=True, slots=True)
class Content:
    """Something to send: a blob that is here, or a download to follow.

    `held` is the index in which it lives. `sha256` is None until it is known. `size` is None only
    where nothing but the headers was asked for and the upstream does not say it. `modified` is
    when the file was uploaded or fetched. `is_lasting` tells whether there will never be anything
    else at this address.
    """

    held: IndexName
    filename: str
    sha256: str | None
    modified: datetime | None
    size: int | None
    is_lasting: bool
    _store: BlobStore
    _download: Download | None = None

    def open(self) -> BinaryIO | None:
        """The blob, readable and seekable; None where the content is still on its way."""
        if self._download is not None or self.sha256 is None:
            return None
        try:
            return self._store.open(self.sha256)
        except FileNotFoundError:
            # Its row says that it exists: the loss is ours, and 404 would make it the client's.
            raise StorageBusy(
                f"The content of {self.filename} is missing in the store; restore it there."
            ) from None

    def follow(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes of a download as they arrive; raises when it breaks off."""
        assert self._download is not None
        return self._download.chunks(start, stop)


@dataclass(frozen=True, slots=True)
class Redirect:
    """The client shall fetch the file from this URL, which is the upstream's.

    `held` is the mirror that lists it.
    """

    held: IndexName
    url: str


class FileService:
    """Finds what a file URL under an index means. Permission has been checked before."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        mirrors: Mirrors,
        downloads: Downloads,
        companions: Companions,
        file_uses: FileUses,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._mirrors = mirrors
        self._downloads = downloads
        self._companions = companions
        self._file_uses = file_uses
        self._clock = clock

    def content(
        self, lineage: Lineage, address: Address, *, fetch: bool = True
    ) -> Content | Redirect:
        """The file, or what lies beside it, as the lineage shows it.

        With `fetch` False (a HEAD request) no whole file is fetched. Raises NotFound if the
        lineage does not show it, Forbidden if the project is quarantined.
        """
        missing = NotFound(f"There is no file {address.name} with this digest in {lineage.name}.")
        origin, held, refused = self._held(lineage, address)
        if held is not None:
            if held.sha256 != address.digest:
                raise refused or missing
            return self._of_stage(held, address, missing)
        for position, mirror in enumerate(origin.mirrors):
            try:
                listed = self._mirrors.listed(mirror, address.project, address.filename)
            except Forbidden as forbidden:
                if not self._is_anywhere_before(origin, position, address.project):
                    raise
                refused = refused or forbidden
                continue
            if listed is None:
                continue
            if not _is_digest_of(address.digest, listed):
                raise refused or missing
            return self._of_mirror(mirror, address, listed, fetch=fetch)
        raise refused or missing

    def fetch(self, index: Index, project: ProjectName, filename: str) -> KeptFile:
        """Make sure that the content of a mirrored file is in the store, and wait for it.

        Raises NotFound where the mirror does not list it, UpstreamFailed and UpstreamTimeout.
        """
        listed = self._listed(index, project, filename)
        kept = self._kept(index, project, listed)
        if kept is not None:
            return kept
        download = self._start(index, project, listed)
        sha256 = download.wait()
        now = self._clock()
        return KeptFile(filename, sha256, download.size(), fetched=now, used=now)

    def fetch_beside(self, index: Index, project: ProjectName, filename: str) -> None:
        """Make sure that all that lies beside a mirrored file is here, as far as there is any.

        Raises as `fetch` does.
        """
        listed = self._listed(index, project, filename)
        fetch_wheel = self._wheel_fetch(index, project, listed)
        is_here = self._kept(index, project, listed) is not None
        if listed.file.core_metadata is not None or is_here:
            with suppress(NotFound):
                self._companions.metadata(index, project, listed, fetch_wheel)
        if listed.file.provenance is not None:
            self._companions.provenance(index, project, listed)

    def is_here(self, index: Index, project: ProjectName, filename: str) -> bool:
        """Whether the content of a mirrored file is kept. Raises as `fetch` does."""
        listed = self._listed(index, project, filename)
        return self._kept(index, project, listed) is not None

    # Stages

    def _held(
        self, lineage: Lineage, address: Address
    ) -> tuple[Origin, File | None, Forbidden | None]:
        """Where the project's files may come from; the file if a stage holds it.

        A project that is quarantined in the first index that has it offers nothing at all:
        Forbidden is raised. In a later one, only the files of that are out of reach: then it is
        returned, for where nobody else has the file.
        """
        refused: Forbidden | None = None
        with self._database.reading() as unit:
            holders = unit.projects.holders(lineage.stages, address.project)
            origin = origin_of(lineage, address.project, holders)
            for position, stage in enumerate(origin.stages):
                project = unit.projects.get(stage, address.project)
                file = unit.files.get(stage, address.filename)
                is_here = file is not None and file.project == address.project
                if project is not None and not project.status.offers_files:
                    forbidden = Forbidden(quarantined(address.project, project.status))
                    if position == 0:
                        raise forbidden
                    refused = refused or (forbidden if is_here else None)
                elif is_here:
                    return origin, file, refused
        return origin, None, refused

    def _of_stage(self, file: File, address: Address, missing: NotFound) -> Content:
        sha256, size = file.sha256, file.size
        if address.companion == METADATA:
            if file.metadata_sha256 is None or file.metadata_size is None:
                raise missing
            sha256, size = file.metadata_sha256, file.metadata_size
        elif address.companion:
            raise missing
        return Content(
            file.index,
            address.name,
            sha256,
            file.uploaded,
            size,
            is_lasting=True,
            _store=self._store,
        )

    # Mirrors

    def _is_anywhere_before(self, origin: Origin, position: int, project: ProjectName) -> bool:
        """Whether the mirror at that position is not the first index that has the project."""
        before = origin.mirrors[:position]
        return bool(origin.stages) or any(
            self._mirrors.page(mirror, project).exists for mirror in before
        )

    def _of_mirror(
        self, mirror: Index, address: Address, listed: Listed, *, fetch: bool
    ) -> Content | Redirect:
        if address.companion == PROVENANCE:
            kept = self._companions.provenance(mirror, address.project, listed)
            return self._here(mirror, kept, is_lasting=False)
        has_digest = address.digest != NO_DIGEST
        if address.companion == METADATA:
            return self._metadata(mirror, address, listed, fetch=fetch)
        kept_content = self._kept(mirror, address.project, listed)
        if kept_content is not None:
            self._file_uses.note(mirror, address.project, kept_content)
            return self._here(mirror, kept_content, is_lasting=has_digest)
        if mirror.sends_clients_upstream:
            return Redirect(mirror.name, listed.said.url)
        sha256 = listed.file.hashes.get("sha256")
        if fetch:
            download = self._start(mirror, address.project, listed)
            download.begun()
            size: int | None = download.size()
        else:
            download = None
            size = self._downloads.size(self._wanted(mirror, address.project, listed))
        return Content(
            mirror.name, address.filename, sha256, None, size, has_digest, self._store, download
        )

    def _metadata(
        self, mirror: Index, address: Address, listed: Listed, *, fetch: bool
    ) -> Content:
        fetch_wheel = self._wheel_fetch(mirror, address.project, listed) if fetch else None
        kept = self._companions.metadata(mirror, address.project, listed, fetch_wheel)
        promised = (listed.file.core_metadata or {}).get("sha256")
        # Without a promised digest, the wheel may turn out to hold other metadata than its parts.
        is_lasting = promised is not None and address.digest != NO_DIGEST
        if kept is None:
            return Content(
                mirror.name, address.name, promised, None, None, is_lasting, self._store
            )
        return self._here(mirror, kept, is_lasting=is_lasting)

    def _wheel_fetch(self, index: Index, project: ProjectName, listed: Listed) -> FetchWheel:
        return lambda: self._start(index, project, listed).wait()

    def _start(self, index: Index, project: ProjectName, listed: Listed) -> Download:
        """Begin to fetch a file, and what lies beside it when that has ended."""

        def complete(kept: KeptFile) -> None:
            self._companions.complete(index, project, listed, kept.sha256)

        return self._downloads.start(self._wanted(index, project, listed), complete)

    def _wanted(self, index: Index, project: ProjectName, listed: Listed) -> Wanted:
        def elsewhere() -> Iterator[Place]:
            for other in self._mirrors.elsewhere(index, project, listed):
                yield Place(other.source, other.said.url)

        return Wanted(
            index=index,
            project=project,
            filename=listed.file.filename,
            place=Place(listed.source, listed.said.url),
            hashes=tuple(listed.file.hashes.items()),
            size=listed.file.size,
            elsewhere=elsewhere,
            keep=index.keeps_files and not index.sends_clients_upstream,
        )

    def _listed(self, index: Index, project: ProjectName, filename: str) -> Listed:
        listed = self._mirrors.listed(index, project, filename)
        if listed is None:
            raise NotFound(f"{index.name} has no file {filename} of {project}.")
        return listed

    def _kept(self, mirror: Index, project: ProjectName, listed: Listed) -> KeptFile | None:
        file = listed.file
        with self._database.reading() as unit:
            return kept_file(unit, mirror, project, file.filename, file.hashes.get("sha256"))

    def _here(self, mirror: Index, kept: KeptFile, *, is_lasting: bool) -> Content:
        return Content(
            mirror.name,
            kept.filename,
            kept.sha256,
            kept.fetched,
            kept.size,
            is_lasting,
            self._store,
        )


def _is_digest_of(digest: str, listed: Listed) -> bool:
    """Whether a URL with that digest means the file; NO_DIGEST goes on to, once it is learned."""
    if digest == NO_DIGEST:
        return "sha256" not in listed.said.hashes
    return digest == listed.file.hashes.get("sha256")
