"""Files that are read in parts where they are: the end of a wheel, for its metadata."""

import io
import time
import zipfile
from contextlib import closing
from dataclasses import replace

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed, UpstreamTimeout
from support.http_upstream import HASTY, LARGE, PATIENT, WHEEL, new_upstream, timeout_of

SIZE = len(LARGE.content)


@pytest.fixture
def large(up):
    up.add(LARGE)
    return up


def opened(upstream, up, distribution=LARGE):
    return upstream.remote_file(up.url, up.file_url(distribution))


def ranges_of(up):
    return [request.headers.get("range") for request in up.requests]


# Whether it can be done


def test_an_upstream_that_sends_parts_is_recognised(up, upstream):
    assert upstream.takes_ranges(up.url, up.file_url(WHEEL))
    assert ranges_of(up) == ["bytes=0-0"]
    assert up.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 416},
        {"status": 206, "headers": {"Content-Range": "bytes 0-0/*"}, "body": b"P"},
        {"status": 206, "headers": {"Content-Range": "bytes 0-9/10"}, "body": b"0123456789"},
    ],
    ids=["416", "unknown total", "more than was asked for"],
)
def test_an_upstream_that_sends_other_parts_is_none(up, upstream, fault):
    up.fault("/files/*", **fault)
    assert not upstream.takes_ranges(up.url, up.file_url(WHEEL))


def test_an_upstream_that_sends_the_whole_file_is_none(large, upstream):
    large.ranges = False
    assert not upstream.takes_ranges(large.url, large.file_url(LARGE))


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 206}, {"then": "close"}])
def test_trouble_tells_nothing_of_ranges(up, upstream, fault):
    up.ranges = False
    up.fault("/files/*", **fault)
    with pytest.raises(UpstreamFailed):
        upstream.takes_ranges(up.url, up.file_url(WHEEL))


# Reading


def test_the_metadata_of_a_wheel_is_read_from_its_end(large, upstream):
    with opened(upstream, large) as file, zipfile.ZipFile(file) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        # It is the second member: a wheel of another tool has it at the end.
        assert archive.read(name) == LARGE.metadata
    read = sum(_length(said) for said in ranges_of(large))
    assert read < SIZE / 2
    assert len(large.requests) <= 5


def _length(said):
    first, _, last = said.removeprefix("bytes=").partition("-")
    return int(last) - int(first) + 1


def test_it_behaves_as_a_file_does(large, upstream):
    here = io.BytesIO(LARGE.content)
    with opened(upstream, large) as file:
        assert file.readable()
        assert file.seekable()
        for offset, whence, size in [
            (0, io.SEEK_SET, 10),
            (-22, io.SEEK_END, 22),
            (-100_000, io.SEEK_END, 70_000),
            (5, io.SEEK_CUR, 3),
            (65_530, io.SEEK_SET, 131_080),
            (SIZE - 3, io.SEEK_SET, 100),
            (SIZE + 10, io.SEEK_SET, 100),
        ]:
            assert file.seek(offset, whence) == here.seek(offset, whence)
            assert file.read(size) == here.read(size)
            assert file.tell() == here.tell()
        with pytest.raises(ValueError, match="before the start"):
            file.seek(-1)


def test_no_part_is_asked_for_twice_and_neighbours_come_together(large, upstream):
    with opened(upstream, large) as file:
        for _ in range(3):
            file.seek(-70_000, io.SEEK_END)
            assert file.read() == LARGE.content[-70_000:]
    assert ranges_of(large) == ["bytes=0-0", f"bytes={SIZE - 131_072}-{SIZE - 1}"]


@pytest.mark.parametrize(("field", "value"), [("parts", 3), ("part_bytes", 140_000)])
def test_it_is_bounded(large, field, value):
    with (
        closing(new_upstream(limits=replace(PATIENT, **{field: value}))) as upstream,
        opened(upstream, large) as file,
    ):
        for position in (0, 200_000):
            file.seek(position)
            assert file.read(1) == LARGE.content[position : position + 1]
        file.seek(400_000)
        with pytest.raises(UpstreamFailed, match="too much of the file"):
            file.read(1)
    assert len(large.requests) == 3


def test_a_read_of_everything_is_refused_before_it_is_asked_for(large):
    with (
        closing(new_upstream(limits=replace(PATIENT, part_bytes=100_000))) as upstream,
        opened(upstream, large) as file,
        pytest.raises(UpstreamFailed, match="too much of the file"),
    ):
        file.read(SIZE)
    assert len(large.requests) == 1


def test_all_parts_together_have_the_time_of_a_page(large, hasty):
    large.fault("/files/*", delay=0.2)

    def read_it_all():
        with opened(hasty, large) as file:
            for position in range(0, SIZE, 70_000):
                file.seek(position)
                file.read(1)

    assert timeout_of(read_it_all) < 4


def test_a_reader_may_take_its_time(large, hasty):
    with opened(hasty, large) as file:
        time.sleep(HASTY.page + 0.1)
        assert file.read(2) == b"PK"


# What may go wrong


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_not_found(large, upstream, status):
    large.fault("/files/*", status=status)
    with pytest.raises(NotFound), opened(upstream, large):
        pytest.fail("there is nothing to read")


def test_a_file_that_goes_while_it_is_read_is_not_found(large, upstream):
    with opened(upstream, large) as file:
        large.fault("/files/*", status=404)
        with pytest.raises(NotFound):
            file.read(1)


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"another"'},
        {"Last-Modified": "Wed, 03 Jan 2024 03:04:06 GMT"},
        {"Content-Range": f"bytes {SIZE - 65536}-{SIZE - 1}/{SIZE + 1}"},
    ],
    ids=["etag", "date", "total"],
)
def test_a_file_that_changes_while_it_is_read_is_a_failure(large, upstream, headers):
    with opened(upstream, large) as file:
        file.seek(-1, io.SEEK_END)
        large.fault("/files/*", headers=headers)
        with pytest.raises(UpstreamFailed, match="changed the file"):
            file.read(1)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200},
        {"status": 416},
        {"status": 500},
        {"headers": {"Content-Range": ""}},
        {"headers": {"Content-Range": f"bytes 0-65535/{SIZE}"}},
        {"headers": {"Content-Range": f"bytes {SIZE - 65536}-{SIZE - 1}/*"}},
        {"headers": {"Content-Encoding": "gzip"}},
        {"body": b"short"},
        {"body": b"x" * 70_000},
        {"then": "close", "after": 10},
        {"then": "reset", "after": 10},
    ],
    ids=lambda fault: str(fault)[:50],
)
def test_a_part_that_is_not_the_one_is_a_failure(large, upstream, fault):
    with opened(upstream, large) as file:
        file.seek(-1, io.SEEK_END)
        large.fault("/files/*", **fault)
        with pytest.raises(UpstreamFailed):
            file.read(1)


def test_a_part_that_stalls_is_a_timeout(large, hasty):
    with opened(hasty, large) as file:
        large.fault("/files/*", then="stall", after=10)
        with pytest.raises(UpstreamTimeout):
            file.read(1)


def test_an_empty_file_cannot_be_read_in_parts(up, upstream):
    up.replace_content(WHEEL, b"")
    with pytest.raises(UpstreamFailed, match="416"), opened(upstream, up, WHEEL):
        pytest.fail("there is nothing to read")
