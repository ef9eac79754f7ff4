"""Blobs, behind the port: on disk and in memory."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from stillroom_server.services.ports import BlobStore

CONTENT = b"wheel" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(any_blob_store: BlobStore) -> BlobStore:
    return any_blob_store


def _keep(store: BlobStore, *parts: bytes) -> str:
    with store.receive() as writer:
        for part in parts:
            writer.write(part)
        return writer.keep()


def _read(store: BlobStore, sha256: str) -> bytes:
    with store.open(sha256) as file:
        return file.read()


def _from_now(**distance: float) -> datetime:
    return datetime.now(UTC) + timedelta(**distance)


def test_content_is_found_by_its_digest(store: BlobStore) -> None:
    assert _keep(store, CONTENT[:7], b"", CONTENT[7:]) == SHA256
    assert _read(store, SHA256) == CONTENT
    assert list(store.walk()) == [(SHA256, len(CONTENT))]


def test_empty_content_is_content(store: BlobStore) -> None:
    sha256 = _keep(store)
    assert sha256 == hashlib.sha256().hexdigest()
    assert _read(store, sha256) == b""


def test_opened_content_can_be_sought(store: BlobStore) -> None:
    _keep(store, CONTENT)
    with store.open(SHA256) as file:
        file.seek(-5, 2)
        assert file.read() == b"wheel"


def test_what_is_not_kept_is_gone(store: BlobStore) -> None:
    with store.receive() as writer:
        writer.write(CONTENT)
    assert list(store.walk()) == []
    with pytest.raises(FileNotFoundError):
        store.open(SHA256)


def test_what_is_received_when_the_block_fails_is_gone(store: BlobStore) -> None:
    def receive_and_fail() -> None:
        with store.receive() as writer:
            writer.write(CONTENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        receive_and_fail()
    assert list(store.walk()) == []


def test_what_was_received_can_be_inspected_before_it_is_kept(store: BlobStore) -> None:
    with store.receive() as writer:
        writer.write(CONTENT)
        file = writer.file()
        assert file.read() == CONTENT
        file.seek(5)
        assert file.read(5) == b"wheel"
        assert writer.keep() == SHA256
    assert _read(store, SHA256) == CONTENT


def test_others_can_follow_along_while_it_is_received(store: BlobStore) -> None:
    with store.receive() as writer:
        assert writer.read_at(0, 10) == b""
        writer.write(b"0123456789")
        assert writer.read_at(2, 3) == b"234"
        assert writer.read_at(8, 10) == b"89"
        writer.write(b"ab")
        assert writer.read_at(8, 10) == b"89ab"
        writer.keep()
        assert writer.read_at(0, 3) == b"012"
    with pytest.raises(ValueError, match="no longer"):
        writer.read_at(0, 1)


def test_the_same_content_is_held_once(store: BlobStore) -> None:
    assert _keep(store, CONTENT) == _keep(store, CONTENT)
    assert list(store.walk()) == [(SHA256, len(CONTENT))]


def test_two_may_receive_at_once(store: BlobStore) -> None:
    with store.receive() as first, store.receive() as second:
        first.write(b"one")
        second.write(b"two")
        first.keep()
        second.keep()
    assert {size for _, size in store.walk()} == {3}
    assert len(list(store.walk())) == 2


@pytest.mark.parametrize("name", ["0" * 64, "", "..", "../../etc/passwd", SHA256.upper(), "ab"])
def test_what_is_not_there_is_not_found(store: BlobStore, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        store.open(name)


def test_content_is_deleted_unless_it_was_kept_anew(store: BlobStore) -> None:
    _keep(store, CONTENT)
    assert store.delete(SHA256, _from_now(hours=-1)) is False
    assert _read(store, SHA256) == CONTENT
    assert store.delete(SHA256, _from_now(hours=1)) is True
    assert list(store.walk()) == []


def test_what_is_gone_already_counts_as_deleted(store: BlobStore) -> None:
    assert store.delete(SHA256, _from_now()) is True


def test_content_that_is_being_read_outlives_its_deletion(store: BlobStore) -> None:
    _keep(store, CONTENT)
    with store.open(SHA256) as file:
        assert store.delete(SHA256, _from_now(hours=1)) is True
        assert file.read() == CONTENT
