"""Statuses of projects: recorded once, and asked in the same step that adds a file."""

import pytest

from stillroom_server.domain.errors import Conflict, Forbidden, NotFound
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status
from support.fake_archives import an_archive
from support.use_cases import DEV, UseCases

BASE = IndexName.parse("dev/base")
DEMO = ProjectName("demo")
ARCHIVED = ProjectStatus(Status.ARCHIVED, "it is done")
WHEEL = an_archive("demo", "1.0", wheel=True)
NEXT = an_archive("demo", "2.0", wheel=True)


@pytest.fixture
def stage(cases: UseCases):
    """dev/base with a release of demo."""
    index = cases.index("dev/base")
    cases.upload("dev/base", WHEEL)
    return index


def _set(cases: UseCases, status: ProjectStatus, index: IndexName = BASE) -> bool:
    return cases.statuses.set(DEV, index, DEMO, status)


def _status(cases: UseCases, stage) -> ProjectStatus:
    with cases.reading() as unit:
        return unit.projects.get(stage, DEMO).status


def test_a_status_is_kept_and_told(cases: UseCases, stage):
    before = cases.database.serial()
    assert _set(cases, ARCHIVED)
    assert _status(cases, stage) == ARCHIVED
    with cases.reading() as unit:
        [entry] = unit.journal.since(before, 10)
    event = entry.event
    assert (event.kind, event.actor, event.index) == ("project-status-changed", "dev", BASE)
    assert (event.project, event.details) == (
        DEMO,
        {"status": "archived", "reason": "it is done"},
    )
    assert _set(cases, ACTIVE)
    with cases.reading() as unit:
        *_, last = unit.journal.since(before, 10)
    assert last.event.details == {"status": "active"}


def test_the_same_status_again_is_no_change(cases: UseCases, stage):
    _set(cases, ARCHIVED)
    with cases.recorded() as events:
        assert not _set(cases, ARCHIVED)
    assert events == []
    assert _set(cases, ProjectStatus(Status.ARCHIVED, "for another reason"))


def test_what_is_not_there_or_not_ours_has_no_status_to_set(cases: UseCases, stage):
    cases.index("dev/heir", "dev/base")
    with pytest.raises(NotFound, match="no project demo in dev/heir"):
        _set(cases, ARCHIVED, IndexName.parse("dev/heir"))
    with pytest.raises(NotFound, match="no index dev/absent"):
        _set(cases, ARCHIVED, IndexName.parse("dev/absent"))
    with pytest.raises(Forbidden, match="root/pypi is a mirror"):
        _set(cases, ARCHIVED, IndexName.parse("root/pypi"))


def test_a_project_that_is_closed_while_a_file_arrives_does_not_get_it(
    cases: UseCases, stage, monkeypatch: pytest.MonkeyPatch
):
    with cases.uploads.receive() as probe:
        kept = type(probe.writer).keep

    def close_and_keep(writer) -> None:
        # The upload was checked already, and is not linked yet.
        _set(cases, ARCHIVED)
        kept(writer)

    monkeypatch.setattr(type(probe.writer), "keep", close_and_keep)
    with cases.recorded() as events, pytest.raises(Forbidden, match="demo is archived"):
        cases.upload("dev/base", NEXT)
    assert events == ["project-status-changed"]
    assert cases.filenames("dev/base") == [WHEEL.filename]


def test_a_refused_upload_leaves_no_content_behind(cases: UseCases, stage):
    _set(cases, ARCHIVED)
    before = sorted(sha256 for sha256, _size in cases.store.walk())
    with pytest.raises(Forbidden, match=r"\(it is done\)"):
        cases.upload("dev/base", NEXT)
    assert sorted(sha256 for sha256, _size in cases.store.walk()) == before


def test_a_push_into_a_closed_project_puts_nothing_there(cases: UseCases, stage):
    cases.index("dev/other")
    cases.upload("dev/other", NEXT)
    cases.upload("dev/other", an_archive("demo", "2.0"))
    _set(cases, ProjectStatus(Status.QUARANTINED))
    with cases.recorded() as events, pytest.raises(Forbidden, match="demo is quarantined"):
        cases.releases.push(DEV, IndexName.parse("dev/other"), DEMO, "2.0", BASE)
    assert events == []
    _set(cases, ProjectStatus(Status.DEPRECATED))
    cases.releases.push(DEV, IndexName.parse("dev/other"), DEMO, "2.0", BASE)


# Names that a mirror has


def test_the_name_is_asked_for_again_in_the_step_that_adds_the_file(
    cases: UseCases, monkeypatch: pytest.MonkeyPatch
):
    stage = cases.index("dev/base", "root/pypi", shadow_mirrors=False)
    cases.listed(WHEEL)
    with cases.uploads.receive() as probe:
        kept = type(probe.writer).keep

    def learn_and_keep(writer) -> None:
        cases.mirrors.page(cases.lineage("root/pypi").asked, DEMO)
        kept(writer)

    monkeypatch.setattr(type(probe.writer), "keep", learn_and_keep)
    with pytest.raises(Conflict, match="root/pypi has a project demo"):
        cases.upload("dev/base", NEXT)
    with cases.reading() as unit:
        assert unit.projects.names([stage]) == []


def test_a_push_from_the_mirror_takes_the_name_too(cases: UseCases):
    cases.index("dev/base", "root/pypi", shadow_mirrors=False)
    cases.listed(WHEEL)
    push = (DEV, IndexName.parse("root/pypi"), DEMO, "1.0", BASE)
    with pytest.raises(Conflict, match="shadow_mirrors off"):
        cases.releases.push(*push)
    cases.indexes.change(DEV, BASE, {"shadow_mirrors": True}, refuse_noop=False)
    [pushed] = cases.releases.push(*push)
    assert pushed.filename == WHEEL.filename
