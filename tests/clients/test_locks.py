"""Locking, and installing from the lock."""

import tomllib
from pathlib import Path

from clients.drivers import Locker, Pdm, Poetry, Uv, for_clients, in_project
from clients.home import Home
from clients.world import Source, World
from support.distributions import make_sdist, make_wheel
from support.front import Front


def bodies(front: Front) -> list[str]:
    """The names of the files that were asked for, without their metadata."""
    asked = [request.filename for request in front.passed("*/+f/*")]
    return [name for name in asked if not name.endswith(".metadata")]


@for_clients(Uv)
def test_uv_locks(client: Uv, world: World, sandbox: Source) -> None:
    """Locks with URL, hash, size and upload time of each file; again, the lock is the same."""
    public = world.new_name("public")
    wheel = make_wheel(public)
    world.upstream.add(wheel, upload_time="2024-01-02T03:04:05.678Z")
    private = world.uploaded(requires_dist=[public])
    folder = client.project(sandbox, private)
    client.run("lock", folder=folder)
    lock = (folder / "uv.lock").read_text()
    locked = {package["name"]: package for package in tomllib.loads(lock)["package"]}
    (file,) = locked[public]["wheels"]
    assert file["url"].startswith(f"{sandbox.uploads}+f/{public}/{wheel.sha256}/")
    assert file["hash"] == f"sha256:{wheel.sha256}"
    assert file["size"] == len(wheel.content)
    assert file["upload-time"] == "2024-01-02T03:04:05.678Z"
    assert locked[private]["wheels"][0]["upload-time"]

    client.run("lock", "--upgrade", "--refresh", folder=folder)
    assert (folder / "uv.lock").read_text() == lock
    client.run("lock", "--check", folder=folder)


@for_clients(Uv)
def test_uv_syncs_from_the_lock(client: Uv, world: World, watched: Source, front: Front) -> None:
    """Syncs from the lock, and asks for nothing but the files."""
    public = world.mirrored()
    private = world.uploaded(make_sdist, requires_dist=[public])
    folder = client.project(watched, private)
    client.run("lock", folder=folder)
    client.run("cache", "clean")
    front.forget()
    client.run("sync", "--frozen", folder=folder)
    assert sorted(bodies(front)) == [f"{private}-1.0.tar.gz", f"{public}-3.0-py3-none-any.whl"]
    assert len(front.requests) == 2
    assert in_project(folder).version(private) == "1.0"
    assert in_project(folder).version(public) == "3.0"


@for_clients(Uv)
def test_uv_locks_as_of_a_day(client: Uv, world: World, sandbox: Source) -> None:
    """Goes back in time by upload times, with `exclude-newer`."""
    public = world.new_name("public")
    for version, uploaded in (("1.0", "2023-05-01T00:00:00Z"), ("2.0", "2025-05-01T00:00:00Z")):
        world.upstream.add(make_wheel(public, version), upload_time=uploaded)
    settings = '\n[tool.uv]\nexclude-newer = "2024-01-01T00:00:00Z"\n'
    folder = client.project(sandbox, public, more=settings)
    client.run("sync", folder=folder)
    assert in_project(folder).version(public) == "1.0"


@for_clients(Poetry)
def test_poetry_locks(client: Poetry, world: World, watched: Source, front: Front) -> None:
    """Locks by pages and metadata alone, without a single file; again, the lock is the same."""
    public = world.mirrored()
    wheel = world.uploaded(requires_dist=[public])
    sdist = world.uploaded(make_sdist, requires_dist=[public])
    folder = client.project(watched)
    client.lock(folder, wheel, sdist)
    assert front.passed(f"*/{public}-3.0-py3-none-any.whl.metadata")
    assert bodies(front) == []
    lock = (folder / "poetry.lock").read_text()
    client.run("lock", "--regenerate", "--no-cache", "--no-interaction", folder=folder)
    assert (folder / "poetry.lock").read_text() == lock
    assert bodies(front) == []


@for_clients(Poetry, Pdm)
def test_a_lock_is_installed_elsewhere(
    client: Locker, world: World, sandbox: Source, tmp_path: Path
) -> None:
    """Installs from the lock on another machine."""
    public = world.mirrored()
    private = world.uploaded(requires_dist=[public])
    locked = client.project(sandbox)
    client.lock(locked, private)

    other = type(client)(Home(tmp_path / "elsewhere"))
    folder = other.project(sandbox)
    for name in ("pyproject.toml", client.lock_file):
        (folder / name).write_bytes((locked / name).read_bytes())
    other.install_lock(folder)
    assert in_project(folder).version(private) == "1.0"
    assert in_project(folder).version(public) == "3.0"
