"""Pages of the Simple API in HTML (PEP 503, 592, 658, 714, 740, 792).

Only start tags matter here, so the tokenizer of the standard library does. Its time grows with
the page, whereas parsers that build trees or collect the text of links take the square of that
for links that are never closed.
"""

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from stillroom_server.domain.status import ProjectStatus
from stillroom_server.domain.upstream import UpstreamFile

from . import fields
from .raw import RawPage, Unreadable, absolute_url, check_version, document_url

_CORE_METADATA_KEYS = ("data-core-metadata", "data-dist-info-metadata")
_ENDINGS = (
    ".whl",
    ".tar.gz",
    ".zip",
    ".tar.bz2",
    ".tar.xz",
    ".tgz",
    ".tar.Z",
    ".egg",
    ".exe",
    ".msi",
    ".rpm",
    ".deb",
    ".dmg",
)
"""What tells the link of a distribution from any other: these stood on the public index."""

_VERSION = "pypi:repository-version"

Attributes = Mapping[str, str]


class Tags(HTMLParser):
    """Collects the links of a page, its base, and what it declares in `meta` tags (PEP 629)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Attributes] = []
        self.base: str | None = None
        self.metas: dict[str, str] = {}

    def read(self, text: str) -> None:
        """Go on reading. Raises Unreadable for what is not HTML, or not of API version 1.

        There is no end to tell: a tag that the page ends in is of no use, and older Pythons take
        the square of the rest's length to make something of it.
        """
        try:
            self.feed(text)
        except AssertionError as error:  # what the tokenizer raises for broken declarations
            raise Unreadable("it is not HTML") from error

    @property
    def declares_itself(self) -> bool:
        """Whether the page says that it is of the Simple API."""
        return _VERSION in self.metas

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what matters of a tag."""
        # Of two attributes of one name the first counts; one without a value is empty.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and attributes.get("name", "").startswith("pypi:"):
            name, content = attributes["name"], attributes.get("content", "")
            self.metas.setdefault(name, content)
            if name == _VERSION:
                check_version(content)


class HtmlDocument:
    """A page in HTML. Raises Unreadable if it is of an API version other than 1."""

    def __init__(self, page: RawPage) -> None:
        self._tags = Tags()
        self._tags.read(page.content.decode("utf-8", errors="replace"))
        self._base = absolute_url(page.url, self._tags.base or "")
        self.declares_itself = self._tags.declares_itself

    def files(self) -> Iterator[UpstreamFile | None]:
        """The files that a project's page links to; None for one without a usable URL.

        Other links are passed over.
        """
        if self._base is None:
            return
        for attributes in self._tags.links:
            link = attributes["href"].strip()
            filename = _filename(link)
            if filename is None or not filename.endswith(_ENDINGS):
                continue
            url = absolute_url(self._base, link)
            yield None if url is None else _file(filename, url, attributes, self._base)

    def status(self) -> ProjectStatus:
        """The project's status."""
        metas = self._tags.metas
        return fields.project_status(
            metas.get("pypi:project-status"), metas.get("pypi:project-status-reason")
        )


def _filename(link: str) -> str | None:
    try:
        return unquote(urlsplit(link).path.rpartition("/")[2], errors="strict")
    except ValueError:  # it is no URL, or not UTF-8
        return None


def _file(filename: str, url: str, attributes: Attributes, base: str) -> UpstreamFile:
    address, _, fragment = url.partition("#")
    return UpstreamFile(
        filename=filename,
        url=address,
        hashes=fields.hashes_in(fragment),
        size=_size(attributes.get("data-size")),
        uploaded=fields.upload_time(attributes.get("data-upload-time")),
        requires_python=fields.requires_python(attributes.get("data-requires-python")),
        yanked=fields.yanked(attributes.get("data-yanked")),
        core_metadata=_core_metadata(attributes),
        provenance=document_url(base, attributes.get("data-provenance")),
    )


def _size(raw: str | None) -> int | None:
    # No more digits than a size can have: Python takes its time to read many.
    if raw is None or not raw.isascii() or not raw.isdigit() or len(raw) > 19:
        return None
    return fields.size(int(raw))


def _core_metadata(attributes: Attributes) -> dict[str, str] | None:
    for key in _CORE_METADATA_KEYS:
        value = attributes.get(key)
        if value is not None:
            return {} if value == "true" else fields.hashes_in(value) or None
    return None
