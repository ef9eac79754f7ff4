"""Uploads: what is taken, replaced, kept and refused."""

from dataclasses import replace

import pytest

from functional.installer import Installer
from functional.site import MakeIndex
from functional.vocabulary import Person
from support.distributions import Distribution, make_sdist, make_wheel

OPEN = ":ANONYMOUS:"


@pytest.fixture
def stage(dev: Person, make_index: MakeIndex) -> str:
    """An index of dev's that everyone may read."""
    return make_index(dev, acl_read=OPEN)


@pytest.fixture
def release(dev: Person, make_index: MakeIndex) -> str:
    """A non-volatile index of dev's that everyone may read."""
    return make_index(dev, acl_read=OPEN, volatile="false")


def test_what_was_uploaded_is_there_at_once(dev: Person, stage: str, installer: Installer) -> None:
    wheel, sdist = make_wheel(requires_python=">=3.8"), make_sdist()
    assert installer.page(stage, "example").status == 404
    assert dev.upload(stage, wheel, sdist).done
    page = installer.page(stage, "example")
    assert page.names == {wheel.filename, sdist.filename}
    assert page.files[wheel.filename]["requires-python"] == ">=3.8"
    assert page.files[wheel.filename]["hashes"] == {"sha256": wheel.sha256}
    assert page.files[wheel.filename]["size"] == len(wheel.content)
    assert installer.download(stage, "example", wheel.filename) == wheel.content
    assert installer.download(stage, "example", sdist.filename) == sdist.content
    assert dev.projects(stage).data == ["example"]


def test_releases_are_listed_newest_first(dev: Person, stage: str) -> None:
    wheels = [make_wheel(version=version) for version in ("1.9", "1.10", "1.10rc1")]
    assert dev.upload(stage, *wheels).done
    listed = [file.version for file in dev.files(stage, "example").data]
    assert listed == ["1.10", "1.10rc1", "1.9"]


def test_the_same_file_again_is_taken_for_done(
    dev: Person, release: str, installer: Installer
) -> None:
    assert dev.upload(release, make_wheel()).done
    before = installer.page(release, "example")
    again = dev.upload(release, make_wheel())
    assert again.done
    assert "with the same content" in again.message
    assert installer.page(release, "example") == before


def test_a_volatile_index_replaces_a_file(dev: Person, stage: str, installer: Installer) -> None:
    old, new = make_wheel(summary="old"), make_wheel(summary="new")
    assert dev.upload(stage, old).done
    replaced = dev.upload(stage, new)
    assert replaced.done
    assert "replaced in" in replaced.message
    assert installer.download(stage, "example", new.filename) == new.content
    assert len(dev.files(stage, "example").data) == 1


def test_a_non_volatile_index_keeps_a_file(
    dev: Person, release: str, installer: Installer
) -> None:
    old, new = make_wheel(summary="old"), make_wheel(summary="new")
    assert dev.upload(release, old).done
    refused = dev.upload(release, new)
    assert not refused.done
    assert f"File already exists ('{old.filename}'" in refused.message
    assert installer.download(release, "example", old.filename) == old.content


def test_the_other_files_of_an_upload_are_taken(dev: Person, release: str) -> None:
    assert dev.upload(release, make_wheel(summary="old")).done
    mixed = dev.upload(release, make_wheel(summary="new"), make_wheel(version="2.0"))
    assert not mixed.done
    assert [file.version for file in dev.files(release, "example").data] == ["2.0", "1.0"]


def test_a_non_volatile_index_uses_no_name_twice(dev: Person, release: str) -> None:
    assert dev.upload(release, make_wheel(summary="old"), make_wheel(version="2.0")).done
    assert dev.remove(release, "example", "1.0", force=True).done
    refused = dev.upload(release, make_wheel(summary="new"))
    assert not refused.done
    assert "upload a new version instead" in refused.message


def test_an_upload_needs_the_right(
    dev: Person, other: Person, somebody: Person, stage: str
) -> None:
    refused = other.upload(stage, make_wheel())
    assert not refused.done
    reason = f"{other.name} may not upload to {stage}: acl_upload names {dev.name}."
    assert reason in refused.message
    assert not somebody.upload(stage, make_wheel()).done
    assert dev.projects(stage).data == []
    assert dev.change_index(stage, f"acl_upload+={other.name}").done
    assert other.upload(stage, make_wheel()).done


def test_a_mirror_takes_no_uploads(root: Person) -> None:
    refused = root.upload("root/pypi", make_wheel())
    assert not refused.done
    assert "mirror" in refused.message
    assert "takes no uploads" in refused.message


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (replace(make_wheel(), content=b"no zip at all"), "read"),
        (replace(make_sdist(), content=b"no tar at all"), "gzip"),
        (replace(make_wheel(), content=b""), ""),
        (replace(make_wheel(), filename="example-2.0-py3-none-any.whl"), "2.0"),
        (replace(make_wheel(), filename="another-1.0-py3-none-any.whl"), "another"),
    ],
    ids=["no-zip", "no-tar", "empty", "other-version", "other-name"],
)
def test_what_is_no_distribution_is_refused(
    dev: Person, stage: str, broken: Distribution, rule: str
) -> None:
    refused = dev.upload(stage, broken)
    assert not refused.done
    assert rule in refused.message
    assert dev.projects(stage).data == []


def test_names_are_normalised(dev: Person, stage: str, installer: Installer) -> None:
    wheel = make_wheel("My.Example_Project")
    assert dev.upload(stage, wheel).done
    assert dev.projects(stage).data == ["my-example-project"]
    assert installer.page(stage, "My_Example.project").names == {wheel.filename}
