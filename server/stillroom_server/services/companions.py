"""What is served beside a mirrored file: its `.metadata` and its `.provenance`.

Metadata is the upstream's own, byte for byte, where it has any, and else is read from the wheel:
from ours if that is here, from the upstream's in parts, or from the whole of it.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import chain
from urllib.parse import urlsplit, urlunsplit

from stillroom_server.domain.errors import (
    InvalidRequest,
    NotFound,
    StillroomError,
    Trouble,
    UpstreamFailed,
    UpstreamTimeout,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile, UpstreamFile

from .caching import SingleFlight
from .downloads import kept_file
from .mirrors import Listed, Mirrors, note_learned, require_same_upstream
from .ports import BlobStore, Clock, Database, Inspector, Upstream

log = logging.getLogger(__name__)

METADATA = ".metadata"
PROVENANCE = ".provenance"
SUFFIXES = (METADATA, PROVENANCE)

PAUSE_SECONDS = 30.0
"""For how long kept provenance is served without asking, after its upstream failed."""

_ASKED_IN_VAIN = (NotFound, UpstreamFailed, UpstreamTimeout)

FetchWheel = Callable[[], str]
"""Makes sure that the whole wheel is in the store; its SHA-256."""

_Key = tuple[int, str, bool]


class Companions:
    """Finds, makes and keeps what is served beside mirrored files."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        upstream: Upstream,
        inspector: Inspector,
        mirrors: Mirrors,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._upstream = upstream
        self._inspector = inspector
        self._mirrors = mirrors
        self._clock = clock
        self._flights: SingleFlight[_Key, KeptFile | None] = SingleFlight()
        self._lock = threading.Lock()
        self._pauses: dict[tuple[int, str], float] = {}

    def metadata(
        self, index: Index, project: ProjectName, listed: Listed, fetch_wheel: FetchWheel | None
    ) -> KeptFile | None:
        """The metadata of a listed file, kept from now on.

        `fetch_wheel` is called as the last resort; where that is None, so is the answer. Raises
        NotFound where there is none, also if the wheel itself has none; UpstreamFailed and
        UpstreamTimeout.
        """
        kept = self._kept_metadata(index, project, listed)
        if kept is not None:
            return kept
        key = (index.id, listed.file.filename + METADATA, fetch_wheel is not None)
        return self._flights.run(
            key, lambda: self._new_metadata(index, project, listed, fetch_wheel)
        )

    def provenance(self, index: Index, project: ProjectName, listed: Listed) -> KeptFile:
        """The attestations of a listed file (PEP 740), as its upstream says them.

        They can grow, so they are asked for anew as pages are; what is kept is served where that
        fails. Raises NotFound, UpstreamFailed and UpstreamTimeout.
        """
        filename = listed.file.filename
        if listed.file.provenance is None:
            raise NotFound(f"The upstream of {index.name} has no attestations of {filename}.")
        kept = self._kept(index, project, filename + PROVENANCE)
        if kept is not None and self._holds(index, kept):
            return kept
        key = (index.id, filename + PROVENANCE, True)
        try:
            new = self._flights.run(key, lambda: self._new_provenance(index, project, listed))
        except (NotFound, Trouble) as error:
            if kept is None:
                raise
            log.warning("%s: %s is served as it was: %s", index.name, kept.filename, error)
            self._pause(index, kept)
            return kept
        assert new is not None, "only metadata may need more than was allowed"
        return new

    def complete(self, index: Index, project: ProjectName, listed: Listed, sha256: str) -> None:
        """Get all that belongs to a file that has just been fetched and verified.

        `sha256` is that of its content, which is in the store. A failure is logged only: what is
        missing is asked for again when somebody wants it.
        """
        try:
            if listed.said.core_metadata is not None:
                self.metadata(index, project, listed, lambda: sha256)
            elif listed.file.is_wheel:
                self._replace_metadata(index, project, listed, sha256)
        except StillroomError as error:
            log.warning("%s: no metadata of %s: %s", index.name, listed.file.filename, error)
        try:
            if listed.file.provenance is not None:
                self.provenance(index, project, listed)
        except StillroomError as error:
            log.warning("%s: no provenance of %s: %s", index.name, listed.file.filename, error)

    # Metadata

    def _kept_metadata(
        self, index: Index, project: ProjectName, listed: Listed
    ) -> KeptFile | None:
        kept = self._kept(index, project, listed.file.filename + METADATA)
        promised = (listed.file.core_metadata or {}).get("sha256")
        return kept if kept is not None and promised in {None, kept.sha256} else None

    def _new_metadata(
        self, index: Index, project: ProjectName, listed: Listed, fetch_wheel: FetchWheel | None
    ) -> KeptFile | None:
        # Look again: whoever asked just before us may have stored it by now.
        kept = self._kept_metadata(index, project, listed)
        if kept is not None:
            return kept
        file = listed.file
        wheel = None
        if file.is_wheel:
            wheel = self._kept(index, project, file.filename, file.hashes.get("sha256"))
        if listed.said.core_metadata is not None:
            try:
                content = self._documents(index, project, listed, _metadata_url)
                _check(listed.said, content)
                return self._keep(index, project, file.filename + METADATA, content)
            except _ASKED_IN_VAIN as error:
                if wheel is None and not (file.is_wheel and isinstance(error, NotFound)):
                    raise
                log.warning("%s: %s%s: %s", index.name, file.filename, METADATA, error)
        if wheel is not None:
            return self._replace_metadata(index, project, listed, wheel.sha256)
        if file.core_metadata is None:
            raise NotFound(f"The upstream of {index.name} has no metadata of {file.filename}.")
        from_parts = self._read_in_parts(index, listed)
        if from_parts is not None:
            _check(listed.said, from_parts)
            return self._keep(index, project, file.filename + METADATA, from_parts)
        if fetch_wheel is None:
            return None
        return self._replace_metadata(index, project, listed, fetch_wheel())

    def _read_in_parts(self, index: Index, listed: Listed) -> bytes | None:
        """The metadata from the upstream's wheel; None where only the whole of it will do."""
        try:
            with self._upstream.remote_file(listed.source, listed.said.url) as wheel:
                return self._inspector.wheel_metadata(wheel)
        except (*_ASKED_IN_VAIN, InvalidRequest) as error:
            log.info("%s: %s in parts: %s", index.name, listed.file.filename, error)
            return None

    def _replace_metadata(
        self, index: Index, project: ProjectName, listed: Listed, wheel: str
    ) -> KeptFile:
        """Keep the metadata of a verified wheel, in the place of any that could not be verified.

        `wheel` is the SHA-256 of its content.
        """
        filename = listed.file.filename
        with self._store.open(wheel) as content:
            try:
                metadata = self._inspector.wheel_metadata(content)
            except InvalidRequest as invalid:
                raise NotFound(f"{filename} has no metadata: {invalid}") from None
        _check(listed.said, metadata)
        sha256 = hashlib.sha256(metadata).hexdigest()
        before = self._kept(index, project, filename + METADATA)
        if before is not None and before.sha256 != sha256:
            log.warning(
                "%s: the metadata of %s that was read in parts was not that of the wheel, and is "
                "replaced",
                index.name, filename,
            )  # fmt: skip
        # Where the upstream has metadata of its own, its page says the digest, or hides it.
        of_wheel = filename if listed.said.core_metadata is None else None
        return self._keep(index, project, filename + METADATA, metadata, of_wheel=of_wheel)

    # Provenance

    def _holds(self, index: Index, kept: KeptFile) -> bool:
        age = self._clock() - kept.fetched
        if timedelta(0) <= age < timedelta(seconds=index.cache_expiry):
            return True
        with self._lock:
            return time.monotonic() < self._pauses.get((index.id, kept.filename), 0.0)

    def _new_provenance(self, index: Index, project: ProjectName, listed: Listed) -> KeptFile:
        content = self._documents(index, project, listed, lambda file: file.provenance)
        try:
            is_object = isinstance(json.loads(content), dict)
        except (ValueError, RecursionError):
            is_object = False
        name = listed.file.filename + PROVENANCE
        if not is_object:
            raise UpstreamFailed(f"The upstream's {name} is no JSON object; it was not kept.")
        return self._keep(index, project, name, content)

    def _pause(self, index: Index, kept: KeptFile) -> None:
        now = time.monotonic()
        with self._lock:
            self._pauses = {key: until for key, until in self._pauses.items() if now < until}
            self._pauses[index.id, kept.filename] = now + PAUSE_SECONDS

    # Both

    def _documents(
        self,
        index: Index,
        project: ProjectName,
        listed: Listed,
        url_of: Callable[[UpstreamFile], str | None],
    ) -> bytes:
        """A document from the first of the equivalent upstreams that gives it."""
        failure: StillroomError | None = None
        for one in chain([listed], self._mirrors.elsewhere(index, project, listed)):
            url = url_of(one.said)
            if url is None:
                continue
            try:
                return self._upstream.document(one.source, url)
            except _ASKED_IN_VAIN as error:
                failure = failure or error
        assert failure is not None, "the first one has a URL"
        raise failure

    def _kept(
        self, index: Index, project: ProjectName, name: str, sha256: str | None = None
    ) -> KeptFile | None:
        with self._database.reading() as unit:
            return kept_file(unit, index, project, name, sha256)

    def _keep(
        self,
        index: Index,
        project: ProjectName,
        name: str,
        content: bytes,
        *,
        of_wheel: str | None = None,
    ) -> KeptFile:
        """Keep a companion; `of_wheel` names the wheel whose metadata it surely is."""
        with self._store.receive() as writer:
            writer.write(content)
            sha256 = writer.keep()
        now = self._clock()
        kept = KeptFile(name, sha256, len(content), fetched=now, used=now)
        with self._database.writing() as unit:
            require_same_upstream(unit, index)
            if unit.mirror_pages.get(index, project) is None:
                # The project was deleted meanwhile: what was to be forgotten stays forgotten.
                return kept
            unit.mirror_pages.keep(index, project, kept)
            if of_wheel is not None:
                note_learned(unit, index, project, of_wheel, now=now, metadata_sha256=sha256)
        return kept


def _metadata_url(file: UpstreamFile) -> str | None:
    """Where an upstream has the metadata of a file: beside it, whatever its query says."""
    if file.core_metadata is None:
        return None
    parts = urlsplit(file.url)
    return urlunsplit(parts._replace(path=parts.path + METADATA))


def _check(said: UpstreamFile, metadata: bytes) -> None:
    """Raise UpstreamFailed unless metadata has every digest that the upstream's page promises."""
    promised: Mapping[str, str] = said.core_metadata or {}
    for algorithm, digest in promised.items():
        if hashlib.new(algorithm, metadata).hexdigest() != digest.lower():
            raise UpstreamFailed(
                f"The metadata of {said.filename} has another {algorithm} than the upstream "
                "lists; it was not kept."
            )
