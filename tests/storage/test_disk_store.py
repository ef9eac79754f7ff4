"""The store on disk: durable, private, and honest when the disk is not."""

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillroom_server.domain.errors import StorageBusy, StorageFull
from stillroom_server.domain.names import IndexName
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore, UnusableStore
from support.databases import SqliteTemplate
from support.rows import DEV

CONTENT = b"wheel" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def _keep(store: DiskBlobStore, content: bytes = CONTENT) -> str:
    with store.receive() as writer:
        writer.write(content)
        return writer.keep()


def _path(store_root: Path) -> Path:
    return store_root / "blobs" / SHA256[:2] / SHA256[2:4] / SHA256


def _age(path: Path, days: int) -> None:
    moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> DiskBlobStore:
    return DiskBlobStore.create(root)


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277], indirect=True)
def test_everything_is_for_its_owner_alone_whatever_the_umask(root: Path, umask: int) -> None:
    _keep(DiskBlobStore.create(root))
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_store_is_created_once_and_opened_again(root: Path, store: DiskBlobStore) -> None:
    _keep(store)
    assert list(DiskBlobStore.create(root).walk()) == [(SHA256, len(CONTENT))]
    assert list(DiskBlobStore(root).walk()) == [(SHA256, len(CONTENT))]


def test_a_folder_without_the_marker_is_no_store(root: Path, store: DiskBlobStore) -> None:
    (root / "stillroom-store").unlink()
    with pytest.raises(UnusableStore, match="mounted"):
        DiskBlobStore(root)
    with pytest.raises(UnusableStore):
        DiskBlobStore(root.parent / "none")


def test_blobs_on_another_file_system_are_refused(root: Path, store: DiskBlobStore) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (root / "blobs").rmdir()
        (root / "blobs").symlink_to(elsewhere)
        with pytest.raises(UnusableStore, match="one file system"):
            DiskBlobStore(root)


def test_a_store_that_vanished_is_trouble_and_not_an_empty_one(
    root: Path, store: DiskBlobStore
) -> None:
    _keep(store)
    root.rename(root.with_name("away"))
    root.mkdir()
    with pytest.raises(StorageBusy):
        store.open(SHA256)
    with pytest.raises(StorageBusy):
        list(store.walk())
    with pytest.raises(StorageBusy):
        _keep(store)
    with pytest.raises(StorageBusy):
        store.delete(SHA256, datetime.now(UTC))


def test_content_is_synchronised_before_it_gets_its_name_and_its_folders_after(
    root: Path, store: DiskBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_fsync(descriptor)

    def rename(source: Path, target: Path) -> None:
        steps.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    _keep(store)
    incoming, *rest = steps
    assert incoming.startswith("tmp")
    assert rest == ["rename", SHA256[2:4], SHA256[:2], "blobs"]
    steps.clear()
    _keep(store)
    assert steps[1:] == [SHA256[2:4], SHA256[:2], "blobs"]


def test_keeping_what_is_there_makes_it_young_again(root: Path, store: DiskBlobStore) -> None:
    _keep(store)
    inode = _path(root).stat().st_ino
    _age(_path(root), days=3)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    _keep(store)
    assert _path(root).stat().st_ino == inode
    assert store.delete(SHA256, yesterday) is False
    _age(_path(root), days=3)
    assert store.delete(SHA256, yesterday) is True


def test_content_that_took_long_to_arrive_is_young_when_it_is_kept(store: DiskBlobStore) -> None:
    with store.receive() as writer:
        writer.write(CONTENT)
        _age(Path(writer.file().name), days=3)
        writer.keep()
    assert store.delete(SHA256, datetime.now(UTC) - timedelta(days=1)) is False


def test_content_that_was_cut_off_on_the_disk_is_replaced(
    root: Path, store: DiskBlobStore
) -> None:
    _keep(store)
    _path(root).write_bytes(CONTENT[:100])
    _keep(store)
    assert _path(root).read_bytes() == CONTENT


def test_nothing_is_left_of_what_was_received(root: Path, store: DiskBlobStore) -> None:
    with store.receive() as writer:
        writer.write(CONTENT)
        writer.file()
    _keep(store)
    _keep(store)
    assert list((root / "incoming").iterdir()) == []


def test_leftovers_of_killed_servers_are_removed_once_they_are_old(
    root: Path, store: DiskBlobStore
) -> None:
    old, young = root / "incoming" / "old", root / "incoming" / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    _age(old, days=3)
    assert store.clean_incoming(datetime.now(UTC) - timedelta(days=1)) == 1
    assert list((root / "incoming").iterdir()) == [young]


def test_what_is_no_blob_is_not_listed(root: Path, store: DiskBlobStore) -> None:
    _keep(store)
    (_path(root).parent / "notes.txt").write_text("hello")
    assert list(store.walk()) == [(SHA256, len(CONTENT))]


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, StorageBusy),
        (errno.EROFS, StorageBusy),
    ],
)
def test_a_disk_that_fails_is_trouble_and_nothing_is_left(
    root: Path,
    store: DiskBlobStore,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    expected: type[Exception],
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(expected):
            _keep(store)
    assert list((root / "incoming").iterdir()) == []
    assert list(store.walk()) == []
    assert _keep(store) == SHA256


def test_content_of_which_a_part_was_not_written_cannot_be_kept(
    store: DiskBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write = os.write

    def write_some_and_fail(descriptor: int, data: bytes) -> int:
        real_write(descriptor, data[:10])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with store.receive() as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_some_and_fail)
            with pytest.raises(StorageBusy):
                writer.write(CONTENT)
        with pytest.raises(StorageBusy, match="anew"):
            writer.keep()
    assert list(store.walk()) == []


def test_short_writes_are_completed(store: DiskBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:7]))
    assert _keep(store) == SHA256
    assert list(store.walk()) == [(SHA256, len(CONTENT))]


def test_keeping_and_deleting_wait_for_each_other(root: Path, store: DiskBlobStore) -> None:
    _keep(store)
    _age(_path(root), days=3)
    with (root / "lock").open("r+b") as held:
        # As another process would hold it: locks of two open files exclude each other.
        fcntl.flock(held, fcntl.LOCK_EX)
        answers: list[bool] = []
        delete = threading.Thread(
            target=lambda: answers.append(
                store.delete(SHA256, datetime.now(UTC) - timedelta(days=1))
            )
        )
        delete.start()
        delete.join(timeout=0.2)
        assert delete.is_alive()
        os.utime(_path(root))
    delete.join()
    assert answers == [False]
    assert list(store.walk()) == [(SHA256, len(CONTENT))]


def test_an_upload_that_is_killed_leaves_an_orphan_at_most(
    tmp_path: Path, sqlite_template: SqliteTemplate
) -> None:
    sqlite_template.copy_to(tmp_path / "template.sqlite")
    runs = subprocess.run(
        [sys.executable, "-m", "support.crashing_upload", tmp_path, tmp_path / "template.sqlite"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()
    orphans = 0
    for line in runs:
        folder, acknowledged = line.rsplit(" ", 1)
        orphans += _check_after_crash(Path(folder), acknowledged=acknowledged == "True")
    assert runs[-1].endswith("True")
    assert len(runs) > 20
    assert orphans > 3


def _check_after_crash(folder: Path, *, acknowledged: bool) -> bool:
    """Whether a blob was left that no row knows."""
    store = DiskBlobStore(folder / "store")
    database = SqlDatabase(f"sqlite:///{folder / 'db.sqlite'}")
    with database.reading() as unit:
        index = unit.indexes.get(IndexName(DEV, "base"))
        assert index is not None
        file = unit.files.get(index, "demo-1.0.tar.gz")
    database.close()
    blobs = list(store.walk())
    for sha256, _ in blobs:
        with store.open(sha256) as content:
            assert hashlib.file_digest(content, "sha256").hexdigest() == sha256
    if file is not None:
        assert blobs == [(file.sha256, file.size)]
    assert file is not None or not acknowledged
    store.clean_incoming(datetime.now(UTC) + timedelta(days=1))
    assert list((folder / "store" / "incoming").iterdir()) == []
    return bool(blobs) and file is None
