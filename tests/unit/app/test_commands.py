"""`stillroom-server`, command by command."""

import json
import sqlite3
import stat
import subprocess
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from stillroom_server.app.assembly import utc_now
from stillroom_server.app.data_folder import DataFolder
from stillroom_server.app.settings import declared
from stillroom_server.builtin.password import Argon2Hasher
from stillroom_server.services.ports import AuditQuery
from stillroom_server.storage import migrate
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.servers import BIN

URL = "https://upstream.example.com/simple/"
COMMANDS = [
    "serve", "init", "passwd", "unlock", "settings", "sweep", "prune",
    "db", "db upgrade", "db current",
    "mirror", "mirror prefetch", "mirror refresh", "mirror evict",
]  # fmt: skip


@contextmanager
def _opened(data):
    database = SqlDatabase(DataFolder(data).database_url)
    try:
        yield database
    finally:
        database.close()


def _refused(result, status=1):
    """The one line that a refused command says."""
    assert result.status == status
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith("stillroom-server: ")
    return line


def _root(data):
    with _opened(data) as database, database.reading() as unit:
        return unit.users.get("root")


# init


def test_init_makes_everything_and_tells_the_password_once(run, data):
    result = run("init", "--data", data, "--public-index", URL)
    assert result.status == 0
    password_file = data / "initial-root-password"
    password = password_file.read_text().strip()
    assert result.out.count(password) == 1
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert Argon2Hasher().verify(_root(data).password_hash, password)
    with _opened(data) as database, database.reading() as unit:
        [index] = unit.indexes.all()
    assert (str(index.name), index.upstream_url) == ("root/pypi", URL)
    DiskBlobStore(data / "files")


def test_everything_in_the_data_folder_is_closed_to_others(made):
    for path in made.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_init_again_changes_nothing(run, made):
    before = _root(made)
    password = (made / "initial-root-password").read_text()
    result = run("init", "--data", made)
    assert (result.status, result.out) == (0, f"{made} is set up already.\n")
    assert _root(made) == before
    assert (made / "initial-root-password").read_text() == password


def test_an_interrupted_first_start_is_taken_up_again(run, data, monkeypatch):
    # It died after it had written a password, and before root was there.
    def die(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stillroom_server.app.start.set_up", die)
        assert run("init", "--data", data, "--public-index", URL).status == 1
    lost = (data / "initial-root-password").read_text().strip()
    assert run("init", "--data", data, "--public-index", URL).status == 0
    password = (data / "initial-root-password").read_text().strip()
    assert password != lost
    assert Argon2Hasher().verify(_root(data).password_hash, password)


def test_init_while_a_server_runs_is_refused(run, made):
    with DataFolder(made).locked():
        line = _refused(run("init", "--data", made))
    assert line.endswith("give this one another folder with --data")


def test_init_in_a_folder_that_cannot_be_made_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("")
    line = _refused(run("init", "--data", tmp_path / "file" / "data"))
    assert line.endswith("cannot be made: Not a directory")


def test_init_with_an_unknown_blob_store_is_refused(run, data):
    line = _refused(run("init", "--data", data, "--blob-store", "vault"))
    assert "blob_store: there is no kind 'vault'; there are disk" in line


# passwd


def test_a_new_password_holds_and_ends_all_tokens(run, made):
    result = run("passwd", "root", "--password-stdin", "--data", made, typed="a new one\r\n")
    assert result.status == 0
    assert result.out == "The password of root is changed; all of their tokens have ended.\n"
    assert Argon2Hasher().verify(_root(made).password_hash, "a new one")
    # The first one is no password any more, so it is not kept.
    assert not (made / "initial-root-password").exists()


@pytest.mark.parametrize(
    ("user", "typed", "rule"),
    [
        ("root", "short\n", "password: use text of at least 8 characters"),
        ("root", "", "password: use text of at least 8 characters"),
        ("root", "stillroom_token\n", "must not begin with stillroom_"),
        ("root", "Password1\n", "it is among the 30,000 most used passwords"),
        ("nobody", "long enough\n", "There is no user nobody."),
        ("a b", "long enough\n", "user: 'a b' is not a user name"),
    ],
)
def test_a_password_that_cannot_be_set_is_refused(run, made, user, typed, rule):
    result = run("passwd", user, "--password-stdin", "--data", made, typed=typed)
    assert rule in _refused(result)


# unlock


def _guessed(made, name, number):
    with _opened(made) as database, database.writing() as unit:
        for _ in range(number):
            unit.guesses.add(name, "192.0.2.1", utc_now())


def _counted(made, name):
    with _opened(made) as database, database.reading() as unit:
        return unit.guesses.counts(name, "", datetime.min.replace(tzinfo=UTC)).user


def test_unlock_forgets_what_stands_against_a_user(run, made):
    _guessed(made, "root", 10)
    _guessed(made, "dev", 2)
    result = run("unlock", "root", "--data", made)
    assert (result.status, result.out) == (0, "10 wrong passwords for root are forgotten.\n")
    assert (_counted(made, "root"), _counted(made, "dev")) == (0, 2)
    # Also of names that nobody has: those are counted as well.
    assert run("unlock", "nobody", "--data", made).out.startswith("0 wrong passwords for nobody ")


def test_passwd_unlocks(run, made):
    _guessed(made, "root", 10)
    typed = "a new one\n"
    assert run("passwd", "root", "--password-stdin", "--data", made, typed=typed).status == 0
    assert _counted(made, "root") == 0


def test_without_a_terminal_there_is_nobody_to_ask(run, made):
    result = run("passwd", "root", "--data", made)
    assert result.status == 2
    assert "There is no terminal to ask on; use --password-stdin." in result.err


@pytest.mark.parametrize("command", ["passwd root --password-stdin", "unlock root", "sweep"])
def test_commands_on_a_folder_without_a_database_say_what_to_do(run, data, command):
    line = _refused(run(*command.split(), "--data", data, typed="long enough\n"))
    assert line.endswith("or make it with `stillroom-server init`.")
    assert not data.exists()


# db


def test_the_database_is_built_and_then_current(run, data):
    head = migrate.head()
    needs = f"(this version needs {head})\n"
    assert run("db", "current", "--data", data).out == f"none {needs}"
    assert not data.exists()
    assert run("db", "upgrade", "--data", data).out == (
        f"The database is now at revision {head}.\n"
    )
    assert run("db", "current", "--data", data).out == f"{head} {needs}"
    assert run("db", "upgrade", "--data", data).out == (
        f"The database is already at revision {head}.\n"
    )


def _set_revision(data, revision):
    with closing(sqlite3.connect(data / "stillroom.sqlite")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])


@pytest.mark.parametrize(
    "command", ["init", "sweep", "prune", "passwd root --password-stdin", "db upgrade"]
)
def test_a_database_newer_than_the_code_is_left_alone(run, made, command):
    _set_revision(made, "9999")
    line = _refused(run(*command.split(), "--data", made, typed="long enough\n"))
    assert "revision 9999, which this Stillroom does not know" in line
    assert "install the version that upgraded it" in line
    assert run("db", "current", "--data", made).out.startswith("9999 ")


@pytest.mark.parametrize("command", ["init", "sweep", "passwd root --password-stdin"])
def test_a_database_older_than_the_code_is_not_upgraded_unasked(run, made, monkeypatch, command):
    _set_revision(made, "0000")
    revisions = ("0000", *migrate.stillroom_migrations.REVISIONS)
    monkeypatch.setattr(migrate.stillroom_migrations, "REVISIONS", revisions)
    line = _refused(run(*command.split(), "--data", made, typed="long enough\n"))
    assert "make a backup, then run `stillroom-server db upgrade`" in line
    assert run("db", "current", "--data", made).out.startswith("0000 ")


def test_the_database_of_another_program_is_left_alone(run, data):
    data.mkdir()
    with closing(sqlite3.connect(data / "stillroom.sqlite")) as database, database:
        database.execute("CREATE TABLE notes (text)")
    for command in (["init"], ["db", "upgrade"]):
        line = _refused(
            run(*command, "--data", data, "--database", f"sqlite:///{data}/stillroom.sqlite")
        )
        assert "holds tables of another program" in line


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "sqlite://"])
def test_a_database_that_cannot_be_used_is_told(run, data, url):
    line = _refused(run("db", "upgrade", "--data", data, "--database", url))
    assert "database: " in line


def test_an_upgrade_while_a_server_runs_is_refused(run, made):
    with DataFolder(made).locked():
        assert "is used by another server" in _refused(run("db", "upgrade", "--data", made))


# sweep


def test_a_dry_sweep_reports_and_changes_nothing(run, made):
    store = DiskBlobStore(made / "files")
    with store.receive() as writer:
        writer.write(b"an orphan")
        writer.keep()
    for _ in range(2):
        result = run("sweep", "--dry-run", "--data", made)
        assert result.status == 0
        assert result.out == (
            "0 blobs (0 bytes) would be deleted.\n"
            "1 more blobs would be marked; they wait for a day.\n"
        )
    assert "1 more blobs marked" in run("sweep", "--data", made).out
    assert "0 more blobs marked" in run("sweep", "--data", made).out
    assert len(list(store.walk())) == 1


# prune


def test_a_prune_forgets_what_is_too_old(run, made, monkeypatch):
    run("passwd", "root", "--password-stdin", "--data", made, typed="long enough\n")
    later = utc_now() + timedelta(days=401)
    monkeypatch.setattr("stillroom_server.app.assembly.utc_now", lambda: later)
    foretold = run("prune", "--dry-run", "--data", made)
    assert foretold.out == (
        "2 entries of the audit would be deleted.\n"
        "1 more would be blanked: pages need the rows.\n"
        "0 rows of fetches would be deleted.\n"
    )
    assert "0 entries" in run("prune", "--data", made, "--audit-days", "402").out
    assert "0 entries" in run("prune", "--data", made, "--audit-days", "0").out
    assert run("prune", "--data", made).out == foretold.out.replace("would be ", "")
    with _opened(made) as database, database.reading() as unit:
        [entry] = unit.journal.since(0, 10)
    assert entry.event.kind == "index-created"


def test_the_audit_of_a_command_says_that_it_was_one(run, made):
    run("passwd", "root", "--password-stdin", "--data", made, typed="long enough\n")
    with _opened(made) as database, database.reading() as unit:
        event = unit.journal.audit(AuditQuery(), 1)[0].event
    assert (event.kind, event.user) == ("user-changed", "root")
    assert (event.actor, event.token, event.address) == (None, None, None)
    assert event.details == {"fields": ["password"], "by": "command line"}


# settings


def test_settings_are_told_with_their_sources(run, data, monkeypatch):
    monkeypatch.setenv("STILLROOM_THREADS", "7")
    data.mkdir()
    (data / "stillroom.toml").write_text("open_signup = true\n")
    flags = ("--data", data, "--port", "8080", "--database", "postgresql://u:s3cret@h/n")
    told = json.loads(run("settings", "--json", *flags).out)
    assert list(told) == [setting.name for setting in declared()]
    assert told["port"] == {"value": "8080", "source": "flag --port"}
    assert told["threads"] == {"value": "7", "source": "environment STILLROOM_THREADS"}
    assert told["open_signup"] == {"value": "true", "source": f"file {data}/stillroom.toml"}
    assert told["host"] == {"value": "127.0.0.1", "source": "default"}
    assert told["database"] == {"value": "(hidden)", "source": "flag --database"}


def test_settings_are_told_to_people_in_columns_without_secrets(run, data):
    result = run("settings", "--data", data, "--database", "postgresql://u:s3cret@h/n")
    lines = result.out.splitlines()
    assert len(lines) == len(declared())
    assert any(line.split() == ["database", "(hidden)", "flag", "--database"] for line in lines)
    assert "s3cret" not in result.out


def test_a_secret_that_is_not_set_is_told_as_such(run, data):
    told = json.loads(run("settings", "--json", "--data", data).out)
    assert told["database"] == {"value": "", "source": "default"}


# Wrong usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["serve", "--no-such-flag"],
        ["passwd"],
        ["passwd", "root", "extra"],
        ["db"],
        ["db", "sideways"],
        [],
    ],
)
def test_wrong_usage_has_its_own_exit_status(run, arguments):
    result = run(*arguments)
    assert result.status == 2
    assert "Usage: " in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["serve", "init", "settings", "sweep", "db upgrade"])
def test_a_wrong_setting_is_wrong_usage_in_one_line(run, data, command, monkeypatch):
    monkeypatch.setenv("STILLROOM_DATABASE", "")
    data.mkdir()
    (data / "stillroom.toml").write_text("colour = 1\n")
    line = _refused(run(*command.split(), "--data", data), status=2)
    assert line.endswith("stillroom.toml: unknown setting colour")


def test_a_wrong_log_level_is_wrong_usage(run, data):
    line = _refused(run("serve", "--data", data, "--log-level", "loud"), status=2)
    assert "log_level (flag --log-level): use debug, info, warning or error" in line
    assert not data.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(run, command):
    result = run(*command.split(), "--help")
    assert result.status == 0
    assert command in {"db", "mirror"} or f"stillroom-server {command}" in result.out


def test_an_interrupt_is_no_traceback(run, data, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("stillroom_server.app.start.prepare", interrupt)
    result = run("init", "--data", data)
    assert (result.status, result.err) == (1, "\nstillroom-server: interrupted\n")


# The real command


def _command(*arguments):
    command = [BIN / "stillroom-server", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_refusal_of_the_real_command_is_one_line_and_a_status(tmp_path):
    (tmp_path / "file").write_text("")
    ran = _command("serve", "--data", tmp_path / "file" / "data")
    assert (ran.returncode, ran.stdout) == (1, "")
    expected = f"data: {tmp_path}/file/data cannot be made: Not a directory"
    assert ran.stderr == f"stillroom-server: {expected}\n"
