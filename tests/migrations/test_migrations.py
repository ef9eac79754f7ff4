"""The migrated schema is the one that the code works with, on both databases."""

import concurrent.futures
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

import stillroom_migrations
from stillroom_server.storage import migrate
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.engine import Limits, Mode, in_mode, open_engine
from stillroom_server.storage.errors import UnusableDatabase
from stillroom_server.storage.migrate import SchemaMismatch, SchemaState
from stillroom_server.storage.schema import metadata
from support.databases import PostgresServer


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres_server")
        with server.database(migrated=False) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'stillroom.sqlite'}"


def _execute(url: str, *statements: str) -> None:
    engine = open_engine(url, Limits())
    with in_mode(engine, Mode.MIGRATE).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_the_migrated_schema_is_that_of_the_code(database_url: str) -> None:
    engine = open_engine(database_url, Limits())
    with in_mode(engine, Mode.READ).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_names_are_sorted_by_code_point_on_postgres(postgres_server: PostgresServer) -> None:
    """Alembic compares no collations, and this server's own locale happens to sort like that."""
    said = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if getattr(column.type.dialect_impl(postgresql.dialect()), "collation", None) == "C"
    }
    query = text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND collation_name = 'C'"
    )
    with postgres_server.database() as url:
        engine = open_engine(url, Limits())
        with in_mode(engine, Mode.READ).connect() as connection:
            assert {tuple(row) for row in connection.execute(query)} == said
        engine.dispose()
    assert ("projects", "name") in said


def test_the_list_of_revisions_is_that_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(stillroom_migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    in_order = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert tuple(in_order) == stillroom_migrations.REVISIONS
    assert scripts.get_current_head() == migrate.head()


def test_an_upgrade_leads_from_empty_to_current_and_happens_once(empty_url: str) -> None:
    assert migrate.current(empty_url) is None
    assert migrate.upgrade(empty_url) is True
    assert migrate.current(empty_url) == migrate.head()
    migrate.check(empty_url)
    assert migrate.upgrade(empty_url) is False


def test_the_first_serial_is_zero_and_the_journal_empty(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    database = SqlDatabase(empty_url)
    assert database.serial() == 0
    with database.reading() as unit:
        assert unit.journal.since(0, 10) == []
    database.close()


def test_asking_for_the_revision_creates_no_file(tmp_path: Path) -> None:
    assert migrate.current(f"sqlite:///{tmp_path / 'none.sqlite'}") is None
    assert list(tmp_path.iterdir()) == []


def test_a_new_sqlite_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "stillroom.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_created_is_told_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "none" / "stillroom.sqlite"
    with pytest.raises(UnusableDatabase, match=f"{file} cannot be created: No such file"):
        migrate.upgrade(f"sqlite:///{file}")


def test_an_empty_database_is_refused_with_the_command_to_run(empty_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="stillroom-server init"):
        migrate.check(empty_url)


def test_a_newer_database_is_refused_and_left_alone(database_url: str) -> None:
    _execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="older than the database"):
        migrate.check(database_url)
    with pytest.raises(SchemaMismatch, match="older than the database"):
        migrate.upgrade(database_url)
    assert migrate.current(database_url) == "9999"


def test_an_older_database_is_refused_with_the_command_to_run(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revisions = (*stillroom_migrations.REVISIONS, "9999")
    monkeypatch.setattr(stillroom_migrations, "REVISIONS", revisions)
    assert migrate.state_of(migrate.current(database_url)) is SchemaState.OLDER
    with pytest.raises(SchemaMismatch, match="stillroom-server db upgrade"):
        migrate.check(database_url)


def test_a_database_of_another_program_is_left_alone(empty_url: str) -> None:
    _execute(empty_url, "CREATE TABLE users (shoe_size INTEGER)")
    with pytest.raises(SchemaMismatch, match="another program"):
        migrate.upgrade(empty_url)
    assert migrate.current(empty_url) is None


def test_an_upgrade_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrate, "_check_references", fail)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(empty_url)
    monkeypatch.undo()
    assert migrate.current(empty_url) is None
    assert migrate.upgrade(empty_url) is True


def test_an_upgrade_that_would_break_references_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'stillroom.sqlite'}"
    real = migrate._run_alembic

    def and_break(connection: object) -> None:
        real(connection)
        connection.exec_driver_sql(
            "INSERT INTO deleted_files (index_id, key, deleted) VALUES (7, 'a', '2026-01-01')"
        )

    monkeypatch.setattr(migrate, "_run_alembic", and_break)
    with pytest.raises(SchemaMismatch, match="deleted_files"):
        migrate.upgrade(url)
    assert migrate.current(url) is None


_UPGRADE = """
import sys
from stillroom_server.storage import migrate
sys.stdin.readline()
print(migrate.upgrade(sys.argv[1]))
"""


def test_of_processes_that_upgrade_at_once_one_does_it(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _UPGRADE, empty_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda process: process.communicate("go\n")[0], processes))
    assert sorted(answer.strip() for answer in answers) == ["False", "False", "True"]
    assert [process.returncode for process in processes] == [0, 0, 0]
    migrate.check(empty_url)


_STARTS = """
import sys
from stillroom_server.storage import database, migrate
migrate.check(sys.argv[1])
sys.exit("alembic" in sys.modules)
"""


def test_checking_the_schema_at_start_does_not_import_alembic(
    tmp_path: Path, sqlite_template
) -> None:
    url = sqlite_template.copy_to(tmp_path / "stillroom.sqlite")
    assert subprocess.run([sys.executable, "-c", _STARTS, url], check=False).returncode == 0


def test_a_percent_sign_in_the_path_of_the_scripts_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "100%s of it"
    scripts.symlink_to(Path(stillroom_migrations.__file__).parent)
    monkeypatch.setattr(stillroom_migrations, "__file__", str(scripts / "__init__.py"))
    url = f"sqlite:///{tmp_path / 'stillroom.sqlite'}"
    migrate.upgrade(url)
    migrate.check(url)


def test_the_file_of_a_database_is_in_wal_mode(tmp_path: Path) -> None:
    file = tmp_path / "stillroom.sqlite"
    migrate.upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
