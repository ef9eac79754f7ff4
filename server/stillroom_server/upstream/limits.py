"""How long and how much an upstream may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how much, in bytes, an upstream may take.

    `connect` and `read` bound single steps; `page` bounds a whole page, a small document, all
    parts of a remote file, and the time until the content of a file begins; `names` bounds the
    list of all projects. Each 64 KiB of a file have to arrive within `chunk`, so that a slow line
    is served and a dripping upstream is not. `page_bytes`, `names_bytes` and `document_bytes`
    count what is unpacked. A remote file may take `part_bytes` in `parts` requests.
    """

    connect: float = 5.0
    read: float = 10.0
    page: float = 20.0
    names: float = 120.0
    chunk: float = 30.0
    page_bytes: int = 100 * 1024 * 1024
    names_bytes: int = 300 * 1024 * 1024
    document_bytes: int = 2 * 1024 * 1024
    part_bytes: int = 4 * 1024 * 1024
    parts: int = 40
