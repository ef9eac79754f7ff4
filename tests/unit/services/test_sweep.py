"""The sweep: what nothing refers to is doomed, waits a day, and is deleted."""

import pytest

from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.sweep import SweepReport
from support.fake_archives import an_archive
from support.use_cases import DEV, ROOT, UseCases

DEMO = ProjectName("demo")
BASE, PYPI = IndexName.parse("dev/base"), IndexName.parse("root/pypi")
ARCHIVE = an_archive("demo", "1.0", "Dynamic: Requires-Dist")
"""An sdist whose metadata is not served: one blob."""
SIZE = len(ARCHIVE.content)


@pytest.fixture(autouse=True)
def _stage(cases: UseCases):
    cases.index("dev/base")


def _blobs(cases):
    return {sha256 for sha256, _size in cases.store.walk()}


def _remove(cases):
    cases.releases.remove_project(DEV, BASE, DEMO, force=False)


def _sweep(cases, **options):
    report = cases.sweep.run(**options)
    return (report.doomed, report.deleted)


def test_what_is_referred_to_stays(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    for _ in range(3):
        assert _sweep(cases) == (0, 0)
        cases.clock.advance(days=2)
    assert ARCHIVE.sha256 in _blobs(cases)


def test_what_is_referred_to_no_more_is_doomed_and_deleted_a_day_later(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    _remove(cases)
    assert _sweep(cases) == (1, 0)
    cases.clock.advance(days=1)
    assert _sweep(cases) == (0, 0)
    assert ARCHIVE.sha256 in _blobs(cases)
    cases.clock.advance(seconds=1)
    assert cases.sweep.run() == SweepReport(doomed=0, deleted=1, deleted_bytes=SIZE)
    assert _blobs(cases) == set()
    with cases.reading() as unit:
        assert unit.blobs.get(ARCHIVE.sha256) is None


def test_content_without_a_row_as_a_crash_leaves_it_is_doomed_too(cases: UseCases):
    cases.store.put(b"an orphan")
    assert _sweep(cases) == (1, 0)
    cases.clock.advance(days=1, seconds=1)
    assert _sweep(cases) == (0, 1)
    assert _blobs(cases) == set()


def test_what_is_linked_again_within_the_day_survives(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    _remove(cases)
    _sweep(cases)
    cases.clock.advance(hours=23)
    cases.upload("dev/base", ARCHIVE)
    cases.clock.advance(days=2)
    assert _sweep(cases) == (0, 0)
    assert cases.content("dev/base", ARCHIVE) == ARCHIVE.content


def test_content_that_was_kept_anew_after_its_row_was_found_due_survives(cases: UseCases):
    # An upload of the same bytes that has not come to its row yet.
    cases.store.put(ARCHIVE.content)
    _sweep(cases)
    cases.clock.advance(days=2)
    cases.store.put(ARCHIVE.content)
    cases.clock.advance(minutes=5)
    assert _sweep(cases) == (1, 0)
    assert ARCHIVE.sha256 in _blobs(cases)


def test_content_that_another_file_shares_survives(cases: UseCases):
    cases.index("dev/other")
    cases.upload("dev/base", ARCHIVE)
    cases.upload("dev/other", ARCHIVE)
    _remove(cases)
    assert _sweep(cases) == (0, 0)


def test_the_metadata_of_a_file_goes_with_it(cases: UseCases):
    cases.upload("dev/base", an_archive(wheel=True))
    assert len(_blobs(cases)) == 2
    assert _sweep(cases) == (0, 0)
    _remove(cases)
    assert _sweep(cases) == (2, 0)


def test_what_a_mirror_keeps_stays_until_it_is_forgotten(cases: UseCases):
    cases.listed(ARCHIVE)
    cases.content("root/pypi", ARCHIVE)
    assert _sweep(cases) == (0, 0)
    cases.releases.remove_project(ROOT, PYPI, DEMO, force=False)
    assert _sweep(cases) == (1, 0)


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(cases: UseCases):
    cases.upload("dev/base", ARCHIVE)
    _remove(cases)
    cases.store.put(b"an orphan")
    for _ in range(2):
        assert _sweep(cases, dry_run=True) == (2, 0)
    assert _sweep(cases) == (2, 0)
    cases.clock.advance(days=2)
    for _ in range(2):
        assert _sweep(cases, dry_run=True) == (0, 2)
    assert len(_blobs(cases)) == 2


def test_a_sweep_takes_no_serial(cases: UseCases):
    cases.store.put(b"an orphan")
    serial = cases.database.serial()
    _sweep(cases)
    assert cases.database.serial() == serial
