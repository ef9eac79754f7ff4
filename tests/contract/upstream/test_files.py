"""Files on their way, P-07."""

import gzip
import json
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed, UpstreamTimeout
from stillroom_server.testing import HttpServer, Reply
from support.http_upstream import (
    HASTY,
    LARGE,
    PATIENT,
    WHEEL,
    DrippingServer,
    content_of,
    new_upstream,
    timeout_of,
)


def test_a_file_is_transferred_as_it_is(up, upstream):
    up.add(LARGE)
    with upstream.fetch(up.url, up.file_url(LARGE)) as transfer:
        assert transfer.size == len(LARGE.content)
        chunks = list(transfer.chunks())
    assert b"".join(chunks) == LARGE.content
    assert all(len(chunk) <= 64 * 1024 for chunk in chunks)
    assert len(chunks) > 5
    assert up.requests[-1].headers["accept-encoding"] == "identity"


def test_an_empty_file_has_a_size_and_no_chunks(up, upstream):
    up.fault("/files/*", body=b"")
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer:
        assert transfer.size == 0
        assert list(transfer.chunks()) == []


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_coded_file_is_a_failure(up, upstream, coding):
    """Nobody can say whether the coding belongs to the transport or to the file."""
    packed = gzip.compress(WHEEL.content)
    up.fault("/files/*", body=packed, headers={"Content-Encoding": coding})
    with (
        pytest.raises(UpstreamFailed, match=f"content coding '{coding}'"),
        upstream.fetch(up.url, up.file_url(WHEEL)),
    ):
        pytest.fail("there is nothing to fetch")


def test_a_file_that_says_it_is_not_coded_is_transferred(up, upstream):
    up.fault("/files/*", headers={"Content-Encoding": "Identity"})
    assert content_of(upstream, up.file_url(WHEEL)) == WHEEL.content


def test_a_file_in_http_chunks_has_no_size(up, upstream):
    body = b"5\r\nhello\r\n0\r\n\r\n"
    up.fault("/files/*", body=body, headers={"Transfer-Encoding": "chunked"})
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer:
        assert transfer.size is None
        assert b"".join(transfer.chunks()) == b"hello"


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_not_found(up, upstream, status):
    up.fault("/files/*", status=status)
    with pytest.raises(NotFound), upstream.fetch(up.url, up.file_url(WHEEL)):
        pytest.fail("there is nothing to fetch")


@pytest.mark.parametrize("status", [206, 304, 403, 429, 500])
def test_every_other_status_of_a_file_is_a_failure(up, upstream, status):
    up.fault("/files/*", status=status, headers={"Retry-After": "5"})
    with (
        pytest.raises(UpstreamFailed, match=str(status)) as caught,
        upstream.fetch(up.url, up.file_url(WHEEL)),
    ):
        pytest.fail("there is nothing to fetch")
    assert caught.value.retry_after == 5


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 100_000])
def test_a_file_that_breaks_off_is_a_failure(up, upstream, ending, after):
    up.add(LARGE)
    up.fault("/files/*", then=ending, after=after)
    with pytest.raises(UpstreamFailed, match="broke off"):
        content_of(upstream, up.file_url(LARGE))


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_upstream_that_hangs_up_without_a_word_is_a_failure(up, upstream, ending):
    up.fault("/files/*", then=ending)
    with pytest.raises(UpstreamFailed, match="broke off"):
        content_of(upstream, up.file_url(WHEEL))


def test_a_file_that_stalls_is_a_timeout(up, hasty):
    up.add(LARGE)
    up.fault("/files/*", then="stall", after=100_000)
    assert timeout_of(lambda: content_of(hasty, up.file_url(LARGE))) < 4


def test_a_file_that_drips_is_a_timeout(hasty):
    with DrippingServer("application/octet-stream") as dripping:
        assert timeout_of(lambda: content_of(hasty, f"{dripping.root}/file")) < 4


class _Slow(HttpServer):
    """Takes two seconds for a file of five times 64 KiB, but gets on all the time."""

    def respond(self, request):
        waits = threading.Event()
        return Reply(body=(bytes(65_536) for _ in range(5) if not waits.wait(0.4)))


def test_a_slow_line_is_served_as_long_as_it_gets_on():
    with _Slow() as slow, closing(new_upstream(limits=replace(PATIENT, chunk=1.5))) as upstream:
        assert len(content_of(upstream, f"{slow.root}/file")) == 5 * 65_536


def test_a_failure_is_told_by_the_chunks_not_only_at_the_end_of_the_block(up, upstream):
    up.fault("/files/*", then="close", after=1)
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer, pytest.raises(UpstreamFailed):
        list(transfer.chunks())


def test_a_transfer_takes_as_long_as_its_reader_needs(up, hasty):
    up.add(LARGE)
    with hasty.fetch(up.url, up.file_url(LARGE)) as transfer:
        chunks = transfer.chunks()
        received = [next(chunks)]
        time.sleep(HASTY.chunk + 0.1)  # longer than any limit
        received += chunks
    assert b"".join(received) == LARGE.content


def test_a_transfer_that_is_given_up_lets_go_of_its_connection(up, upstream):
    up.add(LARGE)
    up.fault("/files/*", then="stall", after=100_000, times=1)
    with upstream.fetch(up.url, up.file_url(LARGE)) as transfer:
        next(transfer.chunks())
    assert content_of(upstream, up.file_url(LARGE)) == LARGE.content


def test_what_arrived_before_a_stall_is_handed_on(up, hasty):
    """A fetch that goes on later begins with the first byte that is not here."""
    up.add(LARGE)
    up.fault("/files/*", then="stall", after=100_001)
    with hasty.fetch(up.url, up.file_url(LARGE)) as transfer:
        assert b"".join(until_it_stalls(transfer)) == LARGE.content[:100_001]


def until_it_stalls(transfer):
    try:
        yield from transfer.chunks()
    except UpstreamTimeout:
        return
    pytest.fail("it does not stall")


class _Waiting(HttpServer):
    """Sends a byte, and the next one once that has been received."""

    def __init__(self):
        super().__init__()
        self.received = threading.Semaphore(1)

    def respond(self, request):
        return Reply(
            body=(b"%d" % number for number in range(5) if self.received.acquire(timeout=5))
        )


def test_bytes_that_come_slowly_are_handed_on_as_they_come(upstream):
    with _Waiting() as waiting:
        with upstream.fetch(waiting.root, f"{waiting.root}/file") as transfer:
            for number, chunk in enumerate(transfer.chunks()):
                assert chunk == b"%d" % number
                waiting.received.release()
        assert number == 4


def test_what_goes_wrong_with_the_reader_is_not_blamed_on_the_upstream(up, upstream):
    with pytest.raises(KeyError), upstream.fetch(up.url, up.file_url(WHEEL)):
        raise KeyError


# What is known of a file


def test_the_etag_and_the_date_of_a_file_are_told(up, upstream):
    up.last_modified = "Tue, 02 Jan 2024 03:04:06 GMT"
    up.fault("/files/*", headers={"ETag": '"v1"'})
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer:
        assert transfer.etag == '"v1"'
        assert transfer.modified == datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC)
        assert transfer.start == 0


@pytest.mark.parametrize("etag", ['W/"v1"', "v1", '"a"b"', '"a b"', '"é"', ""])
def test_only_a_strong_etag_is_told(up, upstream, etag):
    up.fault("/files/*", headers={"ETag": etag})
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer:
        assert transfer.etag is None


@pytest.mark.parametrize(
    "date",
    [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Tue, 01 Jan 1980 00:00:00 GMT",
        "Wed, 01 Jan 2500 00:00:00 GMT",
        "Tue, 02 Jan 99999 03:04:06 GMT",
        "yesterday",
        "2024-01-02T03:04:06Z",
        "0",
    ],
)
def test_a_date_that_cannot_be_is_not_told(up, upstream, date):
    up.last_modified = date
    with upstream.fetch(up.url, up.file_url(WHEEL)) as transfer:
        assert transfer.modified is None


# The rest of a file


def rest_of(upstream, up, start, etag=None):
    with upstream.fetch(up.url, up.file_url(LARGE), start=start, etag=etag) as transfer:
        return transfer, b"".join(transfer.chunks())


@pytest.fixture
def large(up):
    up.add(LARGE)
    up.last_modified = None
    return up


def test_the_rest_of_a_file_is_fetched(large, upstream):
    transfer, rest = rest_of(upstream, large, 100_000)
    assert (transfer.start, transfer.size) == (100_000, len(LARGE.content))
    assert rest == LARGE.content[100_000:]
    assert large.requests[-1].headers["range"] == "bytes=100000-"
    assert "if-range" not in large.requests[-1].headers


def test_a_fetch_that_stalled_goes_on_where_it_stopped(large, upstream, hasty):
    large.fault("/files/*", then="stall", after=100_001, times=1)
    with hasty.fetch(large.url, large.file_url(LARGE)) as transfer:
        received = b"".join(until_it_stalls(transfer))
    again, rest = rest_of(upstream, large, len(received), transfer.etag)
    assert again.etag == transfer.etag
    assert received + rest == LARGE.content
    assert large.requests[-1].headers["range"] == "bytes=100001-"
    assert large.requests[-1].headers["if-range"] == transfer.etag


def test_a_file_that_is_another_one_now_begins_anew(large, upstream):
    transfer, content = rest_of(upstream, large, 100_000, '"of the old one"')
    assert (transfer.start, content) == (0, LARGE.content)


def test_an_upstream_without_ranges_begins_anew(large, upstream):
    large.ranges = False
    transfer, content = rest_of(upstream, large, 100_000)
    assert (transfer.start, transfer.size) == (0, len(LARGE.content))
    assert content == LARGE.content


@pytest.mark.parametrize(
    "said",
    [
        "",
        "bytes 0-9/10",
        "bytes 100001-200000/200001",
        "bytes 100000-100009/*, bytes 200000-200009/*",
        "bytes 100000-100009/500000",
        "bytes 100000-99999/100000",
        "bytes 100000-500000/500000",
        "bytes */500000",
        "bytes 100000-x/500000",
        "items 100000-499999/500000",
        f"bytes 100000-{'9' * 400}/*",
    ],
)
def test_a_part_that_is_not_the_rest_is_a_failure(large, upstream, said):
    large.fault("/files/*", status=206, headers={"Content-Range": said}, body=b"0123456789")
    with pytest.raises(UpstreamFailed, match="part"):
        rest_of(upstream, large, 100_000)


def test_a_rest_whose_total_is_not_said_will_do(large, upstream):
    headers = {"Content-Range": "bytes 100000-100009/*"}
    large.fault("/files/*", status=206, headers=headers, body=b"0123456789")
    transfer, rest = rest_of(upstream, large, 100_000)
    assert (transfer.size, rest) == (None, b"0123456789")


def test_a_part_of_another_file_is_a_failure(large, upstream):
    size = len(LARGE.content)
    headers = {"Content-Range": f"bytes 100000-{size - 1}/{size}", "ETag": '"new"'}
    large.fault("/files/*", status=206, headers=headers, body=LARGE.content[100_000:])
    with pytest.raises(UpstreamFailed, match="a part of another file"):
        rest_of(upstream, large, 100_000, '"old"')


def test_a_rest_that_is_coded_is_a_failure(large, upstream):
    large.fault("/files/*", headers={"Content-Encoding": "gzip"})
    with pytest.raises(UpstreamFailed, match="content coding"):
        rest_of(upstream, large, 100_000)


@pytest.mark.parametrize("status", [304, 403, 412, 416, 500])
def test_every_other_status_of_a_rest_is_a_failure(large, upstream, status):
    large.fault("/files/*", status=status)
    with pytest.raises(UpstreamFailed, match=str(status)):
        rest_of(upstream, large, 100_000)


# Documents beside a file


def test_a_document_is_read(up, upstream):
    up.add(WHEEL, provenance={"version": 1, "attestation_bundles": []})
    content = upstream.document(up.url, f"{up.file_url(WHEEL)}.provenance")
    assert json.loads(content) == {"version": 1, "attestation_bundles": []}
    assert up.requests[-1].headers["accept"].startswith("application/vnd.pypi.integrity.v1+json")


@pytest.mark.parametrize("status", [404, 410])
def test_a_document_that_is_not_there_is_not_found(up, upstream, status):
    up.fault("/doc", status=status)
    with pytest.raises(NotFound):
        upstream.document(up.url, f"{up.root}/doc")


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 206, "body": b"{}"},
        {"status": 200, "body": b"{" * (2 * 1024 * 1024 + 1)},
        {"status": 200, "body": b"", "bomb": 5_000_000},
        {"status": 200, "body": b"{}", "length": 3, "then": "close", "after": 2},
    ],
    ids=["status", "part", "too large", "bomb", "cut off"],
)
def test_a_document_that_does_not_come_is_a_failure(up, upstream, fault):
    up.fault("/doc", **fault)
    with pytest.raises(UpstreamFailed):
        upstream.document(up.url, f"{up.root}/doc")
