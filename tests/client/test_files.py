import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillroom_client import files
from stillroom_client.errors import LocalTrouble


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    files.write(tmp_path / "open", b"x", private=False)
    files.write(tmp_path / "private", b"x", private=True)
    assert mode(tmp_path / "open") == 0o640
    assert mode(tmp_path / "private") == 0o600


@pytest.mark.usefixtures("umask")
def test_an_old_file_keeps_its_mode_unless_it_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o664)
    files.write(path, b"x", private=False)
    assert mode(path) == 0o664
    files.write(path, b"y", private=True)
    assert (mode(path), files.read(path)) == (0o600, b"y")


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalTrouble, match="No space left"):
        files.write(path, b"new", private=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert files.read(tmp_path / "nothing") is None
    with pytest.raises(LocalTrouble, match=str(tmp_path)):
        files.read(tmp_path)
