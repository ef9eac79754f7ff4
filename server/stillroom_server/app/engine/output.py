"""Bytes that are in memory anyway, on their way out without another copy."""

from waitress.buffers import ReadOnlyFileBasedBuffer

SHARED_BYTES = 64 * 1024
"""From so many bytes on a body is sent from where it is."""


class SharedBytes(ReadOnlyFileBasedBuffer):  # type: ignore[misc]  # waitress has no types
    """A buffer of waitress's on bytes that several connections may send at the same time.

    waitress's own would copy them for each connection, and from 1 MiB on into a file.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(None)
        self.data = data
        self._view = memoryview(data)
        self.remain = len(data)

    def get(self, numbytes: int = -1, skip: bool = False) -> memoryview:
        """The next bytes; all that remain unless said."""
        start = len(self.data) - self.remain
        found = self._view[start:] if numbytes < 0 else self._view[start : start + numbytes]
        if skip:
            self.remain -= len(found)
        return found

    def skip(self, numbytes: int, allow_prune: bool = False) -> None:  # noqa: ARG002 - an interface
        """Go on after so many bytes."""
        self.remain -= numbytes

    def close(self) -> None:
        """Let go of the bytes."""
        self.remain = 0
        self.data = b""
        self._view = memoryview(b"")
