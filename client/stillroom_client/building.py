"""Building the sdist and wheel of a project, by the tool `build` in a process of its own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .errors import ClientError, LocalTrouble

LAST_LINES = 25


class BuildFailed(ClientError):
    """The build failed; `output` has its last lines."""

    def __init__(self, project: Path, output: str) -> None:
        super().__init__(
            f"the build of {project} failed, and nothing was uploaded: see its output above"
        )
        self.output = output


def build(project: Path, folder: Path, *, sdist: bool, wheel: bool, isolated: bool = True) -> None:
    """Build a project into a folder; without a choice the sdist, and the wheel from that.

    Raises LocalTrouble if there is no project, BuildFailed if the build fails.
    """
    if not any((project / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise LocalTrouble(
            f"no file to upload: {project} holds neither pyproject.toml nor setup.py; go to the "
            "folder of your project, or name the files"
        )
    flags = {"--sdist": sdist, "--wheel": wheel, "--no-isolation": not isolated}
    # -P keeps a build.py in the working folder from being taken for the tool.
    command = [sys.executable, "-P", "-m", "build", "--outdir", str(folder), str(project)]
    command += [flag for flag, is_set in flags.items() if is_set]
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
            check=False,
        )
        if done.returncode != 0:
            output.seek(0)
            lines = output.read().decode(errors="replace").splitlines()
            raise BuildFailed(project, "\n".join(lines[-LAST_LINES:]))


def _environment() -> dict[str, str]:
    """The environment of a build, in which pip reads what is configured for the active venv.

    The build has a virtual environment of its own, and pip reads only that one's file; so what
    `stillroom use --pip` wrote would not count for the requirements of the build.
    """
    environment = dict(os.environ)
    active = environment.get("VIRTUAL_ENV")
    file = Path(active, "pip.ini" if os.name == "nt" else "pip.conf") if active else None
    if file is not None and file.is_file():
        environment.setdefault("PIP_CONFIG_FILE", str(file))
    return environment
