"""The canary of the tests finds what is planted, wherever that is, and says where but not what."""

import inspect
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import planted_secrets
from support.canary import MARK, Canary
from support.planted_secrets import PASSWORD, TOKEN

TESTS = Path(__file__).parents[1]
CONFTEST = f"exec(compile(open({str(TESTS / 'conftest.py')!r}).read(), 'conftest', 'exec'))\n"
PLACES = {
    name: inspect.getdoc(test)
    for name, test in vars(planted_secrets).items()
    if name.startswith("test_")
}
"""What is planted, by the name of its test, and where it has to be found."""


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Run what is planted under the conftest of all our tests; the exit status and the output."""
    (folder / "conftest.py").write_text(CONFTEST)
    test = shutil.copy(planted_secrets.__file__, folder / "test_planted.py")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", TESTS.parent / "pyproject.toml", "--rootdir", folder),
            *options,
            test,
        ],
        cwd=folder,
        env={key: os.environ[key] for key in os.environ if not key.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_what_is_planted_fails_the_run_and_its_place_is_named(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    status, output = run(tmp_path, *options)
    assert status == pytest.ExitCode.TESTS_FAILED, output
    assert " failed" not in output, output
    said = output.partition("secrets came to light")[2]
    for name, place in PLACES.items():
        found = [line for line in said.splitlines() if line.split("[")[0].endswith(f"::{name}")]
        named = {line.partition(", in ")[0].removesuffix("-wal") for line in found}
        assert named == ({place} if place else set()), name
    assert not any(secret in said for secret in (MARK, PASSWORD, TOKEN))


def test_a_run_in_which_nothing_comes_to_light_is_not_touched(tmp_path: Path) -> None:
    clean = " or ".join(name for name, place in PLACES.items() if place is None)
    status, output = run(tmp_path, "-k", clean)
    assert status == pytest.ExitCode.OK, output
    assert "secrets" not in output


def test_every_token_that_is_made_has_the_form_that_is_looked_for() -> None:
    canary = Canary()
    for _ in range(200):
        canary.look(f"x stillroom_{secrets.token_urlsafe(32)} y".encode(), "here")
    assert len(canary.found) == 200
