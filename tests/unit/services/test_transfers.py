"""Files over many connections: resumed where they stopped, from equivalents, never patched up."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from stillroom_server.domain.errors import (
    NotFound,
    UpstreamFailed,
    UpstreamFileUnusable,
    UpstreamTimeout,
)
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import UpstreamFile
from stillroom_server.services import downloads, transfers
from stillroom_server.services.downloads import WITHHELD, Downloads
from stillroom_server.services.transfers import ATTEMPTS, PROGRESS, Place
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
from support.fake_upstream import Stream
from support.use_cases import UseCases
from support.values import an_upstream_file

HALF = len(PART)
BROKE_OFF = UpstreamFailed("broke off")
TWIN = an_upstream_file(FILE.filename, url="http://twin.test/files/demo-1.0.tar.gz")
TWIN_BASE = "http://twin.test/simple/"


def stream(*parts: bytes, start: int = 0, etag: str | None = "v1", **options) -> Stream:
    """An answer that sends these parts and then breaks off, or ends if it is `whole`."""
    whole = options.pop("whole", False)
    size = options.pop("size", SIZE)
    answer = Stream(size, start=start, etag=etag, **options)
    for part in parts:
        answer.send(part)
    if whole:
        answer.end()
    else:
        answer.fail(BROKE_OFF)
    return answer


def end_of(content: bytes, start: int, **options) -> Stream:
    """An answer with the rest of the content from there on."""
    return stream(content[start:], start=start, whole=True, **options)


def fetch(cases: UseCases, wanted) -> bytes:
    download = cases.downloads.start(wanted)
    download.wait()
    wait_for_the_end()
    return read_all(download)


def asked(cases: UseCases) -> list[str]:
    return [question.removeprefix(f"file {FILE.url}") for question in cases.upstream.asked]


def at_the_twin() -> Iterator[Place]:
    yield Place(TWIN_BASE, TWIN.url)


@pytest.fixture
def wanted(cases: UseCases, mirror):
    list_it(cases, mirror)
    return wanted_from(mirror, digests_of(), SIZE)


# On a new connection


@pytest.mark.parametrize(
    "trouble", [UpstreamFailed("reset"), UpstreamTimeout("stalled")], ids=["reset", "stalled"]
)
def test_a_fetch_that_breaks_off_goes_on_where_it_stopped(
    cases: UseCases, mirror, wanted, trouble
):
    first = Stream(SIZE, etag="v1")
    first.send(PART)
    first.fail(trouble)
    cases.upstream.streams(FILE, first, end_of(CONTENT, HALF))
    assert fetch(cases, wanted) == CONTENT
    assert asked(cases) == ["", f" from {HALF}"]
    assert kept_files(cases, mirror) == [FILE.filename]


def test_followers_notice_nothing_of_it(cases: UseCases, wanted):
    first = Stream(SIZE, etag="v1")
    second = Stream(SIZE, start=HALF, etag="v1")
    cases.upstream.streams(FILE, first, second)
    download = cases.downloads.start(wanted)
    first.send(PART)
    chunks = download.chunks(0, SIZE)
    before = take(chunks, HALF - WITHHELD)
    first.fail(BROKE_OFF)
    second.send(CONTENT[HALF:])
    second.end()
    assert before + b"".join(chunks) == CONTENT


def test_any_number_of_connections_will_do_if_each_brings_something(cases: UseCases, wanted):
    starts = range(0, SIZE, PROGRESS)
    pieces = [stream(CONTENT[at : at + PROGRESS], start=at) for at in starts]
    pieces[-1] = end_of(CONTENT, starts[-1])
    assert len(pieces) > ATTEMPTS
    cases.upstream.streams(FILE, *pieces)
    assert fetch(cases, wanted) == CONTENT


def test_connections_that_bring_next_to_nothing_are_not_made_for_ever(cases: UseCases, wanted):
    cases.upstream.streams(FILE, *(stream(CONTENT[at : at + 1], start=at) for at in range(100)))
    with pytest.raises(UpstreamFailed, match="broke off"):
        fetch(cases, wanted)
    assert len(cases.upstream.asked) == ATTEMPTS


def test_an_upstream_that_does_not_answer_is_asked_three_times(cases: UseCases, mirror, wanted):
    waited = []
    calls = Downloads(
        cases.database, cases.store, cases.upstream, cases.clock, sleep=waited.append
    )
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed, match="down"):
        calls.start(wanted).wait()
    wait_for_the_end()
    assert len(cases.upstream.asked) == ATTEMPTS
    assert waited == list(transfers.PAUSES)


def test_after_long_without_progress_it_is_not_tried_again(cases, wanted, monkeypatch):
    ticks = iter([0.0, transfers.PATIENCE_SECONDS + 1, 1e6, 1e6, 1e6])
    monkeypatch.setattr(transfers.time, "monotonic", lambda: next(ticks))
    cases.upstream.trouble = UpstreamTimeout("slow")
    with pytest.raises(UpstreamTimeout):
        fetch(cases, wanted)
    assert len(cases.upstream.asked) == 1


def test_an_upstream_that_asks_for_a_wait_is_not_asked_again_at_once(cases: UseCases, wanted):
    cases.upstream.trouble = UpstreamFailed("busy", retry_after=7)
    with pytest.raises(UpstreamFailed) as caught:
        fetch(cases, wanted)
    assert caught.value.retry_after == 7
    assert len(cases.upstream.asked) == 1


def test_a_file_that_is_not_there_is_not_asked_for_again(cases: UseCases, wanted):
    with pytest.raises(NotFound):
        fetch(cases, wanted)
    assert len(cases.upstream.asked) == 1


def test_each_new_attempt_is_logged(cases: UseCases, wanted, caplog):
    caplog.set_level(logging.INFO)
    cases.upstream.streams(FILE, stream(PART), end_of(CONTENT, HALF))
    fetch(cases, wanted)
    assert f"demo-1.0.tar.gz stopped at byte {HALF}: broke off; trying again" in caplog.text


# An upstream that begins anew


@pytest.mark.parametrize("piece", [HALF, 1_000, SIZE], ids=["in half", "in pieces", "at once"])
def test_bytes_that_come_again_are_compared_and_not_written_twice(cases, wanted, piece):
    again = Stream(SIZE, etag="v1")
    for at in range(0, SIZE, piece):
        again.send(CONTENT[at : at + piece])
    again.end()
    cases.upstream.streams(FILE, stream(PART), again)
    assert fetch(cases, wanted) == CONTENT


@pytest.mark.parametrize("hashes", [digests_of(), ()], ids=["a digest", "no digest"])
def test_a_file_that_is_another_one_the_second_time_is_refused(cases, mirror, hashes):
    other = b"x" + CONTENT[1:]
    cases.upstream.streams(FILE, stream(PART), stream(other, whole=True, etag="v2"))
    download = cases.downloads.start(wanted_from(mirror, hashes, SIZE))
    with pytest.raises(UpstreamFailed, match=r"changed demo-1\.0\.tar\.gz while it"):
        read_all(download)
    wait_for_the_end()
    assert kept_files(cases, mirror) == []


def test_a_file_of_another_size_the_second_time_is_refused(cases: UseCases, mirror):
    cases.upstream.streams(FILE, stream(PART), end_of(CONTENT, HALF, size=SIZE + 1))
    with pytest.raises(UpstreamFailed, match=f"sent {SIZE + 1} bytes"):
        fetch(cases, wanted_from(mirror, ()))


def test_another_part_than_was_asked_for_is_never_taken(cases: UseCases, wanted):
    wrong = [end_of(CONTENT, HALF + 1) for _ in range(ATTEMPTS)]
    cases.upstream.streams(FILE, stream(PART), *wrong)
    with pytest.raises(UpstreamFailed, match="sent another part"):
        fetch(cases, wanted)


def test_the_rest_of_another_file_has_the_wrong_digest(cases: UseCases, mirror, wanted):
    cases.upstream.streams(FILE, stream(PART), end_of(CONTENT[:-1] + b"!", HALF))
    with pytest.raises(UpstreamFailed, match="with another sha256"):
        fetch(cases, wanted)
    assert list(cases.store.walk()) == []


def test_without_digest_and_validator_it_is_read_from_the_start_again(cases: UseCases, mirror):
    cases.upstream.streams(FILE, stream(PART, etag=None), stream(CONTENT, etag=None, whole=True))
    assert fetch(cases, wanted_from(mirror, ())) == CONTENT
    assert asked(cases) == ["", ""]


def test_without_a_digest_the_validator_must_stay(cases: UseCases, mirror):
    cases.upstream.streams(FILE, stream(PART), end_of(CONTENT, HALF, etag="v2"))
    with pytest.raises(UpstreamFailed, match="changed"):
        fetch(cases, wanted_from(mirror, ()))


def test_with_a_digest_another_server_may_have_another_validator(cases: UseCases, wanted):
    cases.upstream.streams(FILE, stream(PART), end_of(CONTENT, HALF, etag="v2"))
    assert fetch(cases, wanted) == CONTENT


# Equivalents


def test_an_equivalent_goes_on_where_the_first_one_stopped(cases: UseCases, mirror):
    cases.upstream.streams(FILE, stream(PART), *(stream(start=HALF) for _ in range(ATTEMPTS)))
    cases.upstream.streams(TWIN, end_of(CONTENT, HALF, etag="of the twin"))
    wanted = wanted_from(mirror, digests_of(), SIZE, elsewhere=at_the_twin)
    assert fetch(cases, wanted) == CONTENT
    assert cases.upstream.asked[-1] == f"file {TWIN.url} from {HALF}"
    assert cases.upstream.bases[-1] == TWIN_BASE


@pytest.mark.parametrize(
    "first",
    [None, stream(b"", size=SIZE + 1)],
    ids=["it has nothing there", "it says another size"],
)
def test_an_equivalent_is_asked_where_the_first_one_has_not_begun(cases, mirror, first):
    if first is not None:
        cases.upstream.streams(FILE, first)
    cases.upstream.put(TWIN, CONTENT)
    wanted = wanted_from(mirror, digests_of(), SIZE, elsewhere=at_the_twin)
    assert fetch(cases, wanted) == CONTENT


def test_no_equivalent_is_asked_while_the_first_one_works(cases: UseCases, mirror):
    def never() -> Iterator[Place]:
        raise AssertionError("asked")

    cases.upstream.put(FILE, CONTENT)
    assert fetch(cases, wanted_from(mirror, digests_of(), SIZE, elsewhere=never)) == CONTENT


def test_where_all_fail_it_is_the_first_one_that_is_told(cases: UseCases, mirror):
    cases.upstream.troubles[mirror.upstream_urls[0]] = UpstreamTimeout("the first is slow")
    wanted = wanted_from(mirror, digests_of(), SIZE, elsewhere=at_the_twin)
    with pytest.raises(UpstreamTimeout, match="the first is slow"):
        fetch(cases, wanted)
    assert cases.upstream.asked[-1] == f"file {TWIN.url}"


# Bounds


def test_a_file_over_the_bound_is_refused_before_it_is_read(cases: UseCases, mirror):
    cases.upstream.stream(FILE, size=10_000_001)
    with pytest.raises(UpstreamFailed, match=r"is over 10,000,000 bytes; .* max_mirrored"):
        fetch(cases, wanted_from(mirror, ()))


def test_a_file_without_a_size_is_read_up_to_the_bound(cases: UseCases, mirror):
    endless = cases.upstream.stream(FILE)
    for _ in range(11):
        endless.send(bytes(1_000_000))
    with pytest.raises(UpstreamFailed, match="max_mirrored_file_size"):
        fetch(cases, wanted_from(mirror, ()))
    assert list(cases.store.walk()) == []


# Wrong for a while


def _wrong(cases: UseCases, wanted) -> None:
    cases.upstream.put(FILE, b"x" * SIZE)
    with pytest.raises(UpstreamFileUnusable):
        fetch(cases, wanted)


def test_after_a_wrong_digest_the_answer_stays_for_a_moment_without_asking(cases, clock, wanted):
    _wrong(cases, wanted)
    asked_so_far = len(cases.upstream.asked)
    cases.upstream.put(FILE, CONTENT)
    clock.advance(seconds=downloads.COOLDOWN_SECONDS - 0.1)
    for _ in range(3):
        again = cases.downloads.start(wanted)
        with pytest.raises(UpstreamFailed, match="with another sha256"):
            again.begun()
    assert len(cases.upstream.asked) == asked_so_far


def test_after_that_it_is_asked_for_anew_and_kept(cases, clock, mirror, wanted):
    _wrong(cases, wanted)
    clock.advance(seconds=downloads.COOLDOWN_SECONDS)
    cases.upstream.put(FILE, CONTENT)
    assert fetch(cases, wanted) == CONTENT
    assert kept_files(cases, mirror) == [FILE.filename]


def test_what_can_be_tried_again_does_not_wait(cases: UseCases, wanted):
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed):
        fetch(cases, wanted)
    cases.upstream.trouble = None
    cases.upstream.put(FILE, CONTENT)
    assert fetch(cases, wanted) == CONTENT


# What is learned


def _offer(cases: UseCases, mirror, **said) -> UpstreamFile:
    file = an_upstream_file(FILE.filename, **said)
    cases.upstream.offer("demo", file)
    cases.mirrors.page(mirror, ProjectName("demo"))
    return file


MODIFIED = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_what_the_page_does_not_say_is_learned_with_one_event(cases: UseCases, mirror):
    _offer(cases, mirror, hashes={}, size=None)
    cases.upstream.put(FILE, CONTENT, modified=MODIFIED)
    with cases.recorded() as events:
        fetch(cases, wanted_from(mirror, ()))
    assert events == ["mirror-page-changed"]
    [file] = cases.mirrors.page(mirror, DEMO).files
    assert dict(file.hashes) == dict(digests_of())
    assert (file.size, file.uploaded, file.time_source) == (SIZE, MODIFIED, "last-modified")


def test_what_the_page_says_is_not_learned_and_costs_no_event(cases: UseCases, mirror):
    _offer(cases, mirror, hashes=dict(digests_of()), size=SIZE, uploaded=cases.clock())
    cases.upstream.put(FILE, CONTENT, modified=MODIFIED)
    with cases.recorded() as events:
        fetch(cases, wanted_from(mirror, digests_of(), SIZE))
    assert events == []


def test_what_shall_not_be_kept_is_in_the_store_for_its_readers_only(cases: UseCases, mirror):
    cases.upstream.put(FILE, CONTENT)
    assert fetch(cases, wanted_from(mirror, digests_of(), SIZE, keep=False)) == CONTENT
    assert kept_files(cases, mirror) == []
    with cases.reading() as unit:
        assert unit.blobs.get(digests_of()[0][1]) is None
    cases.sweep.run()
    cases.clock.advance(days=2)
    assert cases.sweep.run().deleted == 1
