"""Files that are either the old or the new version, never half of one, on every system."""

import os
import secrets
import stat
from pathlib import Path

from .errors import LocalTrouble

PRIVATE = 0o600


def read(path: Path) -> bytes | None:
    """The content of a file; None if there is none. Raises LocalTrouble if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalTrouble(f"{path} cannot be read: {error.strerror}") from None


def write(path: Path, content: bytes, *, private: bool) -> None:
    """Replace a file in one step, making its folder (mode 0700) where there is none.

    A private file has mode 0600 from the moment it exists; another keeps the mode it had. A
    symbolic link stays one: what it points to is replaced. Raises LocalTrouble.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(target, content, private=private)
    except OSError as error:
        raise LocalTrouble(f"{path} cannot be written: {error.strerror}") from None


def _replace(target: Path, content: bytes, *, private: bool) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")

    def opener(name: str, flags: int) -> int:
        # The mode is there from the start; what others may do is also for the umask to say.
        return os.open(name, flags, PRIVATE if private else 0o666)

    try:
        with open(temporary, "xb", opener=opener) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists() and not private:
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
