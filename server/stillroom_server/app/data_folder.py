"""The data folder: made at the first start, used by one server at a time."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from stillroom_server.domain.errors import StillroomError

LOCK = "server.lock"
SQLITE = "stillroom.sqlite"
PASSWORD = "initial-root-password"  # noqa: S105 - the name of a file


class DataFolderError(StillroomError):
    """The data folder cannot be used."""


class DataFolder:
    """Paths in the data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def database_url(self) -> str:
        """Of the SQLite database in the folder."""
        return f"sqlite:///{self.path / SQLITE}"

    @property
    def password_file(self) -> Path:
        """Where root's first password is kept until somebody removes it."""
        return self.path / PASSWORD

    def make(self) -> None:
        """Create the folder, readable by its owner alone; raises DataFolderError."""
        if "?" in str(self.path):
            # The URL of SQLite would end there, and the database would be elsewhere.
            raise DataFolderError(f"data: {self.path} must have no question mark in its path")
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DataFolderError(f"data: {self.path} cannot be made: {error.strerror}") from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise DataFolderError(f"data: {self.path} cannot be written to by this user")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; raises DataFolderError if another one does."""
        try:
            descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"data: {self.path} cannot be used: {error.strerror}") from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                    raise
                raise DataFolderError(
                    f"data: {self.path} is used by another server; stop that one, or give this "
                    "one another folder with --data"
                ) from None
            yield
        finally:
            os.close(descriptor)

    def write_password(self, password: str) -> None:
        """Keep root's first password, readable by the folder's owner alone."""
        descriptor = os.open(
            self.password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(password + "\n")
