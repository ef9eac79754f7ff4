"""Files of mirrors on their way here: fetched once, verified, kept when whole."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import KeptFile
from stillroom_server.services.downloads import READ_SIZE, WITHHELD, Downloads
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
from support.use_cases import UseCases


@pytest.fixture
def wanted(cases: UseCases, mirror):
    list_it(cases, mirror)
    return wanted_from(mirror, digests_of(), SIZE)


def test_a_file_is_fetched_verified_and_kept(cases: UseCases, mirror, wanted):
    cases.upstream.put(FILE, CONTENT)
    download = cases.downloads.start(wanted)
    assert download.wait() == hashlib.sha256(CONTENT).hexdigest()
    assert download.size() == SIZE
    assert read_all(download) == CONTENT
    assert read_all(download, 5000, start=10) == CONTENT[10:5000]
    assert kept_files(cases, mirror) == [FILE.filename]


def test_readers_follow_while_the_file_arrives(cases: UseCases, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    stream.send(PART)
    chunks = download.chunks(0, SIZE)
    first = take(chunks, len(PART) - WITHHELD)
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
        before = take(chunks, SIZE - WITHHELD)
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
    before = take(chunks, SIZE - WITHHELD)
    assert len(before) == SIZE - WITHHELD < SIZE
    stream.end()
    with pytest.raises(UpstreamFailed, match="with another sha256 than it lists"):
        next(chunks)
    wait_for_the_end()
    assert kept_files(cases, mirror) == []
    assert list(cases.store.walk()) == []


@pytest.mark.parametrize("algorithm", ["md5", "sha512", "blake2b"])
def test_every_digest_that_is_listed_is_checked(cases: UseCases, mirror, algorithm):
    cases.upstream.put(FILE, b"content")
    hashes = (*digests_of(b"content"), (algorithm, "0" * 32))
    wanted = wanted_from(mirror, hashes)
    with pytest.raises(UpstreamFailed, match=f"with another {algorithm} than it lists"):
        cases.downloads.start(wanted).wait()


def test_digests_in_capitals_agree(cases: UseCases, mirror):
    cases.upstream.put(FILE, b"content")
    [(name, digest)] = digests_of(b"content")
    wanted = wanted_from(mirror, ((name, digest.upper()),))
    assert cases.downloads.start(wanted).wait() == digest


def test_a_file_without_a_listed_digest_is_taken_as_it_comes(cases: UseCases, mirror):
    cases.upstream.put(FILE, b"content")
    wanted = wanted_from(mirror, ())
    assert cases.downloads.start(wanted).wait() == hashlib.sha256(b"content").hexdigest()


@pytest.mark.parametrize(
    "size", [0, 1, WITHHELD - 1, WITHHELD, WITHHELD + 1, READ_SIZE + WITHHELD]
)
def test_files_of_every_size_arrive_whole(cases: UseCases, mirror, size):
    content = b"x" * size
    stream = cases.upstream.stream(FILE, size=size)
    wanted = wanted_from(mirror, digests_of(content))
    download = cases.downloads.start(wanted)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_all, download, size)
        stream.send(content[: size // 2])
        stream.send(content[size // 2 :])
        stream.end()
        assert reading.result(PATIENCE) == content


# Sizes


def test_a_size_that_nobody_says_is_known_in_the_end(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE, size=None)
    wanted = wanted_from(mirror, digests_of())
    download = cases.downloads.start(wanted)
    with ThreadPoolExecutor(1) as pool:
        size = pool.submit(download.size)
        stream.send(CONTENT)
        assert not size.done()
        stream.end()
        assert size.result(PATIENCE) == SIZE
    assert read_all(download) == CONTENT


def test_a_size_that_the_upstream_announces_is_known_at_once(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE, size=SIZE)
    wanted = wanted_from(mirror, digests_of())
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
    wanted = wanted_from(mirror, (), listed)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * sent)
    stream.end()
    with pytest.raises(UpstreamFailed, match=f"sent {sent} bytes for .* in place of 10"):
        download.wait()
    with pytest.raises(UpstreamFailed):
        read_all(download, 10)
    assert list(cases.store.walk()) == []


def test_an_upstream_that_sends_without_end_is_cut_off(cases: UseCases, mirror):
    stream = cases.upstream.stream(FILE)
    wanted = wanted_from(mirror, (), 10)
    download = cases.downloads.start(wanted)
    stream.send(b"x" * 1_000)  # and never an end
    with pytest.raises(UpstreamFailed, match="sent 1000 bytes"):
        download.wait()


def test_who_finds_it_missing_just_before_a_fetch_ends_does_not_fetch_again(
    cases: UseCases, wanted
):
    cases.upstream.put(FILE, CONTENT)
    cases.downloads.start(wanted).wait()
    wait_for_the_end()
    asked = len(cases.upstream.asked)
    late = cases.downloads.start(wanted)
    assert read_all(late) == CONTENT
    assert late.size() == SIZE
    assert len(cases.upstream.asked) == asked


def test_waiting_for_the_end_waits_for_what_is_done_after_a_fetch(cases: UseCases, wanted):
    cases.upstream.put(FILE, CONTENT)
    done: list[str] = []
    may_go_on = threading.Event()

    def afterwards(kept: KeptFile) -> None:
        assert may_go_on.wait(PATIENCE)
        done.append(kept.filename)

    cases.downloads.start(wanted, afterwards).wait()
    assert done == []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cases.downloads.wait)
        assert not waiting.done()
        may_go_on.set()
        waiting.result(PATIENCE)
    assert done == [FILE.filename]
    cases.downloads.wait()


# What the page says when the file is here


def test_what_was_deleted_while_it_was_fetched_stays_forgotten(cases: UseCases, mirror, wanted):
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted)
    with cases.database.writing() as unit:
        assert unit.mirror_pages.delete(mirror, DEMO)
    stream.send(CONTENT)
    stream.end()
    # Who follows already gets it all the same.
    assert read_all(download) == CONTENT
    wait_for_the_end()
    assert kept_files(cases, mirror) == []


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "passed on"])
def test_a_digest_that_is_listed_while_a_file_is_fetched_holds_for_it(cases, mirror, keep):
    list_it(cases, mirror)
    stream = cases.upstream.stream(FILE, size=SIZE)
    download = cases.downloads.start(wanted_from(mirror, keep=keep))
    stream.send(CONTENT)
    chunks = download.chunks(0, SIZE)
    take(chunks, SIZE - WITHHELD)
    list_it(cases, mirror, hashes=dict(digests_of(b"another")))
    stream.end()
    with pytest.raises(UpstreamFailed, match=r"changed demo-1\.0.* while it was fetched"):
        next(chunks)
    wait_for_the_end()
    assert kept_files(cases, mirror) == []


def test_of_two_processes_that_fetch_different_bytes_the_first_to_end_is_right(cases, mirror):
    list_it(cases, mirror)
    slow, quick = Stream(SIZE), Stream(None)
    cases.upstream.streams(FILE, slow, quick)
    loser = cases.downloads.start(wanted_from(mirror))
    slow.send(PART)
    loser.begun()
    quick.send(b"first")
    quick.end()
    there = Downloads(cases.database, cases.store, cases.upstream, cases.clock)
    first = there.start(wanted_from(mirror)).wait()
    slow.send(CONTENT[len(PART) :])
    slow.end()
    with pytest.raises(UpstreamFailed, match="while it was fetched"):
        loser.wait()
    with cases.reading() as unit:
        [kept] = unit.mirror_pages.kept(mirror, DEMO)
    assert kept.sha256 == first == hashlib.sha256(b"first").hexdigest()


@pytest.mark.parametrize("other", ["digest", "project", "index"])
def test_nobody_joins_the_fetch_of_another_file_at_the_same_url(cases, mirror, wanted, other):
    changes = {
        "digest": {"hashes": digests_of(b"another")},
        "project": {"project": ProjectName("other")},
        "index": {"index": replace(mirror, id=mirror.id + 1)},
    }
    cases.upstream.put(FILE, CONTENT)
    with cases.upstream.held():
        download = cases.downloads.start(wanted)
        assert cases.downloads.start(replace(wanted, **changes[other])) is not download
        assert cases.downloads.start(replace(wanted)) is download
    wait_for_the_end()
