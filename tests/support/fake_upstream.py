"""An upstream in memory, which a test can make slow, wrong, or dead."""

import io
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from stillroom_server.domain.errors import NotFound, StillroomError, Trouble
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ACTIVE, ProjectStatus
from stillroom_server.domain.upstream import UpstreamFile, Validators
from stillroom_server.services.ports import (
    NamesFetched,
    NoSuchProject,
    NotModified,
    PageAnswer,
    PageFetched,
)

PATIENCE = 10.0
"""Seconds after which whoever still waits for a test has found a bug."""


class FakeUpstream:
    """The port `Upstream`, for any number of base URLs.

    `asked` is what it was asked, in order: `page demo`, `names`, `file http://…`,
    `file http://… from 7`, `ranges http://…`, `part http://…`, `document http://…`; `bases` are
    the base URLs of the same questions, and `known` what page requests were conditional on. With
    a `trouble` it raises that, whatever it is asked; `troubles` are those of single base URLs.
    A trouble among `names` breaks the list off there. `ranges` tells whether files can be read
    in parts.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bases: list[str] = []
        self.known: list[Validators] = []
        self.trouble: Trouble | None = None
        self.troubles: dict[str, Trouble] = {}
        self.names: Iterable[str | Trouble] = []
        self.names_validators = Validators()
        self.ranges = False
        self.closed = False
        self._pages: dict[tuple[str | None, str], PageFetched] = {}
        self._files: dict[str, bytes | list[Stream]] = {}
        self._facts: dict[str, _Facts] = {}
        self._gate: Gate | None = None

    def offer(
        self,
        project: str,
        *files: UpstreamFile,
        etag: str | None = None,
        status: ProjectStatus = ACTIVE,
        base: str | None = None,
    ) -> None:
        """From now on, the page of the project is this; with `base` only at that URL."""
        self._pages[base, project] = PageFetched(files, Validators(etag=etag), status)

    def withdraw(self, project: str, *, base: str | None = None) -> None:
        """From now on, there is no such project."""
        del self._pages[base, project]

    def put(
        self,
        file: UpstreamFile,
        content: bytes,
        *,
        etag: str | None = None,
        modified: datetime | None = None,
    ) -> None:
        """From now on, the file has this content."""
        self.put_url(file.url, content, etag=etag, modified=modified)

    def put_url(
        self,
        url: str,
        content: bytes,
        *,
        etag: str | None = None,
        modified: datetime | None = None,
    ) -> None:
        """From now on, this is what is at the URL."""
        self._files[url] = content
        self._facts[url] = _Facts(len(content), etag, modified)

    def remove_url(self, url: str) -> None:
        """From now on, nothing is at the URL."""
        del self._files[url]

    def stream(self, file: UpstreamFile, *, size: int | None = None) -> "Stream":
        """From now on, the content of the file comes from this stream."""
        stream = Stream(size)
        self.streams(file, stream)
        return stream

    def streams(self, file: UpstreamFile, *streams: "Stream") -> None:
        """From now on, each fetch of the file gets the next of them; the last one stays."""
        self._files[file.url] = list(streams)

    @contextmanager
    def held(self) -> Iterator["Gate"]:
        """Inside the block, questions wait at a gate, which is opened at its end at the latest."""
        self._gate = gate = Gate()
        try:
            yield gate
        finally:
            self._gate = None
            gate.open()

    def project_page(self, base_url: str, project: ProjectName, known: Validators) -> PageAnswer:
        self.known.append(known)
        self._answering(base_url, f"page {project}")
        page = self._pages.get((base_url, project)) or self._pages.get((None, project))
        if page is None:
            return NoSuchProject()
        if known.etag is not None and known == page.validators:
            return NotModified()
        return page

    @contextmanager
    def project_names(
        self, base_url: str, known: Validators
    ) -> Iterator[NamesFetched | NotModified]:
        self._answering(base_url, "names")
        if known != Validators() and known == self.names_validators:
            yield NotModified()
        else:
            yield NamesFetched(_unbroken(self.names), self.names_validators)

    @contextmanager
    def fetch(
        self, base_url: str, url: str, *, start: int = 0, etag: str | None = None
    ) -> Iterator["_Transfer"]:
        self._answering(base_url, f"file {url} from {start}" if start else f"file {url}")
        content = self._content(url)
        if isinstance(content, Stream):
            yield _Transfer(content.facts, content.arriving(), content.start)
            return
        facts = self._facts[url]
        begin = start if self.ranges and etag == facts.etag else 0
        yield _Transfer(facts, iter([content[begin:]]), begin)

    def takes_ranges(self, base_url: str, url: str) -> bool:
        self._answering(base_url, f"ranges {url}")
        return self.ranges

    @contextmanager
    def remote_file(self, base_url: str, url: str) -> Iterator[io.BytesIO]:
        self._answering(base_url, f"part {url}")
        yield io.BytesIO(self._whole(url))

    def document(self, base_url: str, url: str) -> bytes:
        self._answering(base_url, f"document {url}")
        return self._whole(url)

    def close(self) -> None:
        self.closed = True

    def _content(self, url: str) -> "bytes | Stream":
        content = self._files.get(url)
        if content is None:
            raise NotFound("the upstream does not have this file")
        if isinstance(content, bytes):
            return content
        return content.pop(0) if len(content) > 1 else content[0]

    def _whole(self, url: str) -> bytes:
        content = self._content(url)
        assert isinstance(content, bytes), "a stream is fetched, and not read in parts"
        return content

    def _answering(self, base_url: str, question: str) -> None:
        self.asked.append(question)
        self.bases.append(base_url)
        if self._gate is not None:
            self._gate.pass_through()
        trouble = self.troubles.get(base_url, self.trouble)
        if trouble is not None:
            raise trouble


def _unbroken(names: Iterable[str | Trouble]) -> Iterator[ProjectName]:
    for name in names:
        if isinstance(name, Trouble):
            raise name
        yield ProjectName(name)


class Gate:
    """Where questions wait."""

    def __init__(self) -> None:
        self._arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def pass_through(self) -> None:
        """The side of whoever asks."""
        self._arrived.release()
        assert self._open.wait(PATIENCE), "the test does not open the gate"

    def wait_for_one(self) -> None:
        """Wait until somebody waits here."""
        assert self._arrived.acquire(timeout=PATIENCE), "nobody asks"

    def open(self) -> None:
        """Let all go on."""
        self._open.set()


@dataclass(frozen=True, slots=True)
class _Facts:
    """What an answer says of a file: the size of the whole, and what it is known by."""

    size: int | None
    etag: str | None = None
    modified: datetime | None = None


@dataclass(slots=True)
class Stream:
    """The content of a file, sent part by part by a test.

    `size` is what is announced of the whole file; `start` is where this answer begins.
    """

    size: int | None
    start: int = 0
    etag: str | None = None
    modified: datetime | None = None
    _parts: queue.Queue[bytes | StillroomError | None] = field(default_factory=queue.Queue)

    @property
    def facts(self) -> _Facts:
        """What the answer says of the file."""
        return _Facts(self.size, self.etag, self.modified)

    def send(self, part: bytes) -> None:
        """Let a part arrive."""
        self._parts.put(part)

    def end(self) -> None:
        """That was all."""
        self._parts.put(None)

    def fail(self, error: StillroomError) -> None:
        """Break off."""
        self._parts.put(error)

    def arriving(self) -> Iterator[bytes]:
        """The side of whoever fetches."""
        while (part := self._parts.get(timeout=PATIENCE)) is not None:
            if isinstance(part, StillroomError):
                raise part
            yield part


class _Transfer:
    def __init__(self, facts: _Facts, parts: Iterator[bytes], start: int) -> None:
        self.start = start
        self.size = facts.size
        self.etag = facts.etag
        self.modified = facts.modified
        self._parts = parts

    def chunks(self) -> Iterator[bytes]:
        return self._parts
