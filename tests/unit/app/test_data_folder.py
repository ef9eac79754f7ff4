"""The data folder: made, held by one process, and closed to others."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stillroom_server.app.data_folder import DataFolder, DataFolderError

HOLD = """
import sys
from pathlib import Path
from stillroom_server.app.data_folder import DataFolder
with DataFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "new" / "data")
    folder.make()
    return folder


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_for_its_owner_alone(folder):
    assert _mode(folder.path) == 0o700
    folder.make()


def test_the_path_is_absolute_wherever_the_server_is_started(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folder = DataFolder(Path("data"))
    assert folder.path == tmp_path / "data"
    assert folder.database_url == f"sqlite:///{tmp_path}/data/stillroom.sqlite"


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match="cannot be made: Not a directory"):
        DataFolder(tmp_path / "file" / "data").make()
    with pytest.raises(DataFolderError, match="cannot be made: File exists"):
        DataFolder(tmp_path / "file").make()


def test_a_folder_whose_name_a_database_url_cannot_express_is_refused(tmp_path):
    with pytest.raises(DataFolderError, match="no question mark"):
        DataFolder(tmp_path / "why?").make()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_cannot_be_held(tmp_path):
    with (
        pytest.raises(DataFolderError, match="cannot be used: No such file"),
        DataFolder(tmp_path / "nope").locked(),
    ):
        pytest.fail("it is held")


def test_one_process_holds_the_folder_and_lets_go_of_it_however_it_ends(folder):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(DataFolderError, match="is used by another server; stop that one"),
            folder.locked(),
        ):
            pytest.fail("two hold it")
        holder.kill()
    with folder.locked():
        pass
    with folder.locked():
        pass


def test_the_password_file_is_for_its_owner_alone_whatever_was_there_before(folder):
    folder.write_password("first")
    folder.password_file.chmod(0o644)
    folder.write_password("second")
    assert folder.password_file.read_text() == "second\n"
    assert _mode(folder.password_file) == 0o600
