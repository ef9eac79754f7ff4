"""An upstream in memory, which a test can make slow, wrong, or dead."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from stillroom_server.domain.errors import NotFound, StillroomError, Trouble
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import UpstreamFile, Validators
from stillroom_server.services.ports import (
    NoSuchProject,
    NotModified,
    PageAnswer,
    PageFetched,
)

PATIENCE = 10.0
"""Seconds after which whoever still waits for a test has found a bug."""


class FakeUpstream:
    """The port `Upstream`.

    `asked` is what it was asked, in order: `page demo`, `names`, `file http://…`. With a
    `trouble` it raises that, whatever it is asked.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.trouble: Trouble | None = None
        self.names: list[ProjectName] = []
        self.closed = False
        self._pages: dict[str, PageFetched] = {}
        self._files: dict[str, bytes | Stream] = {}
        self._gate: Gate | None = None

    def offer(self, project: str, *files: UpstreamFile, etag: str | None = None) -> None:
        """From now on, the page of the project is this."""
        self._pages[project] = PageFetched(files, Validators(etag=etag))

    def withdraw(self, project: str) -> None:
        """From now on, there is no such project."""
        del self._pages[project]

    def put(self, file: UpstreamFile, content: bytes) -> None:
        """From now on, the file has this content."""
        self._files[file.url] = content

    def stream(self, file: UpstreamFile, *, size: int | None = None) -> "Stream":
        """From now on, the content of the file comes from this stream."""
        stream = Stream(size)
        self._files[file.url] = stream
        return stream

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
        self._answering(f"page {project}")
        page = self._pages.get(project)
        if page is None:
            return NoSuchProject()
        if known.etag is not None and known == page.validators:
            return NotModified()
        return page

    def project_names(self, base_url: str) -> list[ProjectName]:
        self._answering("names")
        return list(self.names)

    @contextmanager
    def fetch(self, url: str) -> Iterator["_Transfer"]:
        self._answering(f"file {url}")
        content = self._files.get(url)
        if content is None:
            raise NotFound("the upstream does not have this file")
        if isinstance(content, Stream):
            yield _Transfer(content.size, content.arriving())
        else:
            yield _Transfer(len(content), iter([content]))

    def close(self) -> None:
        self.closed = True

    def _answering(self, question: str) -> None:
        self.asked.append(question)
        if self._gate is not None:
            self._gate.pass_through()
        if self.trouble is not None:
            raise self.trouble


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


class Stream:
    """The content of a file, sent part by part by a test. `size` is what is announced."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._parts: queue.Queue[bytes | StillroomError | None] = queue.Queue()

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
    def __init__(self, size: int | None, parts: Iterator[bytes]) -> None:
        self.size = size
        self._parts = parts

    def chunks(self) -> Iterator[bytes]:
        return self._parts
