"""Size budgets: what was used least recently goes, what the upstream lost never does."""

import hashlib
import logging
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import KeptFile, UpstreamFile
from stillroom_server.services import eviction
from stillroom_server.services.eviction import Eviction, EvictionReport
from stillroom_server.services.mirrors import MirrorPage, Mirrors
from support.clock import SetClock
from support.use_cases import ROOT, UseCases
from support.values import an_upstream_file

PYPI = IndexName.parse("root/pypi")
SIZE = 100


def mirror_with(cases: UseCases, budget: int) -> Index:
    cases.indexes.change(ROOT, PYPI, {"mirror_size_budget": budget})
    return cases.lineage("root/pypi").asked


def offer(cases: UseCases, project: str, *files: UpstreamFile, **more) -> None:
    cases.upstream.offer(project, *files, **more)
    cases.mirrors.page(cases.lineage("root/pypi").asked, ProjectName(project), refresh=True)


def listed(name: str, **values) -> UpstreamFile:
    """A file of a hundred bytes, as the page lists it."""
    content = content_of(name)
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    return an_upstream_file(name, **{"hashes": hashes, "size": SIZE, **values})


def content_of(name: str) -> bytes:
    return name.encode().ljust(SIZE, b".")


def keep(cases: UseCases, project: str, name: str, *, size: int = SIZE) -> KeptFile:
    """Make it kept, used now; the next one a minute later."""
    content = content_of(name)
    sha256 = cases.store.put(content)
    now = cases.clock()
    kept = KeptFile(name, sha256, size, fetched=now, used=now)
    mirror = cases.lineage("root/pypi").asked
    with cases.database.writing() as unit:
        unit.mirror_pages.keep(mirror, ProjectName(project), kept)
    cases.clock.advance(minutes=1)
    return kept


def kept(cases: UseCases, project: str = "demo") -> list[str]:
    mirror = cases.lineage("root/pypi").asked
    with cases.reading() as unit:
        return [file.filename for file in unit.mirror_pages.kept(mirror, ProjectName(project))]


def three(cases: UseCases, **values) -> list[str]:
    """Three files that are listed and kept, the oldest first."""
    names = [f"demo-{number}.0.tar.gz" for number in (1, 2, 3)]
    offer(cases, "demo", *(listed(name, **values) for name in names))
    for name in names:
        keep(cases, "demo", name)
    return names


def test_within_its_budget_nothing_goes(cases: UseCases):
    names = three(cases)
    assert cases.eviction.run(mirror_with(cases, 300)) == EvictionReport(0, 0, 300, 0)
    assert kept(cases) == names


def test_without_a_budget_nothing_goes(cases: UseCases):
    names = three(cases)
    assert cases.eviction.run(mirror_with(cases, 0)) == EvictionReport(0, 0, 300, 0)
    assert kept(cases) == names


def test_what_was_used_least_recently_goes_and_no_more_than_must(cases: UseCases):
    names = three(cases)
    assert cases.eviction.run(mirror_with(cases, 250)) == EvictionReport(1, 100, 200, 0)
    assert kept(cases) == names[1:]


def test_a_use_that_is_only_noted_counts(cases: UseCases):
    names = three(cases)
    mirror = mirror_with(cases, 250)
    cases.clock.advance(hours=2)
    with cases.reading() as unit:
        first = next(iter(unit.mirror_pages.kept(mirror, ProjectName("demo"))))
    cases.file_uses.note(mirror, ProjectName("demo"), first)
    cases.eviction.run(mirror)
    assert kept(cases) == [names[0], names[2]]


def test_an_evicted_file_is_listed_as_before_and_fetched_again(cases: UseCases):
    names = three(cases)
    with cases.recorded() as events:
        cases.eviction.run(mirror_with(cases, 1))
    assert "mirror-page-changed" not in events
    assert kept(cases) == []
    assert cases.filenames("root/pypi") == names


def test_a_dry_run_changes_nothing(cases: UseCases):
    names = three(cases)
    mirror = mirror_with(cases, 150)
    assert cases.eviction.run(mirror, dry_run=True) == EvictionReport(2, 200, 100, 0)
    assert kept(cases) == names
    assert cases.eviction.run(mirror) == EvictionReport(2, 200, 100, 0)


class SlowMirrors:
    """Mirrors whose upstream is too slow for all but those who wait for its answer."""

    def __init__(self, mirrors: Mirrors) -> None:
        self._mirrors = mirrors

    def page(self, index: Index, project: ProjectName, *, refresh: bool = False) -> MirrorPage:
        page = self._mirrors.page(index, project, refresh=refresh)
        return page if refresh else replace(page, stale=True)


def test_an_upstream_that_takes_its_time_is_waited_for(cases: UseCases):
    names = three(cases)
    mirror = mirror_with(cases, 250)
    slow = SlowMirrors(cases.mirrors)
    report = Eviction(cases.database, cases.store, slow, cases.file_uses).run(mirror)
    assert report == EvictionReport(1, 100, 200, 0)
    assert kept(cases) == names[1:]


def test_when_there_is_no_time_it_stops_after_the_file_at_hand(cases: UseCases):
    three(cases)
    mirror = mirror_with(cases, 1)
    answers = iter([False, True])
    report = cases.eviction.run(mirror, stopped=lambda: next(answers))
    assert report == EvictionReport(1, 100, 200, 0)


# What must stay


def _delist(cases: UseCases) -> None:
    cases.upstream.offer("demo", listed("demo-2.0.tar.gz"), listed("demo-3.0.tar.gz"))


def _withdraw(cases: UseCases) -> None:
    cases.upstream.withdraw("demo")


def _change(cases: UseCases) -> None:
    other = listed("demo-1.0.tar.gz", hashes={"sha256": "0" * 64})
    cases.upstream.offer("demo", other, listed("demo-2.0.tar.gz"), listed("demo-3.0.tar.gz"))


def _stop_to_say_digests(cases: UseCases) -> None:
    names = ("demo-1.0.tar.gz", "demo-2.0.tar.gz", "demo-3.0.tar.gz")
    cases.upstream.offer("demo", *(listed(name, hashes={}) for name in names))


def _quarantine(cases: UseCases) -> None:
    status = ProjectStatus(Status.QUARANTINED)
    cases.upstream.offer("demo", listed("demo-1.0.tar.gz"), status=status)


def _die(cases: UseCases) -> None:
    cases.upstream.trouble = UpstreamFailed("down")


@pytest.mark.parametrize(
    "change", [_delist, _withdraw, _change, _stop_to_say_digests, _quarantine, _die]
)
def test_what_the_upstream_is_not_known_to_have_stays(cases: UseCases, change):
    three(cases)
    cases.clock.advance(days=1)
    change(cases)
    report = cases.eviction.run(mirror_with(cases, 1))
    assert "demo-1.0.tar.gz" in kept(cases)
    assert report.stays >= 1
    assert report.files + report.stays == 3


def test_companions_stay(cases: UseCases):
    names = three(cases)
    for suffix in (".metadata", ".provenance"):
        keep(cases, "demo", names[0] + suffix)
    report = cases.eviction.run(mirror_with(cases, 1))
    assert kept(cases) == [f"{names[0]}.metadata", f"{names[0]}.provenance"]
    assert report == EvictionReport(3, 300, 200, 0)


@pytest.mark.parametrize("right", [True, False])
def test_another_digest_than_sha256_is_held_against_the_content(cases: UseCases, right):
    name = "demo-1.0.tar.gz"
    md5 = hashlib.md5(content_of(name) if right else b"another").hexdigest()
    offer(cases, "demo", listed(name, hashes={"md5": md5}))
    keep(cases, "demo", name)
    report = cases.eviction.run(mirror_with(cases, 1))
    assert (kept(cases) == []) is right
    assert report.stays == (0 if right else 1)


def test_what_changes_while_it_is_judged_stays(cases: UseCases, monkeypatch):
    three(cases)
    cases.clock.advance(days=1)
    mirror = mirror_with(cases, 250)
    evict = cases.eviction._evict

    def used_meanwhile(index, project, file, row):
        with cases.database.writing() as unit:
            unit.mirror_pages.keep(index, project, replace(file, used=cases.clock()))
        return evict(index, project, file, row)

    monkeypatch.setattr(cases.eviction, "_evict", used_meanwhile)
    assert cases.eviction.run(mirror).files == 0
    assert len(kept(cases)) == 3


def test_what_was_judged_by_another_upstream_stays(cases: UseCases, monkeypatch):
    three(cases)
    mirror = mirror_with(cases, 250)
    evict = cases.eviction._evict

    def moved_meanwhile(index, project, file, row):
        cases.indexes.change(ROOT, PYPI, {"mirror_url": "http://other.test/simple/"})
        return evict(index, project, file, row)

    monkeypatch.setattr(cases.eviction, "_evict", moved_meanwhile)
    with pytest.raises(UpstreamFailed, match="has just got another upstream"):
        cases.eviction.run(mirror)
    assert len(kept(cases)) == 3


def test_more_files_than_are_looked_at_at_once(cases: UseCases):
    names = [f"demo-{number}.0.tar.gz" for number in range(3 * eviction.FIRST_LOOK)]
    stay = names[: eviction.FIRST_LOOK + 1]
    offer(cases, "demo", *(listed(name) for name in names if name not in stay))
    for name in names:
        keep(cases, "demo", name)
    report = cases.eviction.run(mirror_with(cases, 1))
    assert sorted(kept(cases)) == sorted(stay)
    assert report.stays == len(stay)


# All mirrors


def test_all_mirrors_are_kept_within_their_budgets(cases: UseCases, caplog):
    caplog.set_level(logging.INFO)
    three(cases)
    mirror_with(cases, 150)
    cases.eviction.run_all()
    assert len(kept(cases)) == 1
    assert "root/pypi: evicted 2 files, 200 bytes" in caplog.text


def test_a_mirror_in_which_nothing_can_go_is_left_alone_for_a_while(cases: UseCases, caplog):
    three(cases)
    mirror_with(cases, 150)
    cases.upstream.withdraw("demo")
    cases.clock.advance(days=1)
    for _ in range(3):
        cases.eviction.run_all()
    assert caplog.text.count("300 bytes are kept, which is over its budget") == 1
    asked = len(cases.upstream.asked)
    cases.clock.advance(seconds=eviction.STUCK_SECONDS)
    cases.eviction.run_all()
    assert len(cases.upstream.asked) > asked


# For any history


@dataclass(frozen=True)
class Known:
    """A kept file, and whether its upstream still lists it."""

    project: str
    number: int
    size: int
    is_listed: bool

    @property
    def name(self) -> str:
        return f"{self.project}-{self.number}.0.tar.gz"


FILES = st.lists(
    st.builds(
        Known,
        project=st.sampled_from(["one", "two", "three"]),
        number=st.integers(1, 8),
        size=st.integers(1, 50),
        is_listed=st.booleans(),
    ),
    unique_by=lambda file: file.name,
    max_size=12,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.integers(1, 300))
def test_it_ends_under_the_budget_if_that_is_possible_and_never_loses_anything(files, budget):
    cases = UseCases(clock=SetClock())
    for project in ("one", "two", "three"):
        rows = [listed(f.name) for f in files if f.project == project and f.is_listed]
        offer(cases, project, *rows)
    for file in files:
        keep(cases, file.project, file.name, size=file.size)
    report = cases.eviction.run(mirror_with(cases, budget))
    left = {name for project in ("one", "two", "three") for name in kept(cases, project)}
    lost = [file for file in files if not file.is_listed]
    assert {file.name for file in lost} <= left
    total = sum(file.size for file in files if file.name in left)
    assert report.kept_bytes == total
    assert total <= budget or left == {file.name for file in lost}
    # In the order of their last use, and none too many.
    had = [file for file in files if file.is_listed]
    gone = [file for file in had if file.name not in left]
    assert gone == had[: len(gone)]
    assert not gone or total + gone[-1].size > budget
