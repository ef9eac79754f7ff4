"""Who may read what."""

import pytest

from functional.installer import Installer
from functional.site import MakeIndex, Site, password_of
from functional.vocabulary import Login, Person
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel


@pytest.fixture
def stage(dev: Person, make_index: MakeIndex) -> str:
    """An index of dev's that holds the project `example`."""
    name = make_index(dev)
    uploaded = dev.upload(name, make_wheel("example"))
    assert uploaded.done, uploaded.message
    return name


def login_of(person: Person) -> Login:
    """The login of a user for pip and uv."""
    return person.name, password_of(person.name)


def test_a_new_stage_is_read_by_all_who_are_logged_in(
    stage: str, other: Person, somebody: Person, installer: Installer
) -> None:
    assert other.projects(stage).data == ["example"]
    assert installer.page(stage, "example", login_of(other)).status == 200
    assert installer.page(stage, "example").status == 401
    assert not somebody.projects(stage).done


def test_strangers_do_not_learn_what_exists(stage: str, installer: Installer) -> None:
    there = installer.page(stage, "example")
    for index, project in [
        (stage, "no-such-project"),
        (f"{stage}-not", "example"),
        ("no-such-user/index", "example"),
    ]:
        assert installer.page(index, project) == there


def test_an_open_stage_is_read_by_everyone(
    dev: Person, stage: str, somebody: Person, installer: Installer
) -> None:
    assert dev.change_index(stage, "acl_read=:ANONYMOUS:").done
    assert installer.page(stage, "example").status == 200
    assert somebody.projects(stage).data == ["example"]
    assert not somebody.upload(stage, make_wheel("example", "2.0")).done


def test_a_private_stage_is_read_by_those_it_names(
    dev: Person, other: Person, root: Person, stage: str, installer: Installer
) -> None:
    assert dev.change_index(stage, f"acl_read={dev.name}").done
    assert installer.page(stage, "example", login_of(dev)).status == 200
    refused = installer.page(stage, "example", login_of(other))
    assert refused.status == 403
    assert f"{other.name} may not read {stage}: its owner {dev.name}, root, or who" in refused.said
    assert not other.projects(stage).done
    assert root.projects(stage).done
    assert dev.change_index(stage, f"acl_read+={other.name}").done
    assert installer.page(stage, "example", login_of(other)).status == 200


def test_a_mirror_is_read_by_everyone(
    site: Site, upstream: LocalUpstream, somebody: Person, installer: Installer
) -> None:
    project = site.unique("public")
    wheel = make_wheel(project)
    upstream.add(wheel)
    assert installer.download("root/pypi", project, wheel.filename) == wheel.content
    assert somebody.files("root/pypi", project).done


def test_a_base_that_may_not_be_read_closes_the_index_and_is_named(
    dev: Person, other: Person, stage: str, make_index: MakeIndex, installer: Installer
) -> None:
    heir = make_index(other, bases=f"{stage},root/pypi")
    assert installer.page(heir, "example", login_of(other)).status == 200
    assert dev.change_index(stage, f"acl_read={dev.name}").done
    refused = installer.page(heir, "example", login_of(other))
    assert refused.status == 403
    assert stage in refused.said
    assert "example-1.0" not in refused.said
    shown = other.projects(heir)
    assert not shown.done
    assert stage in shown.message


def test_no_index_is_built_on_one_that_may_not_be_read(
    site: Site, dev: Person, other: Person, stage: str
) -> None:
    assert dev.change_index(stage, f"acl_read={dev.name}").done
    refused = other.create_index(f"{other.name}/{site.unique('index')}", bases=stage)
    assert not refused.done
    assert stage in refused.message


def test_a_project_that_nobody_has_does_not_exist_for_readers(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert installer.page(stage, "no-such-project", login_of(dev)).status == 404
    refused = dev.files(stage, "no-such-project")
    assert not refused.done
    assert "There is no project no-such-project" in refused.message


def test_a_wrong_password_is_never_an_empty_page(
    dev: Person, stage: str, installer: Installer
) -> None:
    assert dev.change_index(stage, "acl_read=:ANONYMOUS:").done
    assert installer.page(stage, "example", (dev.name, "not the password")).status == 401
    assert installer.page("root/pypi", "example", (dev.name, "not the password")).status == 401


def test_an_installer_gets_a_login_that_only_reads_one_index(
    dev: Person, stage: str, make_index: MakeIndex, installer: Installer, somebody: Person
) -> None:
    outcome = dev.installer_login(stage)
    assert outcome.done, outcome.message
    user, token = outcome.data
    assert user == dev.name
    assert installer.download(stage, "example", "example-1.0-py3-none-any.whl", outcome.data)
    elsewhere = installer.page(make_index(dev), "example", outcome.data)
    assert elsewhere.status == 403
    assert f"the token in use is limited to {stage}" in elsewhere.said
    assert not somebody.login(user, token).done
    assert installer.upload(stage, make_wheel("example", "2.0"), outcome.data) == 403
    assert dev.files(stage, "example").data[0].version == "1.0"


def test_a_new_password_ends_the_logins_of_installers(
    site: Site, driver: str, make_index: MakeIndex, installer: Installer
) -> None:
    ada = site.hire(driver)
    stage = make_index(ada)
    assert ada.upload(stage, make_wheel("example")).done
    login = ada.installer_login(stage).data
    assert installer.page(stage, "example", login).status == 200
    assert ada.change_user(ada.name, password="another password").done
    assert installer.page(stage, "example", login).status == 401
