"""Those who follow a download: one fetch for all, and one fate."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    Overloaded,
    StorageFull,
    UpstreamFailed,
    UpstreamTimeout,
)
from stillroom_server.services import downloads, slots
from stillroom_server.services.downloads import (
    READ_SIZE,
    SLOW_SECONDS,
    WITHHELD,
    Download,
    Downloads,
)
from stillroom_server.services.transfers import Place, Wanted
from support.downloads import (
    CONTENT,
    DEMO,
    FILE,
    PART,
    SIZE,
    digests_of,
    kept_files,
    list_it,
    read_all,
    take,
    wait_for_the_end,
    wanted_from,
)
from support.fake_upstream import PATIENCE, Stream
from support.fakes import MemoryBlobStore
from support.use_cases import UseCases
from support.values import an_upstream_file


@pytest.fixture
def wanted(cases: UseCases, mirror):
    list_it(cases, mirror)
    return wanted_from(mirror, digests_of(), SIZE)


def test_a_file_is_fetched_once_however_many_ask(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    downloads = [cases.downloads.start(wanted) for _ in range(5)]
    assert len({id(download) for download in downloads}) == 1
    with ThreadPoolExecutor(5) as pool:
        readings = [pool.submit(read_all, download) for download in downloads]
        stream.send(PART)
        stream.send(CONTENT[len(PART) :])
        stream.end()
        assert all(reading.result(PATIENCE) == CONTENT for reading in readings)
    assert cases.upstream.asked == [f"file {FILE.url}"]


def test_one_who_comes_late_reads_from_the_start(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    first = cases.downloads.start(wanted)
    stream.send(PART)
    take(first.chunks(0, SIZE), len(PART) - WITHHELD)
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
    assert kept_files(cases, mirror) == [FILE.filename]


@pytest.mark.parametrize("arrived", [0, 1, len(PART)], ids=["nothing", "a byte", "half"])
def test_an_error_reaches_all_who_wait(cases: UseCases, wanted, arrived):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(CONTENT[:arrived])
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(read_all, download) for _ in range(3)]
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
            readings = [pool.submit(read_all, download) for _ in range(3)]
            for position in range(0, len(PART), 16_384):
                stream.send(PART[position : position + 16_384])
            stream.fail(UpstreamFailed("broke off", retry_after=9))
            assert {type(r.exception(PATIENCE)) for r in readings} == {UpstreamFailed}
        wait_for_the_end()


def test_after_a_failure_the_next_one_who_asks_starts_anew(cases: UseCases, wanted):
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        cases.downloads.start(wanted).wait()
    wait_for_the_end()
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
    wanted = wanted_from(mirror, digests_of())
    with pytest.raises(UpstreamFailed, match="with another sha256"):
        cases.downloads.start(wanted).begun()


def test_a_download_has_begun_when_its_first_byte_may_be_sent(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * (WITHHELD + 1))
    download.begun()
    stream.fail(UpstreamFailed("broke off", retry_after=9))
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
        read_all(download)


def test_a_mistake_of_ours_wakes_all_who_wait_and_is_not_hidden(cases: UseCases, mirror):
    told = []
    before, threading.excepthook = threading.excepthook, lambda args: told.append(args.exc_value)
    try:
        cases.upstream.put(FILE, CONTENT)
        hashes = (("no such algorithm", "0"),)
        wanted = wanted_from(mirror, hashes)
        with pytest.raises(UpstreamFailed, match=r"Fetching .* failed"):
            cases.downloads.start(wanted).wait()
        wait_for_the_end()
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
            downloads.start(
                Wanted(mirror, DEMO, file.filename, Place("http://up.test/", file.url), (), None)
            )
            for file in files
        ]
        gate.wait_for_one()
        assert len(cases.upstream.asked) == 1
        gate.open()
        for download in started:
            download.wait()
    assert len(cases.upstream.asked) == 3


# An upstream that takes its time


def _wanted(mirror, number: int, base_url: str) -> Wanted:
    file = an_upstream_file(f"demo-{number}.0.tar.gz")
    return Wanted(mirror, DEMO, file.filename, Place(base_url, file.url), (), None)


def _one_at_a_time(cases: UseCases) -> Downloads:
    return Downloads(
        cases.database, cases.store, cases.upstream, cases.clock, parallel=3, per_upstream=1
    )


def test_a_slow_upstream_leaves_room_for_the_others(cases: UseCases, mirror):
    slow = cases.upstream.stream(an_upstream_file("demo-1.0.tar.gz"))
    for number in (2, 3):
        cases.upstream.put(an_upstream_file(f"demo-{number}.0.tar.gz"), b"content")
    bounded = _one_at_a_time(cases)
    first = bounded.start(_wanted(mirror, 1, "http://slow.test/"))
    slow.send(PART)
    first.begun()
    second = bounded.start(_wanted(mirror, 2, "http://slow.test/"))
    assert bounded.start(_wanted(mirror, 3, "http://quick.test/")).wait()
    assert len(cases.upstream.asked) == 2
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.wait)
        slow.end()
        assert waiting.result(PATIENCE)
    assert len(cases.upstream.asked) == 3


def test_nobody_waits_for_ever_until_a_fetch_may_begin(cases: UseCases, mirror, monkeypatch):
    monkeypatch.setattr(slots, "PATIENCE_SECONDS", 0.05)
    slow = cases.upstream.stream(an_upstream_file("demo-1.0.tar.gz"))
    bounded = _one_at_a_time(cases)
    first = bounded.start(_wanted(mirror, 1, "http://slow.test/"))
    slow.send(PART)
    first.begun()
    with pytest.raises(Overloaded, match="Too many files"):
        bounded.start(_wanted(mirror, 2, "http://slow.test/")).begun()
    slow.end()
    assert first.wait()


def _left_alone(cases: UseCases, wanted: Wanted) -> tuple[Download, Stream]:
    """A download whose only reader has gone away, and what is still to come."""
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(PART)
    reader = download.chunks(0, SIZE)
    take(reader, len(PART) - WITHHELD)
    reader.close()
    return download, stream


def test_a_slow_fetch_that_nobody_follows_any_more_is_given_up(cases, clock, mirror, wanted):
    download, stream = _left_alone(cases, wanted)
    clock.advance(seconds=SLOW_SECONDS)
    stream.send(CONTENT[len(PART) : len(PART) + 10])
    wait_for_the_end()
    with pytest.raises(Overloaded, match="given up"):
        download.wait()
    assert len(cases.upstream.asked) == 1
    assert kept_files(cases, mirror) == []


def test_a_quick_one_goes_on(cases: UseCases, clock, mirror, wanted, monkeypatch):
    monkeypatch.setattr(downloads, "SLOW_BYTES", 1000)
    _download, stream = _left_alone(cases, wanted)
    clock.advance(seconds=SLOW_SECONDS)
    stream.send(CONTENT[len(PART) :])
    stream.end()
    wait_for_the_end()
    assert kept_files(cases, mirror) == [FILE.filename]


def test_a_slow_one_goes_on_while_somebody_follows(cases: UseCases, clock, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(PART)
    reader = download.chunks(0, SIZE)
    before = take(reader, len(PART) - WITHHELD)
    clock.advance(seconds=SLOW_SECONDS)
    stream.send(CONTENT[len(PART) :])
    stream.end()
    assert before + b"".join(reader) == CONTENT
