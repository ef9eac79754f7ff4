"""What becomes of releases: yanked, removed, pushed."""

import pytest

from functional.installer import Installer
from functional.site import MakeIndex, Site
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel

OPEN = ":ANONYMOUS:"
WHEEL, SDIST, NEXT = make_wheel(), make_sdist(), make_wheel(version="2.0")


@pytest.fixture
def stage(dev: Person, make_index: MakeIndex) -> str:
    """An index of dev's with two releases of `example`."""
    name = make_index(dev, acl_read=OPEN)
    uploaded = dev.upload(name, WHEEL, SDIST, NEXT)
    assert uploaded.done, uploaded.message
    return name


@pytest.fixture
def release(dev: Person, make_index: MakeIndex) -> str:
    """A non-volatile index of dev's, which is empty."""
    return make_index(dev, acl_read=OPEN, volatile="false")


# Yank


def test_a_yanked_release_says_why(dev: Person, stage: str, installer: Installer) -> None:
    assert dev.yank(stage, "example", "1.0", reason="it deletes too much").done
    page = installer.page(stage, "example")
    assert page.files[WHEEL.filename]["yanked"] == "it deletes too much"
    assert page.files[SDIST.filename]["yanked"] == "it deletes too much"
    assert page.files[NEXT.filename].get("yanked", False) is False
    yanked = {file.filename: file.yanked for file in dev.files(stage, "example").data}
    assert yanked[WHEEL.filename] == "it deletes too much"
    assert installer.download(stage, "example", WHEEL.filename) == WHEEL.content


def test_one_file_is_yanked_and_unyanked(dev: Person, stage: str, installer: Installer) -> None:
    assert dev.yank(stage, "example", "1.0", filename=SDIST.filename).done
    page = installer.page(stage, "example")
    assert page.files[SDIST.filename]["yanked"] is True
    assert page.files[WHEEL.filename].get("yanked", False) is False
    assert dev.unyank(stage, "example", "1.0", filename=SDIST.filename).done
    page = installer.page(stage, "example")
    assert page.files[SDIST.filename].get("yanked", False) is False


def test_a_yank_can_be_taken_back(dev: Person, release: str, installer: Installer) -> None:
    assert dev.upload(release, WHEEL).done
    assert dev.yank(release, "example", "1.0").done
    assert dev.unyank(release, "example", "1.0").done
    page = installer.page(release, "example")
    assert page.files[WHEEL.filename].get("yanked", False) is False


def test_only_what_is_there_is_yanked_by_who_may(dev: Person, other: Person, stage: str) -> None:
    missing = dev.yank(stage, "example", "3.0")
    assert not missing.done
    assert "There is no release example 3.0" in missing.message
    assert not dev.yank(stage, "example", "1.0", filename="example-1.0.zip").done
    assert not other.yank(stage, "example", "1.0").done
    assert all(file.yanked is False for file in dev.files(stage, "example").data)


# Status


def test_an_archived_project_takes_no_more_files_and_says_why(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert dev.status(stage, "example").data == {"status": "active"}
    assert dev.set_status(stage, "example", "archived", reason="moved to other").done
    said = {"status": "archived", "reason": "moved to other"}
    assert dev.status(stage, "example").data == said
    assert installer.page(stage, "example").status_said == said
    refused = dev.upload(stage, make_wheel(version="3.0"))
    assert not refused.done
    assert "example is archived" in refused.message
    assert "moved to other" in refused.message
    assert installer.download(stage, "example", WHEEL.filename) == WHEEL.content


def test_a_quarantined_project_is_taken_back(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert dev.set_status(stage, "example", "quarantined").done
    page = installer.page(stage, "example")
    assert (page.status, page.names) == (200, set())
    assert not dev.upload(stage, make_wheel(version="3.0")).done
    assert dev.set_status(stage, "example", "active").done
    assert dev.upload(stage, make_wheel(version="3.0")).done
    assert len(installer.page(stage, "example").names) == 4


def test_only_what_is_there_gets_a_status_by_who_may(
    dev: Person, other: Person, stage: str, installer: Installer
) -> None:
    for outcome in (
        dev.set_status(stage, "no-such-project", "archived"),
        dev.status(stage, "no-such-project"),
    ):
        assert not outcome.done
        assert "There is no project no-such-project" in outcome.message
    refused = other.set_status(stage, "example", "quarantined")
    assert not refused.done
    assert other.name in refused.message
    assert len(installer.page(stage, "example").names) == 3


# Remove


def test_a_release_is_removed_from_a_volatile_index(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert dev.remove(stage, "example", "1.0").done
    assert installer.page(stage, "example").names == {NEXT.filename}
    assert [file.version for file in dev.files(stage, "example").data] == ["2.0"]


def test_a_project_is_removed_with_all_that_it_has(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert dev.remove(stage, "example").done
    assert dev.projects(stage).data == []
    assert installer.page(stage, "example").status == 404


def test_a_non_volatile_index_gives_nothing_away_without_force(
    dev: Person, release: str, installer: Installer
) -> None:
    assert dev.upload(release, WHEEL, NEXT).done
    for version in ("1.0", None):
        refused = dev.remove(release, "example", version)
        assert not refused.done
        assert "remove with force" in refused.message
    assert installer.page(release, "example").names == {WHEEL.filename, NEXT.filename}
    assert dev.remove(release, "example", "1.0", force=True).done
    assert installer.page(release, "example").names == {NEXT.filename}


def test_only_what_is_there_is_removed_by_who_may(dev: Person, other: Person, stage: str) -> None:
    missing = dev.remove(stage, "example", "3.0")
    assert not missing.done
    assert "There is no release example 3.0" in missing.message
    assert not dev.remove(stage, "no-such-project").done
    refused = other.remove(stage, "example", "1.0", force=True)
    assert not refused.done
    assert other.name in refused.message
    assert len(dev.files(stage, "example").data) == 3


def test_removing_leaves_what_another_index_holds_of_the_same_bytes(
    dev: Person, stage: str, release: str, installer: Installer
) -> None:
    assert dev.push(stage, "example", "1.0", release).done
    assert dev.remove(stage, "example").done
    assert installer.download(release, "example", WHEEL.filename) == WHEEL.content


# Push


def test_a_release_is_pushed_with_all_of_its_files(
    dev: Person, stage: str, release: str, installer: Installer
) -> None:
    assert dev.push(stage, "example", "1.0", release).done
    page = installer.page(release, "example")
    assert page.names == {WHEEL.filename, SDIST.filename}
    assert page.files[WHEEL.filename]["hashes"] == {"sha256": WHEEL.sha256}
    assert installer.download(release, "example", SDIST.filename) == SDIST.content
    assert installer.page(stage, "example").names == {
        WHEEL.filename,
        SDIST.filename,
        NEXT.filename,
    }


def test_the_same_release_is_pushed_again_without_harm(
    dev: Person, stage: str, release: str, installer: Installer
) -> None:
    assert dev.push(stage, "example", "1.0", release).done
    before = installer.page(release, "example")
    assert dev.push(stage, "example", "1.0", release).done
    assert installer.page(release, "example") == before


def test_a_push_that_conflicts_pushes_nothing(
    dev: Person, stage: str, release: str, installer: Installer
) -> None:
    taken = make_sdist(summary="other bytes of that name")
    assert dev.upload(release, taken).done
    refused = dev.push(stage, "example", "1.0", release)
    assert not refused.done
    assert f"File already exists ('{taken.filename}'" in refused.message
    assert installer.page(release, "example").names == {taken.filename}


def test_a_push_needs_the_right_at_the_target(
    dev: Person, other: Person, stage: str, release: str
) -> None:
    refused = other.push(stage, "example", "1.0", release)
    assert not refused.done
    reason = f"{other.name} may not upload to {release}: acl_upload names {dev.name}."
    assert reason in refused.message
    assert dev.projects(release).data == []


def test_a_push_needs_a_release_and_a_target(dev: Person, stage: str, release: str) -> None:
    missing = dev.push(stage, "example", "3.0", release)
    assert not missing.done
    assert "There is no release example 3.0" in missing.message
    nowhere = dev.push(stage, "example", "1.0", f"{dev.name}/nowhere")
    assert not nowhere.done
    assert f"There is no index {dev.name}/nowhere" in nowhere.message
    mirror = dev.push(stage, "example", "1.0", "root/pypi")
    assert not mirror.done
    assert "takes no uploads" in mirror.message


def test_a_public_release_is_pushed_from_the_mirror(
    site: Site, dev: Person, release: str, upstream: LocalUpstream, installer: Installer
) -> None:
    project = site.unique("public")
    wheel, later = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    upstream.add(wheel)
    upstream.add(later)
    assert dev.push("root/pypi", project, "1.0", release).done
    assert installer.page(release, project).names == {wheel.filename}
    assert installer.download(release, project, wheel.filename) == wheel.content
