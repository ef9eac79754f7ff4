"""From a new user to an installation: the whole of it, also with the command as a process."""

import pytest

from functional.installer import Installer
from functional.site import Site, password_of
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel


@pytest.mark.parametrize("driver", ["http", "command-line", "process"], indirect=True)
def test_a_team_starts_to_work(
    site: Site, root: Person, somebody: Person, upstream: LocalUpstream, installer: Installer
) -> None:
    project = site.unique("public")
    public = make_wheel(project)
    upstream.add(public)
    ada = site.unique("ada")
    assert root.create_user(ada, password_of(ada)).done
    assert somebody.login(ada, password_of(ada)).done
    assert somebody.whoami().data == ada

    base, sandbox = f"{ada}/base", f"{ada}/sandbox"
    assert somebody.create_index(base, bases="root/pypi").done
    assert somebody.create_index(sandbox, bases=base).done
    uploaded = somebody.upload(sandbox, make_sdist(), make_wheel())
    assert uploaded.done, uploaded.message
    assert somebody.projects(sandbox).data == ["example"]

    login = somebody.installer_login(sandbox).data
    assert installer.download(sandbox, "example", make_wheel().filename, login)
    assert installer.download(sandbox, project, public.filename, login) == public.content

    assert somebody.push(sandbox, "example", "1.0", base).done
    assert somebody.yank(base, "example", "1.0", reason="too early").done
    assert somebody.remove(sandbox, "example").done
    page = installer.page(sandbox, "example", login)
    assert {row["yanked"] for row in page.files.values()} == {"too early"}

    assert somebody.logout().done
    assert not somebody.projects(sandbox).done
