"""What is done with releases that are there: yank, remove, push."""

import pytest

from stillroom_server.domain.errors import Conflict, Forbidden, NotFound, UpstreamFailed
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.linking import Outcome
from support.fake_archives import an_archive
from support.use_cases import DEV, ROOT, UseCases
from support.values import an_upstream_file

DEMO = ProjectName("demo")
BASE, FIRM, PYPI = (IndexName.parse(name) for name in ("dev/base", "dev/firm", "root/pypi"))
SDIST, WHEEL = an_archive(), an_archive(wheel=True)
NEXT = an_archive("demo", "2.0")


@pytest.fixture(autouse=True)
def _stages(cases: UseCases):
    """A release of two files, and another one, in an index of each kind."""
    cases.index("dev/base")
    cases.index("dev/firm", volatile=False)
    for index in ("dev/base", "dev/firm"):
        for archive in (SDIST, WHEEL, NEXT):
            cases.upload(index, archive)


def _yanked(cases, index=BASE):
    with cases.reading() as unit:
        files = unit.files.of_project(unit.indexes.get(index), DEMO)
    return {file.filename: file.yanked for file in files if file.yanked is not False}


def _yank(cases, version="1.0", *, yanked=True, filename=None, index=BASE):
    return cases.releases.yank(DEV, index, DEMO, version, yanked=yanked, filename=filename)


def _releases(cases, index=BASE):
    with cases.reading() as unit:
        project = unit.projects.get(unit.indexes.get(index), DEMO)
        return [r.version for r in unit.projects.releases(project)]


def test_a_release_is_yanked_with_all_its_files_and_the_reason(cases: UseCases):
    with cases.recorded() as events:
        changed = _yank(cases, yanked="broken")
    assert changed == [SDIST.filename, WHEEL.filename]
    assert _yanked(cases) == {SDIST.filename: "broken", WHEEL.filename: "broken"}
    assert events == ["file-yanked"] * 2


def test_a_yank_again_changes_nothing_but_a_new_reason_does(cases: UseCases):
    _yank(cases, yanked="broken")
    with cases.recorded() as events:
        assert _yank(cases, yanked="broken") == []
    assert events == []
    assert len(_yank(cases, yanked="very broken")) == 2


def test_one_file_is_yanked_and_unyanked(cases: UseCases):
    assert _yank(cases, filename=WHEEL.filename) == [WHEEL.filename]
    assert _yanked(cases) == {WHEEL.filename: True}
    with cases.recorded() as events:
        assert _yank(cases, "v1.0", yanked=False) == [WHEEL.filename]
    assert _yanked(cases) == {}
    assert events == ["file-unyanked"]


def test_a_yank_needs_no_volatile_index(cases: UseCases):
    assert len(_yank(cases, index=FIRM)) == 2


@pytest.mark.parametrize(
    ("project", "version", "filename", "message"),
    [
        ("demo", "3.0", None, "There is no release demo 3.0 in dev/base"),
        ("other", "1.0", None, "There is no project other in dev/base"),
        ("demo", "1.0", NEXT.filename, "There is no file demo-2.0.tar.gz in demo 1.0"),
        ("demo", "x" * 5_000, None, "There is no release demo"),
        ("demo", "1" * 5_000, None, "There is no release demo"),
    ],
    ids=["release", "project", "file", "no version", "a giant version"],
)
def test_what_is_not_there_cannot_be_yanked(cases: UseCases, project, version, filename, message):
    with pytest.raises(NotFound, match=message):
        cases.releases.yank(
            DEV, BASE, ProjectName(project), version, yanked=True, filename=filename
        )


def _remove_file(cases, archive=SDIST, *, index=BASE, force=False, digest=None, project=DEMO):
    cases.releases.remove_file(
        DEV, index, project, digest or archive.sha256, archive.filename, force=force
    )


def test_a_file_is_removed_and_its_release_with_the_last_one(cases: UseCases):
    _remove_file(cases, SDIST)
    assert cases.filenames("dev/base") == [WHEEL.filename, NEXT.filename]
    assert _releases(cases) == ["1.0", "2.0"]
    with cases.recorded() as events:
        _remove_file(cases, WHEEL)
    assert _releases(cases) == ["2.0"]
    assert events == ["file-removed"]


def test_a_project_that_lost_its_last_file_still_hides_the_mirror(cases: UseCases):
    cases.index("dev/top", "dev/base", "root/pypi")
    public = an_archive("demo", "9.0")
    cases.listed(public)
    for archive in (SDIST, WHEEL, NEXT):
        _remove_file(cases, archive)
    assert cases.filenames("dev/top") == []
    cases.releases.remove_project(DEV, BASE, DEMO, force=False)
    assert cases.filenames("dev/top") == [public.filename]


@pytest.mark.parametrize(
    "wrong",
    [{"digest": "0" * 64}, {"project": ProjectName("other")}, {"archive": an_archive("nope")}],
    ids=["digest", "project", "name"],
)
def test_a_file_is_removed_by_its_whole_address(cases: UseCases, wrong):
    with pytest.raises(NotFound, match="There is no file"):
        _remove_file(cases, **wrong)
    assert len(cases.filenames("dev/base")) == 3


REMOVALS = {
    "file": lambda cases, **force: _remove_file(cases, index=FIRM, **force),
    "release": lambda cases, **force: cases.releases.remove_release(
        DEV, FIRM, DEMO, "1.0", **force
    ),
    "project": lambda cases, **force: cases.releases.remove_project(DEV, FIRM, DEMO, **force),
}


@pytest.mark.parametrize("what", REMOVALS)
def test_nothing_is_removed_from_an_index_that_is_not_volatile_unless_forced(cases, what):
    with pytest.raises(Forbidden, match="non-volatile; remove with force"):
        REMOVALS[what](cases, force=False)
    assert len(cases.filenames("dev/firm")) == 3
    REMOVALS[what](cases, force=True)


def test_a_release_is_removed_with_its_files(cases: UseCases):
    with cases.recorded() as events:
        cases.releases.remove_release(DEV, BASE, DEMO, "v1.0", force=False)
    assert cases.filenames("dev/base") == [NEXT.filename]
    assert _releases(cases) == ["2.0"]
    assert events == ["file-removed", "file-removed", "release-removed"]
    with pytest.raises(NotFound):
        cases.releases.remove_release(DEV, BASE, DEMO, "1.0", force=False)


def test_a_project_is_removed_with_everything(cases: UseCases):
    with cases.recorded() as events:
        cases.releases.remove_project(DEV, BASE, DEMO, force=False)
    with pytest.raises(NotFound):
        cases.filenames("dev/base")
    assert events == ["project-removed"]
    with pytest.raises(NotFound, match="There is no project demo in dev/base"):
        cases.releases.remove_project(DEV, BASE, DEMO, force=False)


# Mirrors


@pytest.fixture
def public(cases: UseCases):
    """A file of the mirror whose content is here."""
    archive = an_archive("public", "1.0", wheel=True)
    cases.listed(archive, core_metadata={})
    cases.content("root/pypi", archive)
    return archive


def _kept(cases):
    with cases.reading() as unit:
        kept = unit.mirror_pages.kept(unit.indexes.get(PYPI), ProjectName("public"))
    return [file.filename for file in kept]


PUBLIC = ProjectName("public")


def test_removing_a_mirrored_file_forgets_what_is_kept(cases: UseCases, public):
    arguments = (ROOT, PYPI, PUBLIC, public.sha256, public.filename)
    cases.releases.remove_file(*arguments, force=False)
    assert _kept(cases) == []
    assert cases.filenames("root/pypi", "public") == [public.filename]
    with pytest.raises(NotFound, match="is not kept in root/pypi"):
        cases.releases.remove_file(*arguments, force=False)


def test_removing_a_mirrored_release_forgets_what_is_kept(cases: UseCases, public):
    cases.releases.remove_release(ROOT, PYPI, PUBLIC, "1.0", force=False)
    assert _kept(cases) == []
    with pytest.raises(NotFound, match=r"Nothing of public 1\.0 is kept"):
        cases.releases.remove_release(ROOT, PYPI, PUBLIC, "1.0", force=False)


def test_removing_a_mirrored_project_forgets_its_page_too(cases: UseCases, public):
    with cases.recorded() as events:
        cases.releases.remove_project(ROOT, PYPI, PUBLIC, force=False)
    assert events == ["project-removed"]
    asked = len(cases.upstream.asked)
    cases.filenames("root/pypi", "public")
    assert len(cases.upstream.asked) == asked + 1
    with pytest.raises(NotFound, match="There is no project other"):
        cases.releases.remove_project(ROOT, PYPI, ProjectName("other"), force=False)


# Push


def _push(cases, version="1.0", *, source=BASE, target="dev/target", project=DEMO, identity=DEV):
    return cases.releases.push(identity, source, project, version, IndexName.parse(target))


@pytest.fixture
def target(cases: UseCases):
    return cases.index("dev/target", volatile=False)


def test_a_release_is_pushed_with_its_files_and_no_byte_is_copied(cases: UseCases, target):
    _yank(cases, yanked="broken", filename=WHEEL.filename)
    blobs = set(cases.store.walk())
    with cases.recorded() as events:
        pushed = _push(cases, "v1.0")
    assert [(p.filename, p.outcome) for p in pushed] == [
        (SDIST.filename, Outcome.ADDED), (WHEEL.filename, Outcome.ADDED),
    ]  # fmt: skip
    assert set(cases.store.walk()) == blobs
    assert cases.content("dev/target", SDIST) == SDIST.content
    assert cases.content("dev/target", WHEEL, suffix=".metadata") == WHEEL.metadata
    assert _yanked(cases, IndexName.parse("dev/target")) == {WHEEL.filename: "broken"}
    assert events == ["file-pushed"] * 2
    with cases.reading() as unit:
        file = unit.files.get(target, SDIST.filename)
    assert (file.pushed_from, file.uploader) == (BASE, "dev")


def test_a_push_again_changes_nothing(cases: UseCases, target):
    _push(cases)
    with cases.recorded() as events:
        assert {p.outcome for p in _push(cases)} == {Outcome.UNCHANGED}
    assert events == []


def test_a_push_is_all_or_nothing(cases: UseCases, target):
    cases.upload("dev/target", an_archive(wheel=True, note="other bytes"))
    with pytest.raises(Conflict, match="File already exists"):
        _push(cases)
    assert cases.filenames("dev/target") == [WHEEL.filename]


def test_a_push_needs_the_right_to_upload_to_the_target(cases: UseCases, target):
    with pytest.raises(Forbidden, match="ann may not upload to dev/target"):
        _push(cases, identity=Identity(user=UserName("ann")))
    with pytest.raises(Forbidden, match="root/pypi is a mirror"):
        _push(cases, target="root/pypi", identity=ROOT)
    with pytest.raises(NotFound, match="There is no index dev/nope"):
        _push(cases, target="dev/nope")


@pytest.mark.parametrize(("project", "version"), [("demo", "3.0"), ("other", "1.0")])
def test_what_is_not_there_cannot_be_pushed(cases: UseCases, target, project, version):
    with pytest.raises(NotFound):
        _push(cases, version, project=ProjectName(project))


def test_only_what_the_source_itself_has_is_pushed(cases: UseCases, target):
    cases.index("dev/top", "dev/base")
    with pytest.raises(NotFound, match="There is no project demo in dev/top"):
        _push(cases, source=IndexName.parse("dev/top"))


def test_a_release_of_a_mirror_is_fetched_and_pushed(cases: UseCases, target):
    archive = an_archive("public", "1.0", "Requires-Python: >=3.9", wheel=True)
    cases.listed(archive, yanked="old")
    pushed = _push(cases, source=PYPI, project=PUBLIC)
    assert [(p.filename, p.sha256) for p in pushed] == [(archive.filename, archive.sha256)]
    with cases.reading() as unit:
        file = unit.files.get(target, archive.filename)
    assert (file.requires_python, file.yanked, file.pushed_from) == (">=3.9", "old", PYPI)
    assert cases.content("dev/target", archive, suffix=".metadata") == archive.metadata


def test_mirrored_files_that_no_stage_can_hold_are_skipped_with_the_reason(cases, target):
    archive = an_archive("public", "1.0")
    good = cases.listed(archive)
    egg = an_upstream_file("public-1.0-py2.7.egg")
    broken = an_upstream_file("public-1.0-py3-none-any.whl", hashes={}, size=None)
    cases.upstream.offer("public", good, egg, broken, an_upstream_file("public-2.0.tar.gz"))
    cases.upstream.put(broken, b"not an archive")
    pushed = {p.filename: p.skipped for p in _push(cases, source=PYPI, project=PUBLIC)}
    assert set(pushed) == {archive.filename, egg.filename, broken.filename}
    assert pushed[archive.filename] is None
    assert "must end in .whl or .tar.gz" in pushed[egg.filename]
    assert pushed[broken.filename].startswith("content: ")


def test_a_push_from_a_mirror_fails_whole_when_a_file_cannot_be_fetched(cases, target):
    archive = an_archive("public", "1.0")
    cases.listed(archive)
    cases.filenames("root/pypi", "public")
    cases.upstream.trouble = UpstreamFailed("down")
    with pytest.raises(UpstreamFailed, match="down"):
        _push(cases, source=PYPI, project=PUBLIC)
    with pytest.raises(NotFound):
        cases.filenames("dev/target", "public")


def test_a_reserved_name_is_not_asked_upstream_for_a_push_either(cases: UseCases, target):
    cases.indexes.change(ROOT, PYPI, {"reserved": ["acme-*"]})
    with pytest.raises(NotFound, match="acme-tool is reserved in root/pypi"):
        _push(cases, source=PYPI, project=ProjectName("acme-tool"))
    assert cases.upstream.asked == []
