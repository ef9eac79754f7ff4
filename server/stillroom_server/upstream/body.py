"""Reading the body of a page: unpacked, complete, and no larger than allowed."""

import zlib
from collections.abc import Iterable, Iterator

from .raw import Unreadable

_STEP = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS


def unpacked(chunks: Iterable[bytes], coding: str, limit: int) -> Iterator[bytes]:
    """A body bit by bit, its content coding undone (RFC 9110), in pieces of 1 byte to 256 KiB.

    Raises Unreadable where it turns out to be over `limit` bytes once unpacked, incomplete, or
    in a coding that was not asked for. A gzip bomb is left at the first step over the limit.
    """
    size = 0
    for data in _decoded(chunks, coding):
        size += len(data)
        if size > limit:
            raise Unreadable(f"it is larger than {limit} bytes")
        if data:
            yield data


def _decoded(chunks: Iterable[bytes], coding: str) -> Iterable[bytes]:
    match coding.strip().lower():
        case "" | "identity":
            return chunks
        case "gzip" | "x-gzip":
            return _unzipped(chunks)
        case _:
            raise Unreadable("it is in a content coding that was not asked for")


def _unzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Not httpx's decoder: that one unpacks each chunk whole and takes a cut stream for complete.
    unzip = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            packed = chunk
            while packed:
                if unzip.eof:
                    unzip = zlib.decompressobj(_GZIP)
                yield unzip.decompress(packed, _STEP)
                packed = unzip.unconsumed_tail or unzip.unused_data
        yield unzip.flush()
    except zlib.error as error:
        raise Unreadable("it is not in gzip, as it says it is") from error
    if not unzip.eof:
        raise Unreadable("its gzip stream is cut short")
