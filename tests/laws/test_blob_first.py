"""Law 3: a crash leaves an orphan blob, never a row without its file, and the sweep gets it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.services.sweep import Sweep
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.killed_upload import INDEX, WHEEL

TESTS = Path(__file__).parents[1]
BLOBS = 2
"""The wheel, and its metadata."""


@pytest.fixture
def database_url(fresh_database) -> Iterator[str]:
    with fresh_database("sqlite") as url:
        yield url


def _killed_upload(url: str, store: Path, where: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "support.killed_upload", url, store, where],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stdout + ran.stderr


def _digests_of_rows(database: SqlDatabase) -> set[str]:
    """All content that rows refer to."""
    with database.reading() as unit:
        index = unit.indexes.get(IndexName.parse(INDEX))
        files = unit.files.of_project(index, ProjectName("demo"))
    found = {file.sha256 for file in files} | {file.metadata_sha256 for file in files}
    return {digest for digest in found if digest is not None}


def _digests_in(store: DiskBlobStore) -> set[str]:
    return {sha256 for sha256, _size in store.walk()}


@pytest.mark.parametrize(
    ("where", "rows"),
    [("before the row", 0), ("before the commit", 0), ("after the commit", BLOBS)],
)
def test_an_upload_that_is_killed_leaves_at_most_an_orphan(
    database_url, database, blob_store, tmp_path, where, rows
):
    _killed_upload(database_url, tmp_path / "blob-store", where)
    referred = _digests_of_rows(database)
    assert len(referred) == rows
    assert referred <= _digests_in(blob_store)
    assert len(_digests_in(blob_store)) == BLOBS
    assert WHEEL.sha256 in _digests_in(blob_store)


@pytest.mark.parametrize("where", ["before the row", "before the commit"])
def test_the_sweep_deletes_the_orphan_after_its_day(
    database_url, database, blob_store, tmp_path, where
):
    _killed_upload(database_url, tmp_path / "blob-store", where)
    now = datetime.now(UTC)
    sweeps = [
        Sweep(database, blob_store, lambda days=days: now + timedelta(days=days))
        for days in (0, 1, 2)
    ]
    assert sweeps[0].run().doomed == BLOBS
    assert len(_digests_in(blob_store)) == BLOBS
    assert sweeps[2].run().deleted == BLOBS
    assert _digests_in(blob_store) == set()


def test_what_was_committed_is_not_swept(database_url, database, blob_store, tmp_path):
    _killed_upload(database_url, tmp_path / "blob-store", "after the commit")
    for days in (0, 2, 4):
        later = datetime.now(UTC) + timedelta(days=days)
        report = Sweep(database, blob_store, lambda later=later: later).run()
        assert (report.doomed, report.deleted) == (0, 0)
    assert _digests_of_rows(database) == _digests_in(blob_store)
