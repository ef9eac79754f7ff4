"""Lists of all projects, read bit by bit: of a million names only a few are held at a time.

A list that breaks off, or is none, is refused at the place where that shows.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import ijson

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import ProjectName, project_name

from .html_form import Tags
from .raw import Form, Unreadable, absolute_url, check_version, form_of

_MAX_DEPTH = 100
_MAX_UNFINISHED = 1 << 20
"""How many bytes a single text or tag may take before the list is taken for none."""


class NameReader(Protocol):
    """Finds the names in a list that is fed to it; both raise Unreadable."""

    def feed(self, data: bytes) -> Iterable[str]:
        """The names that are complete now."""

    def close(self) -> None:
        """Check that it was all of a list."""


def name_reader(content_type: str, url: str) -> NameReader:
    """What reads a list of that type from that URL. Raises Unreadable for other types."""
    return JsonNames() if form_of(content_type) is Form.JSON else HtmlNames(url)


def valid_names(texts: Iterable[str]) -> Iterator[ProjectName]:
    """Those that are names of projects, normalised."""
    for text in texts:
        try:
            yield project_name(text)
        except InvalidRequest:
            continue


class JsonNames:
    """The list in JSON (PEP 691)."""

    def __init__(self) -> None:
        self._events: Any = ijson.sendable_list()
        self._parser = ijson.basic_parse_coro(self._events, use_float=True)
        self._rest = bytearray()
        self._unfinished = 0
        self._depth = 0
        self._section: object = None
        self._key: object = None
        self._found = False

    def feed(self, data: bytes) -> list[str]:
        """The names that are complete now."""
        # In parts that end in a brace: the parser in pure Python keeps everything since the last
        # part that ended between two texts.
        head, brace, tail = data.rpartition(b"}")
        if brace:
            self._parse(bytes(self._rest) + head + brace)
            self._rest.clear()
        self._rest += tail
        self._unfinished = 0 if self._events else self._unfinished + len(data)
        if self._unfinished > _MAX_UNFINISHED:
            raise Unreadable(f"it has a text of more than {_MAX_UNFINISHED} bytes")
        names = list(self._names())
        del self._events[:]
        return names

    def close(self) -> None:
        """Check that it was all of a list."""
        if self._rest:
            self._parse(bytes(self._rest))
        self._parse(None)
        if not self._found:
            raise Unreadable("it has no list of projects")

    def _parse(self, data: bytes | None) -> None:
        try:
            if data is None:
                self._parser.close()
            else:
                self._parser.send(data)
        except (ijson.JSONError, ValueError, ArithmeticError, StopIteration) as error:
            raise Unreadable("it is not valid JSON") from error

    def _names(self) -> Iterator[str]:
        for event, value in self._events:
            if event == "map_key":
                self._key = value
                if self._depth == 1:
                    self._section = value
            elif event in {"start_map", "start_array"}:
                self._enter(event)
            elif event in {"end_map", "end_array"}:
                self._depth -= 1
            elif self._depth == 3 and self._section == "projects" and self._key == "name":
                if isinstance(value, str):
                    yield value
            elif self._depth == 2 and self._section == "meta" and self._key == "api-version":
                check_version(value)

    def _enter(self, event: str) -> None:
        self._depth += 1
        self._key = None
        if self._depth == 1 and event != "start_map":
            raise Unreadable("it is not a JSON object")
        if self._depth == 2 and self._section == "projects":
            if event != "start_array":
                raise Unreadable("it has no list of projects")
            self._found = True
        if self._depth > _MAX_DEPTH:
            raise Unreadable(f"it is nested more than {_MAX_DEPTH} deep")


_PLAIN = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


class HtmlNames:
    """The list in HTML (PEP 503): a name is what a link adds to the URL of the list."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._folder = urljoin(url, ".")
        self._path = urlsplit(self._folder).path
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tags = Tags()
        self._found = False

    def feed(self, data: bytes) -> list[str]:
        """The names that are complete now."""
        self._tags.read(self._decoder.decode(data))
        if len(self._tags.rawdata) > _MAX_UNFINISHED:
            raise Unreadable(f"it has a tag of more than {_MAX_UNFINISHED} characters")
        base = absolute_url(self._url, self._tags.base or "")
        hrefs = [link["href"] for link in self._tags.links]
        self._tags.links.clear()
        names = (
            [] if base is None else [name for href in hrefs if (name := self._name(base, href))]
        )
        self._found = self._found or bool(names)
        return names

    def close(self) -> None:
        """Check that it was all of a list."""
        if not self._found and not self._tags.declares_itself:
            raise Unreadable("it is HTML without any link of the kind that is looked for")

    def _name(self, base: str, href: str) -> str | None:
        # Nearly all links are `name/` or `/simple/name/`, and joining URLs takes its time.
        if self._tags.base is None:
            rest = href.removeprefix(self._path).removesuffix("/")
            if _PLAIN.fullmatch(rest):
                return rest
        url = absolute_url(base, href) or ""
        if not url.startswith(self._folder):
            return None
        name = url.partition("#")[0].removeprefix(self._folder).removesuffix("/")
        return unquote(name) if "/" not in name else None
