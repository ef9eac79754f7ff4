"""A job of a CI on loopback publishes and installs with the command line, and holds no secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.machine import Machine
from e2e.team import MakeIndex
from functional.http_driver import HttpDriver
from support.distributions import make_wheel
from support.issuer import SUBJECT, Issuer
from support.servers import ServerProcess


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


def machine(home: Path, server: ServerProcess, **environment: str) -> Machine:
    return Machine(home, STILLROOM_URL=server.url, **environment)


def test_a_job_gets_a_token_uploads_and_installs(
    tmp_path: Path,
    server: ServerProcess,
    root: HttpDriver,
    dev: HttpDriver,
    make_index: MakeIndex,
    issuer: Issuer,
) -> None:
    index = make_index()
    administrator = machine(tmp_path / "root", server)
    password = server.root_password
    administrator.run("stillroom", "login", "root", "--password-stdin", typed=f"{password}\n")
    administrator.run("stillroom", "issuer", "add", issuer.url)
    where = ("publisher", "add", index, "--issuer", issuer.url, "--claim", f"sub={SUBJECT}")
    rights = ("--allow", "upload", "--allow", "read", "--user", "dev")
    publisher = administrator.run("stillroom", *where, *rights).out.strip()

    job = machine(tmp_path / "job", server, **issuer.job_environment())
    minted = job.run("stillroom", "token", "mint").out.strip()
    job.environment["STILLROOM_TOKEN"] = minted
    wheel = make_wheel("jobs-wheel", "1.0")
    wheel.write_to(tmp_path / "job")
    job.run("stillroom", "upload", "--index", index, wheel.filename, folder=tmp_path / "job")
    environment = job.venv()
    url = f"{server.url}/{index}/simple/".replace("://", f"://__token__:{minted}@")
    environment.uv("install", "--default-index", url, "jobs-wheel")
    assert environment.version("jobs_wheel") == "1.0"

    administrator.run("stillroom", "publisher", "remove", index, publisher)
    late = job.run("stillroom", "list", "--index", index, status=None)
    assert "401" in late.err or "expired or revoked" in late.err
    assert minted not in server.log.read_text()
