"""The port `Upstream` over HTTP."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import NotFound, UpstreamFailed
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import Validators
from stillroom_server.domain.upstream_credentials import Origin, UpstreamCredentials
from stillroom_server.services.ports import (
    NamesFetched,
    NoSuchProject,
    NotModified,
    PageAnswer,
    PageFetched,
)

from .deadline import Budget, within
from .limits import Limits
from .pages import read_page
from .raw import ACCEPT, RawPage, Unreadable
from .remote_file import RemoteFile
from .shared_session import SharedSession
from .transfer import Transfer, check_uncoded, content_part

if TYPE_CHECKING:
    from .names import NameReader
    from .session import Answer

_ABSENT = frozenset({404, 410})
_MAX_RETRY_AFTER = 3600
_UNCODED = {"Accept-Encoding": "identity"}
"""Content that is coded on the way could not be checked against its digest."""
_PACKED = {"Accept-Encoding": "gzip"}
_DOCUMENTS = "application/vnd.pypi.integrity.v1+json, application/json;q=0.9, */*;q=0.1"


class HttpUpstream:
    """Asks Simple APIs over HTTP; implements `services.ports.Upstream`. Safe to share by threads.

    `credentials` are sent to the upstreams that they are for. `private` are the upstreams that
    may be asked although their addresses are not public. The HTTP library is imported and the
    session opened at first use; `close` ends the session.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        limits: Limits | None = None,
        credentials: UpstreamCredentials | None = None,
        private: PrivateUpstreams | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._credentials = credentials or UpstreamCredentials()
        self._session = SharedSession(
            user_agent=user_agent, limits=self._limits, private=private or PrivateUpstreams()
        )

    # Pages

    def project_page(self, base_url: str, project: ProjectName, known: Validators) -> PageAnswer:
        """The page of a project, unless it is still what `known` stands for.

        Raises UpstreamFailed and UpstreamTimeout.
        """
        url = f"{base_url.rstrip('/')}/{project}/"
        conditions = _conditions(known)
        with (
            within(self._limits.page),
            closing(self._ask(base_url, url, {"Accept": ACCEPT} | _PACKED | conditions)) as answer,
        ):
            if answer.status in _ABSENT:
                answer.discard()
                return NoSuchProject()
            if answer.status == 304 and conditions:
                answer.discard()
                return NotModified()
            self._check_status(answer, base_url)
            with _readable(answer):
                content = answer.read(self._limits.page_bytes)
                page = read_page(RawPage(content, _content_type(answer), answer.url), project)
        return PageFetched(page.files, _validators(answer), page.status)

    @contextmanager
    def project_names(
        self, base_url: str, known: Validators
    ) -> Iterator[NamesFetched | NotModified]:
        """Begin to read the list of all projects, unless it is still what `known` stands for.

        Raises UpstreamFailed and UpstreamTimeout, and so does the iterator of the names.
        """
        from .names import name_reader  # the parser costs start-up time

        budget = Budget(self._limits.names)
        conditions = _conditions(known)
        with budget.spending():
            answer = self._ask(base_url, base_url, {"Accept": ACCEPT} | _PACKED | conditions)
        with closing(answer):
            if answer.status == 304 and conditions:
                yield NotModified()
                return
            with budget.spending():
                self._check_status(answer, base_url)
            with _readable(answer):
                reader = name_reader(_content_type(answer), answer.url)
            yield NamesFetched(self._names(answer, reader, budget), _validators(answer))

    def _names(
        self, answer: "Answer", reader: "NameReader", budget: Budget
    ) -> Iterator[ProjectName]:
        from .names import valid_names

        content = answer.content(self._limits.names_bytes)
        try:
            while True:
                with _readable(answer):
                    with budget.spending():
                        data = next(content, None)
                    if data is None:
                        reader.close()
                        return
                    texts = reader.feed(data)
                yield from valid_names(texts)
        finally:
            # A parser that is given up complains of what is missing unless it is asked.
            with suppress(Unreadable):
                reader.close()

    # Files

    @contextmanager
    def fetch(
        self, base_url: str, url: str, *, start: int = 0, etag: str | None = None
    ) -> Iterator[Transfer]:
        """Begin to fetch a file; the connection is let go at the end of the block.

        With `start` it is asked for the rest only, if it is still the one that had that `etag`.
        Raises NotFound where the upstream says 404 or 410, UpstreamFailed and UpstreamTimeout.
        """
        conditions = {"Range": f"bytes={start}-"} if start else {}
        if start and etag is not None:
            conditions["If-Range"] = etag
        with self._file(base_url, url, conditions) as answer:
            seconds = self._limits.chunk
            if start and answer.status == 206:
                yield Transfer.of_rest(answer, seconds, start=start, etag=etag)
                return
            with within(self._limits.page):
                self._check_status(answer, base_url)
            yield Transfer.of_whole(answer, seconds)

    def takes_ranges(self, base_url: str, url: str) -> bool:
        """Whether the file can be read in parts; asks for its first byte.

        Raises UpstreamFailed, UpstreamTimeout and NotFound.
        """
        with self._file(base_url, url, {"Range": "bytes=0-0"}) as answer:
            if answer.status in {200, 416}:
                return False
            if answer.status != 206:
                raise self._refused(answer, base_url)
            part = content_part(answer)
            return (part.first, part.last) == (0, 0) and part.total is not None

    @contextmanager
    def remote_file(self, base_url: str, url: str) -> Iterator[BinaryIO]:
        """A file to be read in parts, within bounds; see `RemoteFile` for what reading raises."""

        def ask(first: int, last: int) -> AbstractContextManager["Answer"]:
            return self._part(base_url, url, first, last)

        with closing(RemoteFile(ask, self._limits)) as file:
            yield cast(BinaryIO, file)

    def document(self, base_url: str, url: str) -> bytes:
        """A small document beside a file, such as its provenance.

        Raises NotFound, UpstreamFailed and UpstreamTimeout.
        """
        headers = {"Accept": _DOCUMENTS} | _PACKED
        with (
            within(self._limits.page),
            closing(self._ask(base_url, url, headers)) as answer,
        ):
            _check_presence(answer)
            self._check_status(answer, base_url)
            with _readable(answer):
                return answer.read(self._limits.document_bytes)

    def close(self) -> None:
        """Close all connections; another use opens new ones."""
        self._session.close()

    # Requests

    @contextmanager
    def _part(self, base_url: str, url: str, first: int, last: int) -> Iterator["Answer"]:
        with self._file(base_url, url, {"Range": f"bytes={first}-{last}"}) as answer:
            if answer.status == 200:
                raise UpstreamFailed(f"{answer.host} does not send parts of files")
            if answer.status != 206:
                raise self._refused(answer, base_url)
            yield answer

    @contextmanager
    def _file(self, base_url: str, url: str, headers: Mapping[str, str]) -> Iterator["Answer"]:
        with within(self._limits.page):
            answer = self._ask(base_url, url, {**_UNCODED, **headers})
        with closing(answer):
            _check_presence(answer)
            check_uncoded(answer)
            yield answer

    def _ask(self, base_url: str, url: str, headers: Mapping[str, str]) -> "Answer":
        return self._session.get().ask(url, headers, self._credentials.for_upstream(base_url))

    def _check_status(self, answer: "Answer", base_url: str) -> None:
        if answer.status != 200:
            answer.discard()
            raise self._refused(answer, base_url)

    def _refused(self, answer: "Answer", base_url: str) -> UpstreamFailed:
        said = f"{answer.host} answers with status {answer.status}"
        # Elsewhere, such as on a host for files, there is nothing that could be given.
        if answer.status in {401, 403} and Origin.of(answer.url) == Origin.of(base_url):
            if self._credentials.for_upstream(base_url) is None:
                said += ": it wants credentials; give them in the setting upstream_credentials"
            else:
                said += ": it refuses the credentials of the setting upstream_credentials"
        wait = answer.header("Retry-After") or ""
        if re.fullmatch(r"[0-9]{1,9}", wait):
            return UpstreamFailed(said, retry_after=min(max(int(wait), 1), _MAX_RETRY_AFTER))
        return UpstreamFailed(said)


def _check_presence(answer: "Answer") -> None:
    if answer.status in _ABSENT:
        raise NotFound(f"{answer.host} does not have this file (status {answer.status})")


def _content_type(answer: "Answer") -> str:
    return answer.header("Content-Type") or ""


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
