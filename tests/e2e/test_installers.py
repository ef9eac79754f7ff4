"""pip and uv, as they install from a Stillroom."""

import itertools
import time
import tomllib
from pathlib import Path

import pytest

from e2e.machine import Machine, VirtualEnvironment, page_url
from e2e.team import PASSWORD, MakeIndex
from functional.http_driver import HttpDriver
from stillroom_server.services.downloads import COOLDOWN_SECONDS
from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_sdist, make_wheel
from support.servers import ServerProcess

LOGIN = ("dev", PASSWORD)

both_tools = pytest.mark.parametrize("tool", ["pip", "uv"])

_numbers = itertools.count(1)


@pytest.fixture
def public() -> str:
    """The name of a public project that no other test uses."""
    return f"public{next(_numbers)}"


@pytest.fixture
def private_page(server: ServerProcess, dev: HttpDriver, make_index: MakeIndex) -> str:
    """The page of an index for who is logged in, without a login; it holds `example` 1.0."""
    index = make_index()
    assert dev.upload(index, make_wheel()).done
    return page_url(server.url, index)


@pytest.fixture
def stage(make_index: MakeIndex) -> str:
    """An index that everyone may read, on top of the mirror."""
    return make_index(bases="root/pypi", acl_read=":ANONYMOUS:")


@pytest.fixture
def stage_page(server: ServerProcess, stage: str) -> str:
    """The page of that index."""
    return page_url(server.url, stage)


@pytest.fixture
def mirror_page(server: ServerProcess) -> str:
    """The page of the mirror."""
    return page_url(server.url, "root/pypi")


def with_login(page: str, user: str, password: str) -> str:
    return page.replace("://", f"://{user}:{password}@")


def asked_for(upstream: LocalUpstream) -> list[str]:
    """The names of the files that were fetched from the upstream, `.metadata` among them."""
    return [path.rpartition("/")[2] for path in upstream.paths]


# Logins


@both_tools
def test_a_private_index_installs_with_a_login_in_the_url(
    environment: VirtualEnvironment, private_page: str, tool: str
) -> None:
    environment.install(tool, "--index-url", with_login(private_page, *LOGIN), "example")
    assert environment.version("example") == "1.0"


@both_tools
def test_a_private_index_installs_with_a_login_from_netrc(
    machine: Machine, environment: VirtualEnvironment, private_page: str, tool: str
) -> None:
    netrc = machine.home / ".netrc"
    netrc.touch(0o600)
    netrc.write_text(f"machine localhost login dev password {PASSWORD}\n")
    environment.install(tool, "--index-url", private_page, "example")
    assert environment.version("example") == "1.0"


@both_tools
def test_a_private_index_installs_with_a_token(
    environment: VirtualEnvironment, dev: HttpDriver, private_page: str, tool: str
) -> None:
    index = "/".join(private_page.split("/")[3:5])
    _user, token = dev.installer_login(index).data
    environment.install(
        tool, "--index-url", with_login(private_page, "__token__", token), "example"
    )
    assert environment.version("example") == "1.0"


@both_tools
@pytest.mark.parametrize("login", [None, ("dev", "wrong"), ("nobody", "wrong")])
def test_a_private_index_installs_nothing_without_the_right_login(
    environment: VirtualEnvironment, private_page: str, tool: str, login: tuple[str, str] | None
) -> None:
    page = with_login(private_page, *login) if login else private_page
    ran = environment.install(tool, "--index-url", page, "example", status=None)
    # pip tells the reason only to who asks for every detail.
    assert {"pip": "No matching distribution found", "uv": "401"}[tool] in ran.text
    assert environment.version("example") is None


# What is chosen


@both_tools
def test_a_dependency_comes_from_the_mirror(
    environment: VirtualEnvironment,
    upstream: LocalUpstream,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    public: str,
    tool: str,
) -> None:
    upstream.add(make_wheel(public, "3.0"))
    assert dev.upload(stage, make_wheel(requires_dist=[public])).done
    environment.install(tool, "--index-url", stage_page, "example")
    assert environment.version("example") == "1.0"
    assert environment.version(public) == "3.0"


@both_tools
def test_a_public_project_never_takes_the_place_of_a_private_one(
    environment: VirtualEnvironment,
    upstream: LocalUpstream,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    public: str,
    tool: str,
) -> None:
    upstream.add(make_wheel(public, "99.0"))
    assert dev.upload(stage, make_wheel(public, "1.0")).done
    environment.install(tool, "--index-url", stage_page, public)
    assert environment.version(public) == "1.0"
    assert f"/simple/{public}/" not in upstream.paths


@both_tools
def test_a_yanked_release_is_skipped_unless_it_is_pinned(
    environment: VirtualEnvironment,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    tool: str,
) -> None:
    assert dev.upload(stage, make_wheel(version="1.0"), make_wheel(version="2.0")).done
    assert dev.yank(stage, "example", "2.0", reason="it deletes too much").done
    environment.install(tool, "--index-url", stage_page, "example")
    assert environment.version("example") == "1.0"
    ran = environment.install(tool, "--index-url", stage_page, "example==2.0")
    assert environment.version("example") == "2.0"
    assert "it deletes too much" in ran.text


@both_tools
def test_a_release_for_other_pythons_is_skipped(
    environment: VirtualEnvironment,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    tool: str,
) -> None:
    for_all, for_none = make_wheel(version="1.0"), make_wheel(version="2.0", requires_python=">=9")
    assert dev.upload(stage, for_all, for_none).done
    environment.install(tool, "--index-url", stage_page, "example")
    assert environment.version("example") == "1.0"


@both_tools
def test_a_local_version_is_installed_from_a_stage_and_from_a_mirror(
    machine: Machine,
    upstream: LocalUpstream,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    public: str,
    tool: str,
) -> None:
    upstream.add(make_wheel(public, "1.0+cu121"))
    assert dev.upload(stage, make_wheel("example", "1.0+cu121")).done
    environment = machine.venv()
    environment.install(tool, "--index-url", stage_page, "example==1.0+cu121", public)
    assert environment.version("example") == "1.0+cu121"
    assert environment.version(public) == "1.0+cu121"


@both_tools
def test_an_sdist_is_built_and_installed(
    environment: VirtualEnvironment,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    tool: str,
) -> None:
    assert dev.upload(stage, make_sdist()).done
    environment.install(tool, "--index-url", stage_page, "example")
    assert environment.version("example") == "1.0"


@both_tools
def test_a_fresh_upload_is_installed_at_once(
    environment: VirtualEnvironment,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    tool: str,
) -> None:
    assert dev.upload(stage, make_wheel(version="1.0")).done
    environment.install(tool, "--index-url", stage_page, "example")
    assert dev.upload(stage, make_wheel(version="1.1")).done
    environment.install(tool, "--index-url", stage_page, "--upgrade", "example")
    assert environment.version("example") == "1.1"


def test_uv_goes_back_in_time_by_upload_times(
    environment: VirtualEnvironment, upstream: LocalUpstream, mirror_page: str, public: str
) -> None:
    upstream.add(make_wheel(public, "1.0"), upload_time="2023-05-01T00:00:00Z")
    upstream.add(make_wheel(public, "2.0"), upload_time="2025-05-01T00:00:00Z")
    environment.uv(
        "install", "--index-url", mirror_page, "--exclude-newer", "2024-01-01T00:00:00Z", public
    )
    assert environment.version(public) == "1.0"


# Digests


@pytest.fixture
def pinned(dev: HttpDriver, stage: str, tmp_path: Path) -> Path:
    """Requirements with the digest of `example` 1.0, which the stage holds."""
    wheel = make_wheel()
    assert dev.upload(stage, wheel).done
    file = tmp_path / "requirements.txt"
    file.write_text(f"example==1.0 --hash=sha256:{wheel.sha256}\n")
    return file


@both_tools
def test_pinned_digests_are_met(
    environment: VirtualEnvironment, stage_page: str, pinned: Path, tool: str
) -> None:
    environment.install(tool, "--index-url", stage_page, "--require-hashes", "-r", pinned)
    assert environment.version("example") == "1.0"


@both_tools
def test_a_file_that_was_replaced_does_not_meet_its_pinned_digest(
    environment: VirtualEnvironment,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    pinned: Path,
    tool: str,
) -> None:
    assert dev.upload(stage, make_wheel(summary="other bytes")).done
    environment.install(
        tool, "--index-url", stage_page, "--require-hashes", "-r", pinned, status=None
    )
    assert environment.version("example") is None


@both_tools
def test_a_file_that_the_upstream_corrupts_is_neither_installed_nor_kept(
    environment: VirtualEnvironment,
    upstream: LocalUpstream,
    mirror_page: str,
    public: str,
    tool: str,
) -> None:
    wheel = make_wheel(public, "1.0")
    upstream.add(wheel)
    evil = make_wheel(public, "1.0", summary="not what is listed")
    upstream.fault(f"/files/{wheel.sha256}/{wheel.filename}", body=evil.content)
    environment.machine.environment["UV_HTTP_RETRIES"] = "0"
    environment.install(tool, "--index-url", mirror_page, public, status=None)
    assert environment.version(public) is None
    upstream.heal()
    time.sleep(COOLDOWN_SECONDS)  # until then, the file is not fetched again
    environment.install(tool, "--index-url", mirror_page, public)
    assert environment.version(public) == "1.0"


# What is asked for


@pytest.fixture
def choosy(upstream: LocalUpstream, public: str) -> list[Distribution]:
    """Three public releases, newest first, of which only the last can be installed."""
    missing = [f"{public}-lib==9.0"]
    releases = [
        make_wheel(public, "3.0", requires_dist=missing),
        make_wheel(public, "2.0", requires_dist=missing),
        make_wheel(public, "1.0"),
    ]
    for wheel in (*releases, make_wheel(f"{public}-lib", "1.0")):
        upstream.add(wheel)
    return releases


def test_pip_decides_by_metadata_alone(
    environment: VirtualEnvironment,
    upstream: LocalUpstream,
    mirror_page: str,
    public: str,
    choosy: list[Distribution],
) -> None:
    ran = environment.pip("install", "--dry-run", "--index-url", mirror_page, public)
    assert f"Would install {public}-1.0" in ran.out
    asked = asked_for(upstream)
    for rejected in choosy[:2]:
        assert asked.count(f"{rejected.filename}.metadata") == 1
        assert rejected.filename not in asked


def test_uv_decides_by_metadata_alone(
    machine: Machine,
    upstream: LocalUpstream,
    mirror_page: str,
    public: str,
    choosy: list[Distribution],
) -> None:
    wanted = machine.home / "requirements.in"
    wanted.write_text(f"{public}\n")
    ran = machine.run("uv", "pip", "compile", "--index-url", mirror_page, wanted)
    assert f"{public}==1.0" in ran.out
    asked = asked_for(upstream)
    assert asked.count(f"{choosy[0].filename}.metadata") == 1
    # A HEAD or Range request for a file would have made the mirror fetch it.
    assert not {wheel.filename for wheel in choosy} & set(asked)


@both_tools
def test_a_file_is_fetched_from_the_upstream_once_for_all(
    machine: Machine, upstream: LocalUpstream, mirror_page: str, public: str, tool: str
) -> None:
    wheel = make_wheel(public, "1.0")
    upstream.add(wheel)
    for number in range(2):
        environment = Machine(machine.home / str(number)).venv()
        environment.install(tool, "--index-url", mirror_page, public)
        assert environment.version(public) == "1.0"
    asked = asked_for(upstream)
    assert asked.count(wheel.filename) == 1
    assert asked.count(f"{wheel.filename}.metadata") <= 1


@both_tools
def test_a_project_that_nobody_has_is_not_found(
    environment: VirtualEnvironment, stage_page: str, tool: str
) -> None:
    ran = environment.install(tool, "--index-url", stage_page, "nobody-has-this", status=None)
    assert "nobody-has-this" in ran.text


# Other commands


def test_pip_downloads(
    environment: VirtualEnvironment, dev: HttpDriver, stage: str, stage_page: str, tmp_path: Path
) -> None:
    wheel, sdist = make_wheel(), make_sdist("source")
    assert dev.upload(stage, wheel, sdist).done
    target = tmp_path / "downloaded"
    environment.pip("download", "--index-url", stage_page, "-d", target, "example", "source")
    for distribution in (wheel, sdist):
        assert (target / distribution.filename).read_bytes() == distribution.content


def test_pip_lists_the_versions_of_an_index(
    environment: VirtualEnvironment, dev: HttpDriver, stage: str, stage_page: str
) -> None:
    assert dev.upload(stage, *(make_wheel(version=v) for v in ("1.0", "1.10", "1.9"))).done
    ran = environment.pip("index", "versions", "--index-url", stage_page, "example")
    assert "Available versions: 1.10, 1.9, 1.0" in ran.text


def test_uv_locks_and_syncs_a_project(
    machine: Machine,
    upstream: LocalUpstream,
    dev: HttpDriver,
    stage: str,
    stage_page: str,
    public: str,
) -> None:
    upstream.add(make_wheel(public, "1.0"))
    wheel = make_wheel(requires_dist=[public])
    assert dev.upload(stage, wheel).done
    folder = machine.home / "application"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f"""\
[project]
name = "application"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["example"]

[[tool.uv.index]]
url = "{stage_page}"
default = true
"""
    )
    machine.run("uv", "lock", folder=folder)
    lock = (folder / "uv.lock").read_text()
    locked = {package["name"]: package for package in tomllib.loads(lock)["package"]}
    (file,) = locked["example"]["wheels"]
    assert file["hash"] == f"sha256:{wheel.sha256}"
    assert file["size"] == len(wheel.content)
    assert file["url"].startswith(stage_page.removesuffix("simple/"))
    assert public in locked

    machine.run("uv", "sync", "--locked", folder=folder)
    synced = VirtualEnvironment(folder / ".venv", machine)
    assert synced.version("example") == "1.0"
    assert synced.version(public) == "1.0"
    machine.run("uv", "lock", "--upgrade", folder=folder)
    assert (folder / "uv.lock").read_text() == lock
