"""The test that the documentation shows is run as it stands, and its tables are complete."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

from docs.examples import ROOT, blocks
from stillroom_server.testing import Fault
from support.servers import clean_environment

GUIDE = "docs/plugins/testing.md"


def test_the_test_of_the_guide_passes(tmp_path: Path) -> None:
    (example,) = [block for block in blocks(GUIDE) if block.language == "python"]
    (tmp_path / "test_example.py").write_text(example.text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=clean_environment(tmp_path, PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_the_guide_has_everything_that_can_go_wrong() -> None:
    text = (ROOT / GUIDE).read_text("utf-8")
    shown = set(re.findall(r"\b(\w+)=", text)) | {"pattern", "times"}
    faults = {field.name for field in dataclasses.fields(Fault) if field.init}
    assert faults - shown == set()
