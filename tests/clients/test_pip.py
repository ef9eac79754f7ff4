"""What pip does beside installing."""

import json
from pathlib import Path

from clients.drivers import OldestPip, Pip, for_clients
from clients.world import Source, World
from support.distributions import make_wheel

NEWEST_FIRST = ["1.10", "1.9", "1.0"]


@for_clients(Pip, OldestPip)
def test_hashes_are_required(client: Pip, world: World, sandbox: Source, tmp_path: Path) -> None:
    """Installs with `--require-hashes`, from the index and from the mirror."""
    public, private = world.new_name("public"), world.new_name("private")
    mirrored, uploaded = make_wheel(public), make_wheel(private, requires_dist=[public])
    world.upstream.add(mirrored)
    world.upload(uploaded)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        f"{private}==1.0 --hash=sha256:{uploaded.sha256}\n"
        f"{public}==1.0 --hash=sha256:{mirrored.sha256}\n"
    )
    installed = client.install(sandbox, "--require-hashes", "-r", requirements)
    assert installed.version(private) == installed.version(public) == "1.0"


@for_clients(Pip, OldestPip)
def test_a_wrong_hash_is_refused(
    client: Pip, world: World, sandbox: Source, tmp_path: Path
) -> None:
    """Refuses a file whose hash is not the required one."""
    private = world.uploaded()
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{private}==1.0 --hash=sha256:{make_wheel().sha256}\n")
    installed = client.install(sandbox, "--require-hashes", "-r", requirements, status=None)
    assert "DO NOT MATCH THE HASHES" in installed.ran.text
    assert installed.version(private) is None


@for_clients(Pip, OldestPip)
def test_files_are_downloaded(client: Pip, world: World, sandbox: Source, tmp_path: Path) -> None:
    """Downloads a wheel, and an sdist that the mirror has, with `pip download`."""
    private, public = world.new_name("private"), world.new_name("public")
    wheel, sdist = make_wheel(private), client.make_sdist(public, "1.0")
    world.upload(wheel)
    world.upstream.add(sdist)
    index = ("--index-url", sandbox.page_with_login)
    client.pip(client.home.venv(), "download", *index, "--dest", tmp_path, private, public)
    assert (tmp_path / wheel.filename).read_bytes() == wheel.content
    assert (tmp_path / sdist.filename).read_bytes() == sdist.content


@for_clients(Pip)
def test_versions_are_listed(client: Pip, world: World, sandbox: Source) -> None:
    """Lists the versions of a project, with `pip index versions` and with `--json`."""
    private = world.new_name("private")
    world.upload(*(make_wheel(private, version) for version in ("1.0", "1.10", "1.9")))
    asked = ("index", "versions", "--index-url", sandbox.page_with_login, private)
    ran = client.pip(client.home.venv(), *asked)
    assert f"Available versions: {', '.join(NEWEST_FIRST)}" in ran.text
    listed = json.loads(client.pip(client.home.venv(), *asked, "--json").out)
    assert listed["versions"] == NEWEST_FIRST
    assert listed["latest"] == "1.10"


@for_clients(Pip)
def test_what_was_uploaded_later_is_passed_over(
    client: Pip, world: World, sandbox: Source
) -> None:
    """Goes back in time by upload times, with `--uploaded-prior-to`."""
    public = world.new_name("public")
    for version, uploaded in (("1.0", "2023-05-01T00:00:00Z"), ("2.0", "2025-05-01T00:00:00Z")):
        world.upstream.add(make_wheel(public, version), upload_time=uploaded)
    private = world.uploaded()
    before = ("--uploaded-prior-to", "2024-01-01")
    assert client.install(sandbox, *before, public).version(public) == "1.0"
    refused = client.install(sandbox, *before, private, status=None)
    assert "No matching distribution found" in refused.ran.text
