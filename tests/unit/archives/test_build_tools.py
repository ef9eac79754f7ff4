"""What a build tool that is at hand makes is accepted; the others were tried by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.hostile_archives import faults_in

PYPROJECT = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[project]
name = "Some.Project"
version = "1.0.post1"
readme = "README.md"
license = "MIT"
license-files = ["LICENSE", "licences/NOTICE.txt"]
requires-python = ">=3.9"
dependencies = ["six>=1"]

[project.scripts]
run = "some_project:main"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of a small project, built by uv's own backend."""
    root = tmp_path_factory.mktemp("project")
    files = {
        "pyproject.toml": PYPROJECT,
        "README.md": "# Some project\n",
        "LICENSE": "MIT\n",
        "licences/NOTICE.txt": "Notice\n",
        "src/some_project/__init__.py": "def main(): ...\n",
        "src/some_project/data/dätä ü.txt": "data\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "uv", "build", "--offline", "--no-config", "--no-cache"]
    subprocess.run([*command, str(root)], check=True, capture_output=True)
    return root / "dist"


@pytest.mark.parametrize("suffix", [".whl", ".tar.gz"])
def test_what_uv_builds_is_accepted(built, suffix):
    [path] = built.glob(f"*{suffix}")
    assert faults_in(path.read_bytes(), path.name) == []
