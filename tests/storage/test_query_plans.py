"""What every page needs is found by an index of the database, however large the rest is."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from stillroom_server.domain.identity import TokenKind
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.services.ports import Unit
from stillroom_server.storage.database import SqlDatabase
from support.databases import SqliteTemplate
from support.rows import NOW, add_stage

DEMO = ProjectName("demo")

QUESTIONS: dict[str, tuple[Callable[[Unit, Index], object], set[str]]] = {
    "last change": (
        lambda unit, index: unit.journal.last_change([index.name], DEMO),
        {"ix_journal_index_name_project_serial"},
    ),
    "last change of an index": (
        lambda unit, index: unit.journal.last_change([index.name], None),
        {"ix_journal_index_name_serial"},
    ),
    "files of a project": (
        lambda unit, index: unit.files.of_project(index, DEMO),
        {"sqlite_autoindex_projects_1", "ix_files_project_id"},
    ),
    "file by name": (
        lambda unit, index: unit.files.get(index, "demo-1.0.tar.gz"),
        {"sqlite_autoindex_files_2"},
    ),
    "token": (
        lambda unit, index: unit.tokens.by_digest(b"digest"),
        {"sqlite_autoindex_tokens_2"},
    ),
    "guesses": (
        lambda unit, _index: unit.guesses.counts("dev", "192.0.2.1", NOW),
        {"ix_password_guesses_at"},
    ),
    "tokens of a user": (
        lambda unit, index: unit.tokens.count(index.name.user, TokenKind.MADE),
        {"sqlite_autoindex_users_1", "ix_tokens_user_id"},
    ),
    "owners of a project": (
        lambda unit, index: unit.owners.of_project(index, DEMO),
        {"sqlite_autoindex_project_owners_1"},
    ),
    "owners of all projects": (
        lambda unit, index: unit.owners.all(index),
        {"sqlite_autoindex_project_owners_1"},
    ),
    "requests for projects": (
        lambda unit, index: unit.owners.requests(index),
        {"sqlite_autoindex_project_requests_1"},
    ),
    "holders": (
        lambda unit, index: unit.projects.holders([index], DEMO),
        {"sqlite_autoindex_projects_1"},
    ),
}


@pytest.mark.parametrize(("ask", "used"), QUESTIONS.values(), ids=QUESTIONS.keys())
def test_nothing_is_searched_by_going_through_it(
    sqlite_template: SqliteTemplate,
    tmp_path: Path,
    ask: Callable[[Unit, Index], object],
    used: set[str],
) -> None:
    database = SqlDatabase(sqlite_template.copy_to(tmp_path / "stillroom.sqlite"))
    with database.writing() as unit:
        index = add_stage(unit)
    plans: list[str] = []

    def explain(_connection, cursor, statement, parameters, _context, _many) -> None:
        steps = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(step[3] for step in steps)

    with database.reading() as unit:
        event.listen(unit.users._connection, "before_cursor_execute", explain)
        ask(unit, index)
    database.close()
    assert used <= {word for plan in plans for word in plan.split()}
    assert not any(plan.startswith("SCAN") for plan in plans if "anon_" not in plan)
