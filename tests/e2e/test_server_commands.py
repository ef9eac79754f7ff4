"""`stillroom-server` as administrators run it, and what it says when it cannot start."""

import json
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from e2e.machine import Machine, Ran
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.servers import ServerProcess, free_port

UNUSED_UPSTREAM = "http://upstream.invalid/simple/"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def stopped(data: Path) -> ServerProcess:
    """A server that was set up, and does not run."""
    server = ServerProcess(data, public_index=UNUSED_UPSTREAM)
    with server:
        pass
    return server


def refused(machine: Machine, *arguments: object, status: int = 1) -> str:
    """Run a command that must be refused: nothing but one line, with the reason."""
    ran = machine.run("stillroom-server", *arguments, status=status)
    assert ran.out == ""
    (line,) = ran.err.splitlines()
    return line


def serve(data: Path, port: int | None = None) -> tuple[object, ...]:
    """The arguments that would start a server."""
    return "serve", "--data", data, "--port", port or free_port()


# Starts that fail


def test_a_taken_port_is_told(machine: Machine, data: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        line = refused(machine, *serve(data, port))
    assert line.startswith(f"stillroom-server: port: {port} is in use on 127.0.0.1")
    assert not (data / "initial-root-password").exists()


def test_a_data_folder_has_one_server(machine: Machine, data: Path) -> None:
    with ServerProcess(data, public_index=UNUSED_UPSTREAM) as running:
        line = refused(machine, *serve(data))
        assert f"data: {data} is used by another server" in line
        assert httpx.get(f"{running.url}/+live").status_code == 200


def test_a_data_folder_that_cannot_be_made_is_told(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(machine, *serve(tmp_path / "file" / "data"))
    assert line == f"stillroom-server: data: {tmp_path}/file/data cannot be made: Not a directory"


def test_a_database_of_a_newer_version_is_left_alone(
    machine: Machine, stopped: ServerProcess
) -> None:
    file = stopped.data / "stillroom.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    line = refused(machine, *serve(stopped.data))
    assert "9999" in line
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)


def test_a_file_that_is_no_database_is_told(machine: Machine, stopped: ServerProcess) -> None:
    (stopped.data / "stillroom.sqlite").write_bytes(b"these are notes, not a database\n" * 100)
    refused(machine, *serve(stopped.data))


def test_a_database_that_does_not_answer_is_told_without_its_password(
    machine: Machine, data: Path
) -> None:
    url = f"postgresql://stillroom:s3cret@127.0.0.1:{free_port()}/index"
    line = refused(machine, *serve(data), "--database", url)
    assert "the database is busy or cannot be reached" in line
    assert "s3cret" not in line


def test_a_missing_blob_store_is_told(machine: Machine, stopped: ServerProcess) -> None:
    (stopped.data / "files").rename(stopped.data / "elsewhere")
    line = refused(machine, *serve(stopped.data))
    assert "is not a blob store" in line


def test_every_wrong_setting_is_told_with_its_place(machine: Machine, data: Path) -> None:
    data.mkdir()
    (data / "stillroom.toml").write_text('colour = "red"\nthreads = "many"\n')
    line = refused(machine, *serve(data), "--max-file-size", "2 GB", status=2)
    assert f"{data}/stillroom.toml: unknown setting colour" in line
    assert f"threads (file {data}/stillroom.toml): it must be a whole number" in line
    assert "max_file_size (flag --max-file-size): it must be a whole number" in line


# Commands


def test_init_and_serve_make_one_server(machine: Machine, data: Path) -> None:
    made = machine.run(
        "stillroom-server", "init", "--data", data, "--public-index", UNUSED_UPSTREAM
    )
    password = (data / "initial-root-password").read_text().strip()
    assert f"root's password is {password}" in made.out
    again = machine.run("stillroom-server", "init", "--data", data)
    assert again.out == f"{data} is set up already.\n"
    with ServerProcess(data) as server:
        assert server.root_password == password
        server.login().close()


def test_passwd_works_while_the_server_runs_and_ends_all_tokens(
    machine: Machine, data: Path
) -> None:
    with ServerProcess(data, public_index=UNUSED_UPSTREAM) as server:
        with closing(server.login()) as before:
            assert before.get("/root").status_code == 200
            command = ("passwd", "root", "--password-stdin", "--data", data)
            changed = machine.run("stillroom-server", *command, typed="another password\n")
            assert "The password of root is changed" in changed.out
            assert before.get("/root").status_code == 401
        server.login("root", "another password").close()


def test_settings_say_where_they_come_from(machine: Machine, data: Path) -> None:
    data.mkdir()
    (data / "stillroom.toml").write_text("threads = 7\n")
    machine.environment["STILLROOM_PORT"] = "3999"
    command = ("settings", "--json", "--data", data, "--database", "postgresql://u:s3cret@h/n")
    ran: Ran = machine.run("stillroom-server", *command)
    settings = json.loads(ran.out)
    assert settings["port"] == {"value": "3999", "source": "environment STILLROOM_PORT"}
    assert settings["threads"] == {"value": "7", "source": f"file {data}/stillroom.toml"}
    assert settings["host"] == {"value": "127.0.0.1", "source": "default"}
    assert settings["database"] == {"value": "(hidden)", "source": "flag --database"}
    assert "s3cret" not in ran.text


def test_the_database_says_its_version(machine: Machine, stopped: ServerProcess) -> None:
    current = machine.run("stillroom-server", "db", "current", "--data", stopped.data)
    revision = current.out.partition(" ")[0]
    assert current.out == f"{revision} (this version needs {revision})\n"
    upgraded = machine.run("stillroom-server", "db", "upgrade", "--data", stopped.data)
    assert upgraded.out == f"The database is already at revision {revision}.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_server(data: Path, number: int) -> None:
    server = ServerProcess(data, public_index=UNUSED_UPSTREAM)
    with server, httpx.Client() as keeps_its_connection:
        assert keeps_its_connection.get(f"{server.url}/+live").status_code == 200
        assert server.stop(number) == 0


@pytest.fixture
def behind_a_prefix(data: Path, upstream: LocalUpstream) -> Iterator[ServerProcess]:
    """A server that is told to stand under a path prefix of another address."""
    with ServerProcess(
        data, public_index=upstream.url, outside_url="https://tools.example/stillroom"
    ) as server:
        yield server


def test_pages_work_behind_any_proxy(
    behind_a_prefix: ServerProcess, upstream: LocalUpstream
) -> None:
    upstream.add(make_wheel("public"))
    url = f"{behind_a_prefix.url}/root/pypi/simple/public/"
    page = httpx.get(url, headers={"Accept": "application/vnd.pypi.simple.v1+json"}).json()
    assert page["files"][0]["url"].startswith("../../+f/public/")
    api = httpx.get(f"{behind_a_prefix.url}/+api", headers={"Accept": "application/json"}).json()
    assert api["result"]["login"] == "https://tools.example/stillroom/+login"
