"""A name that stands in the lists of many indexes goes at once: other writers wait meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from stillroom_server.domain.identity import COMMAND_LINE
from stillroom_server.domain.names import IndexName
from stillroom_server.services.groups import GroupService
from stillroom_server.storage.database import SqlDatabase
from support.rows import DEV, NOW, add_stage

TEAM = ":team"


@contextmanager
def _statements(database: SqlDatabase) -> Iterator[list[str]]:
    """The list is filled with what is sent to the database; a batch is one."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, _parameters, _context, _many) -> None:
        sent.append(statement)

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database._engine, "before_cursor_execute", note)


def _delete_group_in(database: SqlDatabase, number: int) -> int:
    """How many statements it takes to delete a group that so many indexes name."""
    groups = GroupService(database, lambda: NOW)
    groups.create(COMMAND_LINE, "team", {})
    options = {"bases": ("dev/base",), "acl_read": ("dev", TEAM)}
    names = [IndexName(DEV, f"index{number}-{n}") for n in range(number)]
    with database.writing() as unit:
        for name in names:
            unit.indexes.add(name, "stage", options, NOW, has_upstream=False)
    with _statements(database) as sent:
        groups.delete(COMMAND_LINE, "team")
    with database.reading() as unit:
        for name in names:
            index = unit.indexes.get(name)
            assert index is not None
            assert index.options == {"bases": ("dev/base",), "acl_read": ("dev",)}
    return len(sent)


@pytest.mark.parametrize("more", [5, 50])
def test_it_takes_no_statement_per_index(database: SqlDatabase, more: int) -> None:
    with database.writing() as unit:
        add_stage(unit)
    assert _delete_group_in(database, more) == _delete_group_in(database, 2)
