"""Whatever a sweep believes, the database does not let go of content that something refers to."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from stillroom_server.domain.errors import Conflict
from stillroom_server.services.sweep import Sweep
from stillroom_server.storage import schema
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.rows import DAY, NOW, a_new_file, add_project, add_stage, sha256_of

A = sha256_of("a")


@pytest.fixture
def doomed_by_mistake(database: SqlDatabase) -> SqlDatabase:
    with database.writing() as unit:
        unit.files.add(add_project(unit, add_stage(unit)), a_new_file(sha256=A))
        unit.blobs._connection.execute(update(schema.blobs).values(doomed=NOW))
    return database


def test_a_mark_by_mistake_is_not_acted_upon(doomed_by_mistake: SqlDatabase) -> None:
    with doomed_by_mistake.writing() as unit:
        assert unit.blobs.doomed(NOW + DAY) == []
        assert unit.blobs.delete(A) is False


def test_the_row_cannot_be_deleted_by_any_statement(doomed_by_mistake: SqlDatabase) -> None:
    with pytest.raises(Conflict), doomed_by_mistake.writing() as unit:
        unit.blobs._connection.execute(delete(schema.blobs))
    with doomed_by_mistake.reading() as unit:
        assert unit.blobs.get(A) is not None


def test_a_sweep_takes_away_what_a_killed_server_left_half_received(
    database: SqlDatabase, blob_store: DiskBlobStore, tmp_path: Path
) -> None:
    incoming = tmp_path / "blob-store" / "incoming"
    old, fresh = incoming / "old", incoming / "fresh"
    for file in (old, fresh):
        file.write_bytes(b"half")
    two_days_ago = (datetime.now(UTC) - 2 * DAY).timestamp()
    os.utime(old, (two_days_ago, two_days_ago))
    Sweep(database, blob_store, lambda: datetime.now(UTC)).run()
    assert [file.name for file in incoming.iterdir()] == ["fresh"]
