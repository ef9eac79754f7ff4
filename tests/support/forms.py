"""The upload form as publishing tools send it, and as they should not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser

from .distributions import Distribution

BOUNDARY = "stillroom-tests-boundary"


@dataclass(frozen=True)
class Part:
    """One part of a form; it is a file if it has a `filename`."""

    name: str
    value: bytes
    filename: str | None = None
    content_type: str | None = None

    def encode(self) -> bytes:
        """The part with its headers."""
        disposition = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            disposition += f'; filename="{self.filename}"'
        lines = [disposition]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        return "\r\n".join([*lines, "", ""]).encode() + self.value + b"\r\n"


def text(name: str, value: str) -> Part:
    """A field."""
    return Part(name, value.encode())


def content(distribution: Distribution) -> Part:
    """The file itself."""
    return Part("content", distribution.content, distribution.filename, "application/octet-stream")


def fields_of(distribution: Distribution) -> dict[str, str]:
    """The fields that a tool fills in for a distribution, its digest among them."""
    headers = BytesHeaderParser().parsebytes(distribution.metadata)
    is_wheel = distribution.filename.endswith(".whl")
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": headers["Metadata-Version"],
        "name": headers["Name"],
        "version": headers["Version"],
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "pyversion": "py3" if is_wheel else "source",
        "requires_python": headers["Requires-Python"] or "",
        "summary": headers["Summary"] or "UNKNOWN",
        "sha256_digest": distribution.sha256,
    }


def form_of(distribution: Distribution, changes: Mapping[str, str | None] = {}) -> list[Part]:
    """The parts for a distribution; a change to None leaves the field out."""
    fields = fields_of(distribution) | dict(changes)
    parts = [text(name, value) for name, value in fields.items() if value is not None]
    return [*parts, content(distribution)]


def encode(parts: Iterable[Part], *, boundary: str = BOUNDARY) -> tuple[bytes, dict[str, str]]:
    """The body of a form, and the header that says its boundary."""
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(delimiter + part.encode() for part in parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
