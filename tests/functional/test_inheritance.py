"""What an index shows of those that it inherits from, and what it hides."""

import pytest

from functional.installer import Installer
from functional.site import MakeIndex, Site
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_wheel

OPEN = ":ANONYMOUS:"


@pytest.fixture
def base(dev: Person, make_index: MakeIndex) -> str:
    """An index of dev's on top of the mirror."""
    return make_index(dev, bases="root/pypi", acl_read=OPEN)


@pytest.fixture
def sandbox(dev: Person, make_index: MakeIndex, base: str) -> str:
    """An index of dev's on top of the base."""
    return make_index(dev, bases=base, acl_read=OPEN)


@pytest.fixture
def project(site: Site) -> str:
    """A name that no other test uses."""
    return site.unique("project")


@pytest.fixture
def public(project: str, upstream: LocalUpstream) -> Distribution:
    """A release of the public project of that name."""
    wheel = make_wheel(project, "9.0")
    upstream.add(wheel)
    return wheel


def test_an_index_shows_what_its_bases_hold(
    dev: Person, base: str, sandbox: str, project: str, installer: Installer
) -> None:
    low, high = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    assert dev.upload(base, low).done
    assert dev.upload(sandbox, high).done
    assert installer.page(sandbox, project).names == {low.filename, high.filename}
    assert installer.page(base, project).names == {low.filename}
    holders = {file.filename: file.index for file in dev.files(sandbox, project).data}
    assert holders == {high.filename: sandbox, low.filename: base}


def test_an_index_lists_its_own_projects_only(
    dev: Person, base: str, sandbox: str, project: str
) -> None:
    assert dev.upload(base, make_wheel(project)).done
    assert dev.projects(base).data == [project]
    assert dev.projects(sandbox).data == []


def test_what_only_the_mirror_has_is_shown(
    dev: Person, sandbox: str, project: str, public: Distribution, installer: Installer
) -> None:
    assert installer.download(sandbox, project, public.filename) == public.content
    assert [file.index for file in dev.files(sandbox, project).data] == ["root/pypi"]


def test_of_one_name_the_nearest_file_wins(
    dev: Person, base: str, sandbox: str, project: str, installer: Installer
) -> None:
    near, far = make_wheel(project, summary="near"), make_wheel(project, summary="far")
    assert dev.upload(base, far).done
    assert installer.download(sandbox, project, near.filename) == far.content
    assert dev.upload(sandbox, near).done
    assert installer.download(sandbox, project, near.filename) == near.content
    assert installer.download(base, project, near.filename) == far.content


def test_bases_are_asked_in_their_order(
    dev: Person, base: str, project: str, make_index: MakeIndex, installer: Installer
) -> None:
    second = make_index(dev, acl_read=OPEN)
    first_wheel, second_wheel = (make_wheel(project, summary=word) for word in ("a", "b"))
    assert dev.upload(base, first_wheel).done
    assert dev.upload(second, second_wheel).done
    heir = make_index(dev, bases=f"{second},{base}", acl_read=OPEN)
    assert installer.download(heir, project, first_wheel.filename) == second_wheel.content
    assert dev.change_index(heir, f"bases={base},{second}").done
    assert installer.download(heir, project, first_wheel.filename) == first_wheel.content


def test_an_own_project_hides_the_public_one_of_its_name(
    dev: Person,
    base: str,
    sandbox: str,
    project: str,
    public: Distribution,
    installer: Installer,
) -> None:
    assert installer.page(sandbox, project).names == {public.filename}
    own = make_wheel(project, "1.0")
    assert dev.upload(base, own).done
    assert installer.page(sandbox, project).names == {own.filename}
    assert installer.page(base, project).names == {own.filename}
    assert installer.page("root/pypi", project).names == {public.filename}
    assert [file.index for file in dev.files(sandbox, project).data] == [base]


def test_the_whitelist_opens_the_mirror_for_a_project(
    dev: Person, sandbox: str, project: str, public: Distribution, installer: Installer
) -> None:
    own = make_wheel(project, "1.0")
    assert dev.upload(sandbox, own).done
    assert dev.change_index(sandbox, f"mirror_whitelist+={project}").done
    assert installer.page(sandbox, project).names == {own.filename, public.filename}


def test_losing_its_last_file_does_not_open_the_mirror(
    dev: Person, sandbox: str, project: str, public: Distribution, installer: Installer
) -> None:
    assert dev.upload(sandbox, make_wheel(project, "1.0")).done
    assert dev.remove(sandbox, project, "1.0").done
    page = installer.page(sandbox, project)
    assert page.status == 200
    assert page.names == set()
    assert dev.remove(sandbox, project).done
    assert installer.page(sandbox, project).names == {public.filename}


def test_a_reserved_name_is_never_asked_upstream(
    dev: Person,
    base: str,
    sandbox: str,
    project: str,
    public: Distribution,
    upstream: LocalUpstream,
    installer: Installer,
) -> None:
    assert dev.change_index(base, f"reserved={project.split('-', maxsplit=1)[0]}-*").done
    asked = len(upstream.paths)
    page = installer.page(sandbox, project)
    assert page.status == 200
    assert page.names == set()
    assert upstream.paths[asked:] == []
    own = make_wheel(project, "1.0")
    assert dev.upload(sandbox, own).done
    assert installer.page(sandbox, project).names == {own.filename}


def test_a_new_base_is_seen_at_once(
    dev: Person, project: str, public: Distribution, make_index: MakeIndex, installer: Installer
) -> None:
    alone = make_index(dev, acl_read=OPEN)
    assert installer.page(alone, project).status == 404
    assert dev.change_index(alone, "bases=root/pypi").done
    assert installer.page(alone, project).names == {public.filename}
    assert dev.change_index(alone, "bases=").done
    assert installer.page(alone, project).status == 404
