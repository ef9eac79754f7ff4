"""The parsers of heads and chunks: nothing that comes makes them stumble, however it is cut."""

import errno
import io
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer

from stillroom_server.app.engine.bodies import ChunkedReceiver
from stillroom_server.app.engine.head import Malformed, read_head
from stillroom_server.app.engine.output import SharedBytes
from stillroom_server.app.engine.request import Request
from stillroom_server.web.admission import Admission

ADJUSTMENTS = Adjustments(listen="127.0.0.1:0")
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    stream, found = io.BytesIO(data), []
    while stream.tell() < len(data):
        found.append(stream.read(sizes[len(found) % len(sizes)]))
    return found


def received(data: bytes, sizes: Sequence[int]) -> tuple[Request, bytes]:
    """A request made of the data, and what of it was left over."""
    request = Request(ADJUSTMENTS)
    rest = b""
    for piece in pieces(data, sizes):
        rest += piece
        while rest and not request.completed:
            count = request.received(rest)
            assert count > 0
            rest = rest[count:]
    return request, rest


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), cuts)
def test_chunks_are_put_together_however_they_are_cut(
    chunks: list[bytes], sizes: list[int]
) -> None:
    coded = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    body = OverflowableBuffer(1000)
    receiver = ChunkedReceiver(body)
    used = 0
    for piece in pieces(coded + b"0\r\nX-A: b\r\n\r\nrest", sizes):
        used += receiver.received(piece)
    assert receiver.completed
    assert used == len(coded) + len(b"0\r\nX-A: b\r\n\r\n")
    assert body.get() == b"".join(chunks)


@given(st.binary(max_size=200), cuts)
def test_whatever_comes_for_chunks_is_taken_or_malformed(data: bytes, sizes: list[int]) -> None:
    receiver = ChunkedReceiver(OverflowableBuffer(1000))
    with suppress(Malformed):
        for piece in pieces(data, sizes):
            count = receiver.received(piece)
            assert receiver.completed or count == len(piece)


class CountedBuffer(OverflowableBuffer):
    """Counts how often something is added to it."""

    def __init__(self) -> None:
        super().__init__(100_000)
        self.added = 0

    def append(self, data: bytes) -> None:
        self.added += 1
        super().append(data)


def test_what_comes_at_once_is_kept_at_once_however_many_chunks_it_has() -> None:
    body = CountedBuffer()
    ChunkedReceiver(body).received(b"1\r\na\r\n" * 1_000)
    assert (body.get(), body.added) == (b"a" * 1_000, 1)


def test_what_came_before_junk_is_kept_too() -> None:
    body = CountedBuffer()
    receiver = ChunkedReceiver(body)
    with pytest.raises(Malformed):
        receiver.received(b"1\r\na\r\njunk\r\n")
    assert receiver.announced == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.ENFILE])
def test_without_room_or_files_for_a_body_its_client_is_told(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, _rest = received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", [99])

    def fail(_data: bytes) -> int:
        raise OSError(number, "none")

    monkeypatch.setattr(request.body_rcv, "received", fail)
    request.received(b"x")
    assert (request.error.code, request.completed) == (507, True)


def test_only_files_that_room_was_kept_for_are_promised() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    for needs_room, missing in ((True, 99_999), (False, 0)):
        request, _rest = received(head, [1_000])
        request.admission = Admission(100_000)
        request.admission.grant(200_000, "", is_known=True, needs_room=needs_room)
        request.asks = False
        request.received(b"x")
        assert request.missing == missing


WORDS = [
    b"GET", b"POST", b" ", b"/", b"/a", b"*", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r",
    b":", b"Host: a", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"\t", b"\0", b"\xff",
    b"?", b"http://a/", b"Host:", b"x", b"\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"%00", b",",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=30), cuts)
def test_whatever_comes_for_a_request_is_taken_or_refused_alike_however_cut(
    words: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(words)
    whole, _rest = received(data, [len(data) or 1])
    cut, _rest = received(data, sizes)
    assert (cut.error is None) == (whole.error is None)
    if whole.error is None:
        assert cut.completed == whole.completed
        assert (cut.command, cut.path, cut.headers) == (whole.command, whole.path, whole.headers)
    else:
        assert whole.error.code in {400, 414, 431, 501, 505}


@given(st.binary(max_size=300))
def test_a_head_is_read_or_malformed(data: bytes) -> None:
    with suppress(Malformed):
        head = read_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + data)
        assert "\0" not in "".join(head.fields.values())
        assert head.length is None or head.length >= 0


def test_what_follows_a_request_is_left() -> None:
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    for size in range(1, len(first) + 5):
        request, rest = received(first + b"GET", [size])
        assert (request.completed, request.error, rest) == (True, None, b"GET")
        assert request.get_body_stream().read() == b"{}"


@pytest.mark.parametrize("size", [1, 3, 100])
def test_shared_bytes_are_sent_in_order_and_once(size: int) -> None:
    data = bytes(range(256))
    buffer, sent = SharedBytes(data), b""
    while buffer:
        if not len(buffer):
            break
        part = bytes(buffer.get(size))
        buffer.skip(len(part))
        sent += part
    assert sent == data
    buffer.close()
    assert len(buffer) == 0
