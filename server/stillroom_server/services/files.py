"""Files by their URL: the stage's own, and the mirrors', fetched when they are not here yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from stillroom_server.domain.errors import NotFound, StorageBusy
from stillroom_server.domain.files import File
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import Lineage, origin_of
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile, UpstreamFile

from .downloads import Download, Downloads, Wanted
from .mirrors import Mirrors
from .ports import BlobStore, Database

METADATA = ".metadata"
NO_DIGEST = "-"
"""In a URL, where an upstream gives no SHA-256."""


@dataclass(frozen=True, slots=True)
class Content:
    """Something to send: a blob that is here, or a download to follow.

    `sha256` is None until it is known; only then may the answer be called immutable. `modified`
    is when the file was uploaded or fetched.
    """

    filename: str
    sha256: str | None
    modified: datetime | None
    size: int
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


class FileService:
    """Finds what a file URL under an index means. Permission has been checked before."""

    def __init__(
        self, database: Database, store: BlobStore, mirrors: Mirrors, downloads: Downloads
    ) -> None:
        self._database = database
        self._store = store
        self._mirrors = mirrors
        self._downloads = downloads

    def content(
        self, lineage: Lineage, project: ProjectName, digest: str, name: str, *, fetch: bool = True
    ) -> Content:
        """The file, or its `.metadata`, as the lineage shows it; NotFound if it does not.

        `digest` is the SHA-256 in the URL: of the file, also where its metadata is meant. With
        `fetch` False (a HEAD request) nothing is asked upstream if the size is known.
        """
        is_metadata = name.endswith(METADATA)
        filename = name.removesuffix(METADATA)
        missing = NotFound(f"There is no file {name} with this digest in {lineage.name}.")
        with self._database.reading() as unit:
            holders = unit.projects.holders(lineage.stages, project)
            origin = origin_of(lineage, project, holders)
            for stage in origin.stages:
                file = unit.files.get(stage, filename)
                if file is not None and file.project == project:
                    if file.sha256 != digest:
                        raise missing
                    return self._of_stage(file, is_metadata=is_metadata, missing=missing)
        for mirror in origin.mirrors:
            kept = self._kept(mirror, project, name)
            if kept is not None and (is_metadata or digest in {kept.sha256, NO_DIGEST}):
                return self._here(kept)
            listed = self._listed(mirror, project, filename)
            if listed is not None:
                if listed.hashes.get("sha256", NO_DIGEST) != digest:
                    raise missing
                wanted = _wanted(mirror, project, listed, is_metadata=is_metadata)
                return self._on_its_way(wanted, fetch=fetch)
        raise missing

    def fetch(self, index: Index, project: ProjectName, file: UpstreamFile) -> KeptFile:
        """Make sure that a mirrored file is here, and wait for it."""
        kept = self._kept(index, project, file.filename)
        if kept is not None:
            return kept
        self._downloads.start(_wanted(index, project, file, is_metadata=False)).wait()
        kept = self._kept(index, project, file.filename)
        assert kept is not None, "a download that ended well is kept"
        return kept

    def _of_stage(self, file: File, *, is_metadata: bool, missing: NotFound) -> Content:
        if not is_metadata:
            return Content(file.filename, file.sha256, file.uploaded, file.size, self._store)
        if file.metadata_sha256 is None or file.metadata_size is None:
            raise missing
        return Content(
            file.filename + METADATA,
            file.metadata_sha256,
            file.uploaded,
            file.metadata_size,
            self._store,
        )

    def _listed(self, mirror: Index, project: ProjectName, filename: str) -> UpstreamFile | None:
        """The file on the mirror's page; an expired page will do if it lists the file."""
        with self._database.reading() as unit:
            page = unit.mirror_pages.get(mirror, project)
        files = page.files if page is not None else ()
        if not any(file.filename == filename for file in files):
            files = self._mirrors.page(mirror, project).files
        return next((file for file in files if file.filename == filename), None)

    def _kept(self, mirror: Index, project: ProjectName, name: str) -> KeptFile | None:
        with self._database.reading() as unit:
            kept = unit.mirror_pages.kept(mirror, project)
        return next((file for file in kept if file.filename == name), None)

    def _on_its_way(self, wanted: Wanted, *, fetch: bool) -> Content:
        sha256 = dict(wanted.hashes).get("sha256")
        if not fetch and wanted.size is not None:
            return Content(wanted.filename, sha256, None, wanted.size, self._store)
        download = self._downloads.start(wanted)
        download.begun()
        size = download.size()
        return Content(wanted.filename, sha256, None, size, self._store, download)

    def _here(self, kept: KeptFile) -> Content:
        return Content(kept.filename, kept.sha256, kept.fetched, kept.size, self._store)


def _wanted(
    index: Index, project: ProjectName, file: UpstreamFile, *, is_metadata: bool
) -> Wanted:
    if not is_metadata:
        hashes = tuple(file.hashes.items())
        return Wanted(index, project, file.filename, file.url, hashes, file.size)
    if file.core_metadata is None:
        raise NotFound(f"The upstream of {index.name} has no metadata of {file.filename}.")
    path, question, query = file.url.partition("?")
    url = f"{path}{METADATA}{question}{query}"
    hashes = tuple(file.core_metadata.items())
    return Wanted(index, project, file.filename + METADATA, url, hashes, None)
