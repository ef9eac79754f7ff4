"""Files of mirrors on their way here: fetched once, followed by all, kept when whole."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    StorageFull,
    UpstreamFailed,
    UpstreamTimeout,
)
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.downloads import READ_SIZE, WITHHELD, Downloads, Wanted
from support.fake_upstream import PATIENCE
from support.fakes import MemoryBlobStore
from support.use_cases import UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
FILE = an_upstream_file("demo-1.0.tar.gz")
CONTENT = bytes(range(256)) * 1200
"""More than is withheld, and more than is read at a time."""
SIZE = len(CONTENT)
PART = CONTENT[: SIZE // 2]


def _digests(content=CONTENT):
    return (("sha256", hashlib.sha256(content).hexdigest()),)


@pytest.fixture
def mirror(cases: UseCases):
    return cases.lineage("root/pypi").asked


@pytest.fixture
def wanted(mirror):
    return Wanted(mirror, DEMO, FILE.filename, FILE.url, _digests(), SIZE)


def _reading(download, stop=SIZE, start=0):
    return b"".join(download.chunks(start, stop))


def _take(chunks, size):
    """The next so many bytes of a reader; it may have got more than that already."""
    taken = b""
    while len(taken) < size:
        taken += next(chunks)
    return taken


def _wait_for_the_end(cases, filename=FILE.filename):
    """Wait until no thread fetches the file any more."""
    for thread in threading.enumerate():
        if thread.name == f"fetch {filename}":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _kept(cases, mirror):
    with cases.reading() as unit:
        return [file.filename for file in unit.mirror_pages.kept(mirror, DEMO)]


def test_a_file_is_fetched_verified_and_kept(cases: UseCases, mirror, wanted):
    cases.upstream.put(FILE, CONTENT)
    download = cases.downloads.start(wanted)
    assert download.wait() == hashlib.sha256(CONTENT).hexdigest()
    assert download.size() == SIZE
    assert _reading(download) == CONTENT
    assert _reading(download, 5000, start=10) == CONTENT[10:5000]
    assert _kept(cases, mirror) == [FILE.filename]


def test_readers_follow_while_the_file_arrives(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(PART)
    chunks = download.chunks(0, SIZE)
    first = _take(chunks, len(PART) - WITHHELD)
    assert first == PART[:-WITHHELD]
    stream.send(CONTENT[len(PART) :])
    stream.end()
    assert first + b"".join(chunks) == CONTENT


def test_the_last_bytes_are_not_given_out_before_the_digest_is_verified(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    with ThreadPoolExecutor(1) as pool:
        stream.send(CONTENT)
        chunks = download.chunks(0, SIZE)
        before = _take(chunks, SIZE - WITHHELD)
        assert len(before) == SIZE - WITHHELD
        rest = pool.submit(b"".join, chunks)
        assert not rest.done()
        stream.end()
        assert before + rest.result(PATIENCE) == CONTENT


def test_of_a_file_that_is_not_what_was_listed_nobody_gets_the_end(cases, mirror, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(CONTENT[:-1] + b"!")
    chunks = download.chunks(0, SIZE)
    before = _take(chunks, SIZE - WITHHELD)
    assert len(before) == SIZE - WITHHELD < SIZE
    stream.end()
    with pytest.raises(UpstreamFailed, match="with another sha256 than it lists"):
        next(chunks)
    _wait_for_the_end(cases)
    assert _kept(cases, mirror) == []
    assert list(cases.store.walk()) == []


@pytest.mark.parametrize("algorithm", ["md5", "sha512", "blake2b"])
def test_every_digest_that_is_listed_is_checked(cases: UseCases, mirror, algorithm):
    cases.upstream.put(FILE, b"content")
    hashes = (*_digests(b"content"), (algorithm, "0" * 32))
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, hashes, None)
    with pytest.raises(UpstreamFailed, match=f"with another {algorithm} than it lists"):
        cases.downloads.start(wanted).wait()


def test_digests_in_capitals_agree(cases: UseCases, mirror):
    cases.upstream.put(FILE, b"content")
    [(name, digest)] = _digests(b"content")
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, ((name, digest.upper()),), None)
    assert cases.downloads.start(wanted).wait() == digest


def test_a_file_without_a_listed_digest_is_taken_as_it_comes(cases: UseCases, mirror):
    cases.upstream.put(FILE, b"content")
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, (), None)
    assert cases.downloads.start(wanted).wait() == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize(
    "size", [0, 1, WITHHELD - 1, WITHHELD, WITHHELD + 1, READ_SIZE + WITHHELD]
)
def test_files_of_every_size_arrive_whole(cases: UseCases, mirror, size):
    content = b"x" * size
    stream = cases.upstream.stream(FILE, size=size)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, _digests(content), None)
    download = cases.downloads.start(wanted)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_reading, download, size)
        stream.send(content[: size // 2])
        stream.send(content[size // 2 :])
        stream.end()
        assert reading.result(PATIENCE) == content


# Sizes


def test_a_size_that_nobody_says_is_known_in_the_end(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE, size=None)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, _digests(), None)
    download = cases.downloads.start(wanted)
    with ThreadPoolExecutor(1) as pool:
        size = pool.submit(download.size)
        stream.send(CONTENT)
        assert not size.done()
        stream.end()
        assert size.result(PATIENCE) == SIZE
    assert _reading(download) == CONTENT


def test_a_size_that_the_upstream_announces_is_known_at_once(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE, size=SIZE)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, _digests(), None)
    download = cases.downloads.start(wanted)
    assert download.size() == SIZE
    stream.send(CONTENT)
    stream.end()
    download.wait()


@pytest.mark.parametrize(
    ("listed", "announced", "sent"),
    [(10, 11, 11), (10, None, 9), (10, None, 11), (10, 10, 9), (None, 10, 9), (None, 10, 11)],
)
def test_a_file_of_another_size_than_was_said_is_refused(
    cases: UseCases, mirror, listed, announced, sent
):
    stream = cases.upstream.stream(FILE, size=announced)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, (), listed)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * sent)
    stream.end()
    with pytest.raises(UpstreamFailed, match=f"sent {sent} bytes for .* in place of 10"):
        download.wait()
    with pytest.raises(UpstreamFailed):
        _reading(download, 10)
    assert list(cases.store.walk()) == []


def test_an_upstream_that_sends_without_end_is_cut_off(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, (), 10)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * 1_000)  # and never an end
    with pytest.raises(UpstreamFailed, match="sent 1000 bytes"):
        download.wait()


# Many readers


def test_a_file_is_fetched_once_however_many_ask(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    downloads = [cases.downloads.start(wanted) for _ in range(5)]
    assert len({id(download) for download in downloads}) == 1
    with ThreadPoolExecutor(5) as pool:
        readings = [pool.submit(_reading, download) for download in downloads]
        stream.send(PART)
        stream.send(CONTENT[len(PART) :])
        stream.end()
        assert all(reading.result(PATIENCE) == CONTENT for reading in readings)
    assert cases.upstream.asked == [f"file {FILE.url}"]


def test_one_who_comes_late_reads_from_the_start(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    first = cases.downloads.start(wanted)
    stream.send(PART)
    _take(first.chunks(0, SIZE), len(PART) - WITHHELD)
    late = cases.downloads.start(wanted).chunks(0, SIZE)
    assert next(late) == PART[:-WITHHELD][:READ_SIZE]
    stream.send(CONTENT[len(PART) :])
    stream.end()
    first.wait()


def test_the_fetch_goes_on_when_the_reader_goes_away(cases: UseCases, mirror, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(PART)
    reader = download.chunks(0, SIZE)
    next(reader)
    reader.close()
    stream.send(CONTENT[len(PART) :])
    stream.end()
    download.wait()
    assert _kept(cases, mirror) == [FILE.filename]


@pytest.mark.parametrize("arrived", [0, 1, len(PART)], ids=["nothing", "a byte", "half"])
def test_an_error_reaches_all_who_wait(cases: UseCases, wanted, arrived):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(CONTENT[:arrived])
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(_reading, download) for _ in range(3)]
        waiting.append(pool.submit(download.wait))
        stream.fail(UpstreamTimeout("broke off", retry_after=3))
        errors = [future.exception(PATIENCE) for future in waiting]
    assert {type(error) for error in errors} == {UpstreamTimeout}
    assert {error.retry_after for error in errors} == {3}
    assert len({id(error) for error in errors}) == len(errors)


def test_followers_learn_why_and_never_that_the_file_is_closed(cases: UseCases, wanted):
    # They read what has arrived until the very moment at which the fetch fails.
    for _ in range(20):
        stream = cases.upstream.stream(FILE, size=SIZE)
        download = cases.downloads.start(wanted)
        with ThreadPoolExecutor(3) as pool:
            readings = [pool.submit(_reading, download) for _ in range(3)]
            for position in range(0, len(PART), 16_384):
                stream.send(PART[position : position + 16_384])
            stream.fail(UpstreamFailed("broke off"))
            assert {type(r.exception(PATIENCE)) for r in readings} == {UpstreamFailed}
        _wait_for_the_end(cases)


def test_after_a_failure_the_next_one_who_asks_starts_anew(cases: UseCases, wanted):
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        cases.downloads.start(wanted).wait()
    _wait_for_the_end(cases)
    cases.upstream.trouble = None
    cases.upstream.put(FILE, CONTENT)
    assert cases.downloads.start(wanted).wait()


@pytest.mark.parametrize("error", [UpstreamFailed("down"), UpstreamTimeout("slow")])
def test_a_fetch_that_never_begins_is_told_before_anything_is_sent(cases, wanted, error):
    cases.upstream.trouble = error
    download = cases.downloads.start(wanted)
    for wait in (download.begun, download.wait):
        with pytest.raises(type(error), match=error.message):
            wait()


def test_a_file_that_the_upstream_does_not_have_is_not_found(cases: UseCases, wanted):
    with pytest.raises(NotFound, match="does not have this file"):
        cases.downloads.start(wanted).begun()


def test_a_small_file_that_is_wrong_is_told_before_anything_is_sent(cases: UseCases, mirror):
    cases.upstream.put(FILE, b"x" * WITHHELD)
    wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, _digests(), None)
    with pytest.raises(UpstreamFailed, match="with another sha256"):
        cases.downloads.start(wanted).begun()


def test_a_download_has_begun_when_its_first_byte_may_be_sent(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * (WITHHELD + 1))
    download.begun()
    stream.fail(UpstreamFailed("broke off"))
    for wait in (download.wait, download.begun):
        with pytest.raises(UpstreamFailed):
            wait()


class FullStore(MemoryBlobStore):
    """A store without room: where that shows is for the test to say."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    @contextmanager
    def receive(self):
        if self._where == "at the start":
            raise StorageFull("the blob store has no room left")
        with super().receive() as writer:
            self._spoil(writer)
            yield writer

    def _spoil(self, writer) -> None:
        def fail(*_arguments):
            raise StorageFull("the blob store has no room left")

        if self._where == "while writing":
            writer.write = fail
        else:
            writer.keep = fail


@pytest.mark.parametrize("where", ["at the start", "while writing", "in the end"])
def test_a_store_without_room_is_told_to_all_who_wait(cases: UseCases, wanted, where):
    downloads = Downloads(cases.database, FullStore(where), cases.upstream, cases.clock)
    cases.upstream.put(FILE, CONTENT)
    download = downloads.start(wanted)
    with pytest.raises(StorageFull, match="no room left"):
        download.wait()
    with pytest.raises(StorageFull):
        _reading(download)


def test_a_mistake_of_ours_wakes_all_who_wait_and_is_not_hidden(cases: UseCases, mirror):
    told = []
    before, threading.excepthook = threading.excepthook, lambda args: told.append(args.exc_value)
    try:
        cases.upstream.put(FILE, CONTENT)
        hashes = (("no such algorithm", "0"),)
        wanted = Wanted(mirror, DEMO, FILE.filename, FILE.url, hashes, None)
        with pytest.raises(UpstreamFailed, match=r"Fetching .* failed"):
            cases.downloads.start(wanted).wait()
        _wait_for_the_end(cases)
    finally:
        threading.excepthook = before
    assert [type(error) for error in told] == [ValueError]


def test_only_so_many_are_fetched_at_once_and_the_others_wait(cases: UseCases, mirror):
    downloads = Downloads(cases.database, cases.store, cases.upstream, cases.clock, parallel=1)
    files = [an_upstream_file(f"demo-{number}.0.tar.gz") for number in range(3)]
    for file in files:
        cases.upstream.put(file, file.filename.encode())
    with cases.upstream.held() as gate:
        started = [
            downloads.start(Wanted(mirror, DEMO, file.filename, file.url, (), None))
            for file in files
        ]
        gate.wait_for_one()
        assert len(cases.upstream.asked) == 1
        gate.open()
        for download in started:
            download.wait()
    assert len(cases.upstream.asked) == 3
