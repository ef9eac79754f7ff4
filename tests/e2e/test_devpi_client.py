"""An unmodified devpi-client, because its users are to keep what they have."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.machine import Machine, Ran
from e2e.team import PASSWORD
from functional.http_driver import HttpDriver
from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.servers import ServerProcess


class Devpi:
    """Runs `devpi` on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __call__(self, *arguments: object, **how: object) -> Ran:
        return self._machine.run("devpi", *arguments, **how)

    def lines(self, *arguments: object, **how: object) -> list[str]:
        """The lines of standard output, without the space around them."""
        return [line.strip() for line in self(*arguments, **how).out.splitlines()]


@pytest.fixture
def devpi(machine: Machine, server: ServerProcess) -> Devpi:
    """The client of somebody who uses the server, and is not logged in."""
    command = Devpi(machine)
    command("use", server.url)
    return command


@pytest.fixture
def alice(server: ServerProcess, root: HttpDriver) -> Iterator[HttpDriver]:
    """The user alice with the indexes alice/dev, which inherits from root/pypi, and alice/prod."""
    assert root.create_user("alice", PASSWORD).done
    with closing(HttpDriver(server.url)) as person:
        assert person.login("alice", PASSWORD).done
        assert person.create_index("alice/dev", bases="root/pypi").done
        assert person.create_index("alice/prod", volatile="False").done
        yield person
        assert root.change_index("alice/prod", "volatile=True").done
        assert root.delete_user("alice").done


@pytest.fixture
def at_work(devpi: Devpi, alice: HttpDriver) -> Devpi:
    """The client of alice, who is logged in and uses alice/dev."""
    devpi("login", "alice", "--password", PASSWORD)
    devpi("use", "alice/dev")
    return devpi


WHEEL, SDIST = make_wheel("my.pkg", "1.0"), make_sdist("my.pkg", "1.0")
NEXT = make_wheel("my.pkg", "2.0")


@pytest.fixture
def uploaded(at_work: Devpi, tmp_path: Path) -> Devpi:
    """The client of alice, who has uploaded two releases of my.pkg."""
    at_work("upload", *(file.write_to(tmp_path) for file in (WHEEL, SDIST, NEXT)))
    return at_work


# Use and log in


def test_use_shows_the_server_and_its_indexes(devpi: Devpi, server: ServerProcess) -> None:
    assert f"using server: {server.url}/ (not logged in)" in devpi.lines("use")
    (line,) = devpi.lines("use", "-l")
    assert line.split() == ["root/pypi", "bases=", "volatile=True"]


def test_login_use_and_logoff(devpi: Devpi, alice: HttpDriver, server: ServerProcess) -> None:
    (said,) = devpi.lines("login", "alice", "--password", PASSWORD)
    assert said == "logged in 'alice', credentials valid for 10.00 hours"
    url = f"{server.url}/alice/dev"
    assert f"current devpi index: {url} (logged in as alice)" in devpi.lines("use", "alice/dev")
    shown = devpi.lines("use", "--urls")
    assert f"pypisubmit: {url}/" in shown
    assert f"login: {server.url}/+login" in shown
    assert devpi.lines("logoff") == ["login information deleted"]
    assert any("not logged in" in line for line in devpi.lines("use"))


def test_a_wrong_password_is_told(devpi: Devpi, alice: HttpDriver) -> None:
    for user in ("alice", "nobody"):
        ran = devpi("login", user, "--password", "wrong", status=1)
        assert "401 Unauthorized: Wrong user name, password or token" in ran.text


def test_an_unknown_index_is_told(at_work: Devpi) -> None:
    ran = at_work("use", "alice/nothing", status=1)
    assert "404 Not Found: There is no index alice/nothing." in ran.text


def test_the_version_of_the_server_is_shown(devpi: Devpi) -> None:
    assert any(line.startswith("stillroom-server ") for line in devpi.lines("--version"))


# Users


def test_users_are_created_shown_changed_and_deleted(
    devpi: Devpi, server: ServerProcess, root: HttpDriver
) -> None:
    devpi("login", "root", "--password", server.root_password)
    created = devpi.lines("user", "-c", "bob", f"password={PASSWORD}", "email=bob@example.com")
    assert created == ["user created: bob"]
    assert {"bob", "root"} <= set(devpi.lines("user", "-l"))
    assert "email=bob@example.com" in devpi.lines("user", "bob")
    assert "user modified: bob" in devpi.lines("user", "-m", "bob", "title=Bob B", "email=")
    fields = root.user("bob").data
    assert fields["title"] == "Bob B"
    assert "email" not in fields
    again = devpi("user", "-c", "bob", f"password={PASSWORD}", status=1)
    assert "409 Conflict: User bob exists already." in again.text
    assert "user deleted: bob" in devpi.lines("user", "-y", "--delete", "bob")
    assert "bob" not in devpi.lines("user", "-l")


def test_a_changed_password_asks_for_a_new_login(at_work: Devpi) -> None:
    changed = at_work.lines("user", "-m", "alice", "password=another-password")
    assert changed == ["/alice changing password: ********", "user modified: alice"]
    refused = at_work("list", status=1)
    assert "401 Unauthorized" in refused.text
    at_work("index", "alice/dev", status=1)
    at_work("login", "alice", "--password", "another-password")
    assert at_work.lines("list") == []


def test_only_root_creates_users(at_work: Devpi) -> None:
    refused = at_work("user", "-c", "carol", f"password={PASSWORD}", status=1)
    assert "403 Forbidden: Not allowed: only root creates users here." in refused.text


# Indexes


def test_indexes_are_created_listed_changed_and_deleted(at_work: Devpi) -> None:
    created = at_work.lines("index", "-c", "trial", "bases=alice/dev", "volatile=True")
    assert "type=stage" in created
    assert "bases=alice/dev" in created
    assert "volatile=True" in created
    assert "acl_upload=alice" in created
    assert at_work.lines("index", "-l") == ["alice/dev", "alice/prod", "alice/trial"]

    changed = at_work.lines(
        "index", "alice/trial", "title=Trial", "acl_upload+=bob", "mirror_whitelist+=six"
    )
    assert "title=Trial" in changed
    assert "acl_upload=alice,bob" in changed
    assert "mirror_whitelist=six" in changed
    changed = at_work.lines("index", "alice/trial", "acl_upload-=bob", "title-=")
    assert "acl_upload=alice" in changed
    assert "title=Trial" not in changed

    refused = at_work("index", "alice/trial", "colour=red", "bases-=", status=1)
    assert "400 Bad Request: colour: unknown option" in refused.text
    assert "bases: an option with a default cannot be removed" in refused.text

    at_work("index", "-y", "--delete", "alice/trial")
    assert at_work.lines("index", "-l") == ["alice/dev", "alice/prod"]


def test_a_non_volatile_index_is_not_deleted(at_work: Devpi) -> None:
    refused = at_work("index", "-y", "--delete", "alice/prod", status=1)
    assert "403 Forbidden: Index alice/prod is non-volatile" in refused.text


def test_all_missing_bases_are_named(at_work: Devpi) -> None:
    refused = at_work("index", "-c", "trial", "bases=no/such,nor/this", status=1)
    assert "400 Bad Request" in refused.text
    assert "no/such does not exist" in refused.text
    assert "nor/this does not exist" in refused.text


# Upload and list


def test_files_are_uploaded_and_listed(uploaded: Devpi, server: ServerProcess) -> None:
    assert uploaded.lines("list") == ["my-pkg"]
    assert uploaded.lines("list", "-v") == ["my.pkg==2.0"]
    assert sorted(uploaded.lines("list", "-v", "--all")) == ["my.pkg==1.0", "my.pkg==2.0"]
    at = f"{server.url}/alice/dev/+f/my-pkg"
    files = [f"{at}/{file.sha256}/{file.filename}" for file in (NEXT, WHEEL, SDIST)]
    assert uploaded.lines("list", "my.pkg") == files
    assert uploaded.lines("list", "my.pkg==1.0") == files[1:]


def test_what_a_base_has_is_listed(
    at_work: Devpi, upstream: LocalUpstream, server: ServerProcess
) -> None:
    upstream.add(make_wheel("six", "1.0"))
    (file,) = at_work.lines("list", "six")
    assert file.startswith(f"{server.url}/root/pypi/+f/six/")


def test_an_upload_without_the_right_says_why(
    devpi: Devpi, alice: HttpDriver, dev: HttpDriver, server: ServerProcess, tmp_path: Path
) -> None:
    devpi("login", "dev", "--password", PASSWORD)
    devpi("use", "alice/dev")
    refused = devpi("upload", WHEEL.write_to(tmp_path), status=1)
    assert "403 FAIL" in refused.text
    assert "dev may not upload to alice/dev" in refused.text


def test_a_file_that_conflicts_says_why(at_work: Devpi, tmp_path: Path) -> None:
    at_work("upload", "--index", "alice/prod", WHEEL.write_to(tmp_path))
    at_work("upload", "--index", "alice/prod", WHEEL.write_to(tmp_path))
    changed = make_wheel("my.pkg", "1.0", summary="other bytes").write_to(tmp_path)
    refused = at_work("upload", "--index", "alice/prod", changed, status=1)
    assert "409 FAIL" in refused.text
    assert f"File already exists ('{WHEEL.filename}'" in refused.text


# Push and remove


def test_a_release_is_pushed(uploaded: Devpi, server: ServerProcess) -> None:
    rows = uploaded.lines("push", "my.pkg==1.0", "alice/prod")
    assert rows[0] == "200 register my.pkg 1.0 -> alice/prod"
    assert {row.rpartition("/")[2] for row in rows[1:]} == {WHEEL.filename, SDIST.filename}
    assert all(row.startswith("200 store_releasefile alice/prod/+f/") for row in rows[1:])
    assert len(uploaded.lines("list", "--index", "alice/prod", "my.pkg")) == 2


def test_a_public_release_is_pushed(at_work: Devpi, upstream: LocalUpstream) -> None:
    upstream.add(make_wheel("idna", "1.0"))
    rows = at_work.lines("push", "--index", "root/pypi", "idna==1.0", "alice/dev")
    assert rows[0] == "200 register idna 1.0 -> alice/dev"
    assert at_work.lines("list") == ["idna"]


def test_a_push_that_cannot_be_done_says_why(uploaded: Devpi) -> None:
    missing = uploaded("push", "my.pkg==9.9", "alice/prod", status=1)
    assert "404 Not Found: There is no release my-pkg 9.9 in alice/dev." in missing.text
    nowhere = uploaded("push", "my.pkg==1.0", "root/nothing", status=1)
    assert "404 Not Found: There is no index root/nothing." in nowhere.text


def test_files_releases_and_projects_are_removed(uploaded: Devpi) -> None:
    wheel = next(line for line in uploaded.lines("list", "my.pkg") if WHEEL.filename in line)
    uploaded("remove", "-y", wheel)
    assert [line.rpartition("/")[2] for line in uploaded.lines("list", "my.pkg")] == [
        NEXT.filename,
        SDIST.filename,
    ]
    uploaded("remove", "-y", "my.pkg==2.0")
    assert [line.rpartition("/")[2] for line in uploaded.lines("list", "my.pkg")] == [
        SDIST.filename
    ]
    uploaded("remove", "-y", "my.pkg")
    assert uploaded.lines("list") == []


def test_a_non_volatile_index_needs_force(uploaded: Devpi) -> None:
    uploaded("push", "my.pkg==1.0", "alice/prod")
    remove = ("remove", "-y", "--index", "alice/prod", "my.pkg==1.0")
    refused = uploaded(*remove, status=1)
    assert "403 Forbidden: Index alice/prod is non-volatile" in refused.text
    uploaded(*remove, "-f")
    assert uploaded.lines("list", "--index", "alice/prod", "my.pkg") == []


# JSON, and pip


def test_the_json_of_everything_is_shown(uploaded: Devpi) -> None:
    def shown(path: str) -> dict[str, object]:
        return json.loads(uploaded("getjson", path).out)

    assert shown("/")["type"] == "list:userconfig"
    assert shown("/alice")["type"] == "userconfig"
    assert shown("/alice/dev")["result"]["projects"] == ["my-pkg"]
    assert set(shown("/alice/dev/my.pkg")["result"]) == {"1.0", "2.0"}
    assert shown("/alice/dev/my.pkg/1.0")["result"]["version"] == "1.0"


def test_json_is_patched(at_work: Devpi, alice: HttpDriver, tmp_path: Path) -> None:
    patch = tmp_path / "patch.json"
    patch.write_text('{"title": "Patched"}')
    at_work("patchjson", "/alice/dev", patch)
    assert alice.index("alice/dev").data["title"] == "Patched"


def test_devpi_installs_with_its_login(uploaded: Devpi, machine: Machine) -> None:
    environment = machine.venv(with_pip=True)
    uploaded("install", "--venv", environment.folder, "my.pkg==1.0")
    assert environment.version("my_pkg") == "1.0"
