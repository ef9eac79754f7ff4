"""Whether a file would end up in a git repository."""

import subprocess
from pathlib import Path

from ..platform import Platform

SECONDS = 10


def would_commit(platform: Platform, path: Path) -> bool:
    """Whether a file lies in a git work tree and is not ignored there.

    Where git itself cannot be asked, the answer is yes: a token must not be committed.
    """
    folder = path.parent
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return False
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            ["git", "check-ignore", "--quiet", path.name],  # noqa: S607 - the git of the person
            cwd=folder,
            env=dict(platform.environ),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode != 0
