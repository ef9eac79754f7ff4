"""What clients may take of a server: bytes, seconds, connections."""

from dataclasses import dataclass

HEAD_BYTES = 64 * 1024
"""Of a request line and header fields together."""
TARGET_BYTES = 8 * 1024
"""Of a request target: the path and query as they were sent."""
FIELDS = 100
"""Header fields of a request. Browsers send some twenty, installers ten."""

UNASKED_BYTES = 64 * 1024
"""A body that declares no more is read, into memory, before anybody asks who sends it."""

TRAILER_BYTES = 8 * 1024
SIZE_LINE_BYTES = 256
"""Of the line with the size of a chunk, with its extensions."""

BODY_RATE = 4 * 1024
"""Bytes a second that a body must bring on average."""
OUTPUT_RATE = 1024
"""Bytes a second that must be taken of an answer that waits in memory or in a file."""
STREAM_RATE = 16 * 1024
"""Bytes a second that must be taken of an answer for which a thread waits."""
WAITING_BYTES = 256 * 1024 * 1024
"""Of all bodies together that wait in memory for slow clients; the same bytes count once."""

LINGER_SECONDS = 30.0
"""For how long what a refused client still sends is thrown away, so that it sees the answer."""

FILES_APART = 256
"""Open files that are none of a connection's: of the database, the store, and upstreams."""
FILES_EACH = 3
"""Open files that a connection may need: its socket, a body that comes, a file that goes."""

FREE_SHARE = 0.1
"""Of the connections: kept free, by closing those that do nothing, for who comes next."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an administrator sets.

    A head must be complete `head_seconds` after its first byte; a connection on which nothing
    happens is closed after `idle_seconds`; rates are averages of `slow_seconds`.
    """

    head_seconds: float = 20.0
    slow_seconds: float = 30.0
    idle_seconds: float = 120.0
    connections: int = 1000
