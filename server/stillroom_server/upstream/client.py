"""The port `Upstream` over HTTP."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stillroom_server.domain.errors import NotFound, UpstreamFailed
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import Validators
from stillroom_server.services.ports import NoSuchProject, NotModified, PageAnswer, PageFetched

from .deadline import within
from .pages import ACCEPT, read_files, read_names
from .raw import RawPage, Unreadable

if TYPE_CHECKING:
    from .session import Answer, Session

_ABSENT = frozenset({404, 410})
_MAX_RETRY_AFTER = 3600
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how much, in bytes, an upstream may take.

    `connect` and `read` bound single steps; `page` bounds a whole page, and the time until the
    content of a file begins; `names` bounds the list of all projects. Each 64 KiB of a file have
    to arrive within `chunk`, so that a slow line is served and a dripping upstream is not.
    `page_bytes` bounds a page once it is unpacked.
    """

    connect: float = 5.0
    read: float = 10.0
    page: float = 20.0
    names: float = 120.0
    chunk: float = 30.0
    page_bytes: int = 100 * 1024 * 1024


class HttpUpstream:
    """Asks Simple APIs over HTTP; implements `services.ports.Upstream`. Safe to share by threads.

    The HTTP library is imported and the session opened at first use; `close` ends the session.
    """

    def __init__(self, *, user_agent: str, limits: Limits | None = None) -> None:
        self._user_agent = user_agent
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._opened: Session | None = None

    def project_page(self, base_url: str, project: ProjectName, known: Validators) -> PageAnswer:
        """The page of a project, unless it is still what `known` stands for.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        url = f"{base_url.rstrip('/')}/{project}/"
        conditions = _conditions(known)
        with within(self._limits.page), closing(self._ask_page(url, conditions)) as answer:
            if answer.status in _ABSENT:
                answer.discard()
                return NoSuchProject()
            if answer.status == 304 and conditions:
                answer.discard()
                return NotModified()
            with _readable(answer):
                files = read_files(self._page(answer), project)
        return PageFetched(files, _validators(answer))

    def project_names(self, base_url: str) -> list[ProjectName]:
        """All names that the upstream lists, valid ones only, each once.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        with (
            within(self._limits.names),
            closing(self._ask_page(base_url, {})) as answer,
            _readable(answer),
        ):
            return read_names(self._page(answer))

    @contextmanager
    def fetch(self, url: str) -> Iterator["Transfer"]:
        """Begin to fetch a file; the connection is let go at the end of the block.

        Raises NotFound where the upstream says 404 or 410, UpstreamFailed and UpstreamTimeout.
        """
        # Content that is coded on the way could not be checked against its digest.
        with within(self._limits.page):
            answer = self._session().ask(url, {"Accept-Encoding": "identity"})
        with closing(answer):
            if answer.status in _ABSENT:
                raise NotFound(f"{answer.host} does not have this file (status {answer.status})")
            if answer.status != 200:
                raise _refused(answer)
            yield Transfer(answer, self._limits.chunk)

    def close(self) -> None:
        """Close all connections; another use opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _session(self) -> "Session":
        with self._lock:
            if self._opened is None:
                from .session import Session  # httpx costs start-up time

                self._opened = Session(
                    user_agent=self._user_agent,
                    connect=self._limits.connect,
                    read=self._limits.read,
                )
            return self._opened

    def _ask_page(self, url: str, conditions: Mapping[str, str]) -> "Answer":
        return self._session().ask(
            url, {"Accept": ACCEPT, "Accept-Encoding": "gzip", **conditions}
        )

    def _page(self, answer: "Answer") -> RawPage:
        if answer.status != 200:
            answer.discard()
            raise _refused(answer)
        content = answer.read(self._limits.page_bytes)
        return RawPage(content, answer.header("Content-Type") or "", answer.url)


class Transfer:
    """The content of a file on its way; implements `services.ports.FileTransfer`."""

    def __init__(self, answer: "Answer", seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds

    @property
    def size(self) -> int | None:
        """Its size in bytes, None where the upstream does not say it or codes the content."""
        if self._answer.header("Content-Encoding") or self._answer.header("Transfer-Encoding"):
            return None
        length = self._answer.header("Content-Length")
        return int(length) if length is not None else None

    def chunks(self) -> Iterator[bytes]:
        """The content as it was sent; UpstreamFailed or UpstreamTimeout if it breaks off."""
        while True:
            with within(self._seconds):
                chunk = self._answer.take(_CHUNK)
            if not chunk:
                return
            yield chunk


def _conditions(known: Validators) -> dict[str, str]:
    conditions = {}
    if known.etag is not None:
        conditions["If-None-Match"] = known.etag
    if known.last_modified is not None:
        conditions["If-Modified-Since"] = known.last_modified
    return conditions


def _validators(answer: "Answer") -> Validators:
    return Validators(answer.header("ETag"), answer.header("Last-Modified"))


@contextmanager
def _readable(answer: "Answer") -> Iterator[None]:
    try:
        yield
    except Unreadable as error:
        raise UpstreamFailed(
            f"{answer.host} answers with a page that cannot be read: {error}"
        ) from error


def _refused(answer: "Answer") -> UpstreamFailed:
    failed = UpstreamFailed(f"{answer.host} answers with status {answer.status}")
    wait = answer.header("Retry-After") or ""
    if re.fullmatch(r"[0-9]{1,9}", wait):
        failed.retry_after = min(max(int(wait), 1), _MAX_RETRY_AFTER)
    return failed
