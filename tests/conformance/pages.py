"""Simple pages as the standards want them read: strictly, and both forms as one thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import html5lib

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT_HTML = "text/html"
FORMS = (JSON, HTML, TEXT_HTML)

PIP = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"
UV = f"{JSON}, {HTML};q=0.2, text/html;q=0.01"
POETRY = f"{JSON}, */*;q=0.1"
"""The Accept headers that installers send."""


@dataclass(frozen=True)
class Link:
    """An anchor of a page in HTML, with the values of its attributes as a browser reads them."""

    text: str
    attributes: Mapping[str, str]

    @property
    def href(self) -> str:
        """Where it leads, with its fragment."""
        return self.attributes["href"]

    @property
    def fragment(self) -> str:
        """What stands behind the `#`."""
        return self.href.partition("#")[2]

    @property
    def filename(self) -> str:
        """The last component of the path, decoded: what installers take for the file's name."""
        return unquote(urlsplit(self.href).path.rpartition("/")[2])


@dataclass(frozen=True)
class Document:
    """A page in HTML: its links, and its meta elements by name."""

    links: tuple[Link, ...]
    meta: Mapping[str, str] = field(default_factory=dict)

    def link(self, filename: str) -> Link:
        """The one link to a file."""
        (found,) = (link for link in self.links if link.filename == filename)
        return found


def parse_html(text: str) -> Document:
    """Read a page of HTML5. Raises html5lib's ParseError if there is anything wrong with it."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(text)
    links = tuple(Link("".join(a.itertext()), dict(a.attrib)) for a in tree.iter("a"))
    named = {m.get("name"): m.get("content") for m in tree.iter("meta") if m.get("name")}
    return Document(links, named)


Row = tuple[str, str, bool | str, str | None]
"""File name, sha256, yanked, Requires-Python: what both forms say of a file."""


def rows_of_json(page: Mapping[str, Any]) -> set[Row]:
    """What a page in JSON says."""
    return {
        (
            file["filename"],
            file["hashes"]["sha256"],
            file.get("yanked", False),
            file.get("requires-python"),
        )
        for file in page["files"]
    }


def rows_of_html(document: Document) -> set[Row]:
    """What a page in HTML says."""
    return {
        (
            link.filename,
            link.fragment.removeprefix("sha256="),
            _yanked(link.attributes.get("data-yanked")),
            link.attributes.get("data-requires-python"),
        )
        for link in document.links
    }


def _yanked(value: str | None) -> bool | str:
    if value is None:
        return False
    return value or True
