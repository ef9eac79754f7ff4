"""The head of a request, read strictly.

Where RFC 9112 lets a recipient be lenient this one is not: what two programs in a row may read
differently is how a request is smuggled past the first of them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from .limits import FIELDS, HEAD_BYTES, TARGET_BYTES

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE = re.compile(rb"([^ \t]+) ([^ \t]+) HTTP/([0-9]\.[0-9])")
_LONE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_LONE_END_SO_FAR = re.compile(rb"(?<!\r)\n|\r[^\n]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.IGNORECASE)

_LINE_BYTES = TARGET_BYTES + 1024
"""Of a request line, with a method of whatever length."""

_ONCE = frozenset({"AUTHORIZATION", "CONTENT_LENGTH", "CONTENT_TYPE", "HOST", "TRANSFER_ENCODING"})
"""Fields that have one value (RFC 9110 §5.3); of two, somebody else may have read the other."""


class Malformed(Exception):
    """A request cannot be taken: the status of the answer, and the sentence in it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Head:
    """What a request line and its header fields say.

    `path` is decoded and, like all texts, Latin-1, as PEP 3333 has it. The keys of `fields` are
    in upper case with underscores. `length` is that of the body in bytes, None if it comes in
    chunks.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    fields: Mapping[str, str]
    length: int | None


def read_head(head: bytes) -> Head:
    """Read all that stands before the empty line; raises Malformed."""
    _check_characters(head)
    line, *lines = head.split(b"\r\n")
    method, target, version = _request_line(line)
    fields = _fields(lines)
    if version == "1.1" and "HOST" not in fields:
        _refuse("Host: HTTP/1.1 requests name the host that they are for (RFC 9112)")
    path, query = _parts(target, fields.get("HOST"))
    return Head(
        method=method,
        target=target.decode("latin-1"),
        path=unquote_to_bytes(path).decode("latin-1"),
        query=query.decode("latin-1"),
        version=version,
        fields=fields,
        length=_body_length(fields, version),
    )


def check_unfinished(head: bytes | bytearray, start: int) -> None:
    """Refuse a head whose end has not come yet as soon as it cannot become a good one.

    What stands before `start` was checked already.
    """
    if len(head) > _LINE_BYTES and head.find(b"\n", 0, _LINE_BYTES) < 0:
        raise _target_too_long()
    if len(head) > HEAD_BYTES:
        raise Malformed(
            431, f"head: the request line and the header fields are at most {HEAD_BYTES} bytes."
        )
    if _LONE_END_SO_FAR.search(head, max(0, start - 1)):
        raise _lone_end()


def _check_characters(head: bytes) -> None:
    check_unfinished(head, len(head))
    if _LONE_END.search(head):
        raise _lone_end()
    if _CONTROL.search(head):
        _refuse("head: it must hold no control characters")


def _lone_end() -> Malformed:
    return Malformed(400, "head: its lines end with CR and LF, and with nothing else.")


def _refuse(message: str) -> NoReturn:
    raise Malformed(400, f"{message}.")


def _target_too_long() -> Malformed:
    return Malformed(414, f"url: the path and query are at most {TARGET_BYTES} bytes.")


def _request_line(line: bytes) -> tuple[str, bytes, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        if len(line) > TARGET_BYTES:
            raise _target_too_long()
        _refuse("request line: it is a method, a path and HTTP/1.1, with one space between them")
    method, target, version = match.groups()
    if len(target) > TARGET_BYTES:
        raise _target_too_long()
    if version not in {b"1.0", b"1.1"}:
        raise Malformed(505, "request line: this server speaks HTTP/1.1 and HTTP/1.0.")
    if not _TOKEN.fullmatch(method) or method != method.upper():
        _refuse("request line: a method is one word in capital letters")
    return method.decode("ascii"), target, version.decode("ascii")


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > FIELDS:
        raise Malformed(431, f"head: a request has at most {FIELDS} header fields.")
    fields: dict[str, str] = {}
    for line in lines:
        if line[:1] in {b" ", b"\t"}:
            _refuse("head: a header field stands on one line")
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            _refuse("head: a header line is a name, a colon directly after it, and a value")
        if b"_" in name:
            # In the environ it would be taken for the field with a hyphen in its place.
            continue
        key = name.upper().replace(b"-", b"_").decode("ascii")
        text = value.strip(b" \t").decode("latin-1")
        if key in fields:
            if key in _ONCE:
                _refuse(f"{name.decode('ascii')}: it must stand once")
            text = f"{fields[key]}, {text}"
        fields[key] = text
    return fields


def _body_length(fields: dict[str, str], version: str) -> int | None:
    """The length of the body, None for a chunked one (RFC 9112 §6)."""
    coding = fields.pop("TRANSFER_ENCODING", None)
    length = fields.get("CONTENT_LENGTH")
    if coding is None:
        if length is None:
            return 0
        if not _DIGITS.fullmatch(length):
            _refuse("Content-Length: it is a number of bytes in plain digits")
        return int(length)
    if length is not None:
        _refuse("Content-Length: it must not stand beside Transfer-Encoding")
    if version != "1.1":
        _refuse("Transfer-Encoding: HTTP/1.0 has none")
    listed = {item.strip(" \t").lower() for item in coding.split(",")}
    if not listed <= {"chunked", ""}:
        raise Malformed(501, "Transfer-Encoding: this server knows `chunked` only.")
    if coding.lower() != "chunked":
        _refuse("Transfer-Encoding: `chunked` stands alone and once")
    return None


def _parts(target: bytes, host: str | None) -> tuple[bytes, bytes]:
    """The path and the query of a request target (RFC 9112 §3.2)."""
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        if host is not None and absolute[1].decode("latin-1").lower() != host.lower():
            _refuse("Host: it differs from the host in the request line")
        target = absolute[2]
        if not target.startswith(b"/"):
            target = b"/" + target
    if not target.startswith(b"/"):
        _refuse("request line: after the method stands a path that begins with a slash")
    if b"#" in target:
        _refuse("url: a fragment is not sent to a server")
    path, _, query = target.partition(b"?")
    return path, query
