"""Projects of their own for several people in one index."""

import pytest

from functional.site import MakeIndex
from functional.vocabulary import Person
from support.distributions import make_wheel


@pytest.fixture
def shared(dev: Person, other: Person, make_index: MakeIndex) -> str:
    """An index of dev's to which both upload, where each project has owners."""
    return make_index(
        dev, acl_upload=f"{dev.name},{other.name}", owned_projects="true", bases="root/pypi"
    )


def test_each_project_is_for_who_brought_it(dev: Person, other: Person, shared: str) -> None:
    assert other.upload(shared, make_wheel("theirs")).done
    assert dev.upload(shared, make_wheel("ours")).done
    assert other.owners(shared, "theirs").data == [other.name]
    refused = other.upload(shared, make_wheel("ours", "2.0"))
    assert not refused.done
    assert f"{other.name} is not among its owners" in refused.message

    assert not other.change_owners(shared, "ours", f"owners+={other.name}").done
    added = dev.change_owners(shared, "ours", f"owners+={other.name}")
    assert added.data == sorted([dev.name, other.name])
    assert other.upload(shared, make_wheel("ours", "2.0")).done
    assert dev.change_owners(shared, "ours", f"owners-={other.name}").data == [dev.name]
    assert not other.upload(shared, make_wheel("ours", "3.0")).done
    # The owner of the index may everything in it.
    assert dev.upload(shared, make_wheel("theirs", "2.0")).done


def test_a_new_project_waits_for_approval(dev: Person, other: Person, shared: str) -> None:
    assert dev.change_index(shared, "first_upload=approval").done
    for name in ("wanted", "unwanted"):
        refused = other.upload(shared, make_wheel(name))
        assert not refused.done
        assert f"stillroom owner approve {name} {other.name} --index {shared}" in refused.message
    assert not other.requests(shared).done
    assert dev.requests(shared).data == [("wanted", other.name), ("unwanted", other.name)]

    assert dev.approve(shared, "wanted", other.name).done
    assert dev.decline(shared, "unwanted").done
    assert dev.requests(shared).data == []
    assert other.upload(shared, make_wheel("wanted")).done
    assert not other.upload(shared, make_wheel("unwanted")).done
    assert dev.projects(shared).data == ["wanted"]


def test_a_push_brings_a_project_as_an_upload_does(
    dev: Person, other: Person, shared: str, make_index: MakeIndex
) -> None:
    source = make_index(other)
    assert other.upload(source, make_wheel("pushed")).done
    assert dev.change_index(shared, "first_upload=restricted").done
    refused = other.push(source, "pushed", "1.0", shared)
    assert not refused.done
    assert "first_upload is restricted" in refused.message
    assert dev.change_owners(shared, "pushed", f"owners+={other.name}").done
    assert other.push(source, "pushed", "1.0", shared).done
    assert other.owners(shared, "pushed").data == [other.name]


def test_who_cannot_see_an_index_sees_no_owners(
    dev: Person, somebody: Person, shared: str
) -> None:
    assert dev.upload(shared, make_wheel("ours")).done
    assert not somebody.owners(shared, "ours").done
    assert not somebody.requests(shared).done
