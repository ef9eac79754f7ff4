"""Pages of the Simple API in HTML (PEP 503, 592, 658, 714).

Only start tags matter here, so the tokenizer of the standard library does. Its time grows with
the page, whereas parsers that build trees or collect the text of links take the square of that
for links that are never closed.
"""

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from stillroom_server.domain.upstream import UpstreamFile

from . import fields
from .raw import RawPage, Unreadable, absolute_url, check_version

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

Attributes = Mapping[str, str]


class HtmlDocument:
    """A page in HTML. Raises Unreadable if it is of an API version other than 1."""

    def __init__(self, page: RawPage) -> None:
        tags = _Tags()
        try:
            # Never closed: a tag that the page ends in is of no use, and older Pythons take the
            # square of the rest's length to make something of it.
            tags.feed(page.content.decode("utf-8", errors="replace"))
        except AssertionError as error:  # what the tokenizer raises for broken declarations
            raise Unreadable("it is not HTML") from error
        if tags.version is not None:
            check_version(tags.version)
        self.declares_itself = tags.version is not None
        self._tags = tags
        self._url = page.url

    def files(self) -> Iterator[UpstreamFile]:
        """The files that a project's page links to; other links are passed over."""
        for attributes, url in self._links():
            filename = _filename(url)
            if filename is not None and filename.endswith(_ENDINGS):
                yield _file(filename, url, attributes)

    def names(self) -> Iterator[str]:
        """What stands as a name on the list of all projects: what links add to its own URL."""
        folder = urljoin(self._url, ".")
        for _attributes, url in self._links():
            name = url.partition("#")[0].removeprefix(folder).removesuffix("/")
            if name and "/" not in name:
                yield unquote(name)

    def _links(self) -> Iterator[tuple[Attributes, str]]:
        base = absolute_url(self._url, self._tags.base or "")
        if base is None:
            return
        for attributes in self._tags.links:
            url = absolute_url(base, attributes["href"])
            if url is not None:
                yield attributes, url


class _Tags(HTMLParser):
    """Collects the links of a page, its base, and the API version that it declares (PEP 629)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[Attributes] = []
        self.base: str | None = None
        self.version: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Of two attributes of one name the first counts; one without a value is empty.
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "meta" and attributes.get("name") == "pypi:repository-version":
            self.version = attributes.get("content", "")


def _filename(url: str) -> str | None:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2], errors="strict")
    except UnicodeDecodeError:
        return None


def _file(filename: str, url: str, attributes: Attributes) -> UpstreamFile:
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
