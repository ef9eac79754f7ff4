"""The benchmarks run, and their figures are of the kind that they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.servers import clean_environment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(tmp_path: Path, name: str, *arguments: str) -> str:
    """What a benchmark prints."""
    ran = subprocess.run(
        [sys.executable, BENCHMARKS / name, *arguments],
        env=clean_environment(tmp_path, PATH=os.environ["PATH"], TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_benchmark_of_serving_says_what_credentials_cost(tmp_path: Path) -> None:
    printed = run(tmp_path, "serving.py", "--seconds", "0.5")
    assert re.search(r"^small page, JSON +\d+/s +[\d.]+ of /\+live$", printed, re.MULTILINE)
    for credentials, at_most in {"a token": 1.3, "a password": 1.5}.items():
        row = rf"^with {credentials} +\d+ us +([\d.]+) of without credentials$"
        found = re.search(row, printed, re.MULTILINE)
        assert found is not None, f"{row} is not in {printed}"
        assert float(found[1]) <= at_most


def test_the_benchmark_of_mirrors_prints_its_figures(tmp_path: Path) -> None:
    printed = run(tmp_path, "mirror.py", "--size", "60", "--clients", "20", "--names", "3000")
    for shown in (
        r"a file of 60 MB to 20 clients at once: [\d.]+ s",
        r"a list of 3000 names: imported in [\d.]+ s",
        r"memory at most, json in gzip, [\d.]+ MB, [\d.]+ s: (\d+ MB|unknown)",
        r"memory at most, html in gzip, [\d.]+ MB, [\d.]+ s: (\d+ MB|unknown)",
        r"search by prefix: [\d.]+ ms \(median\), [\d.]+ ms \(at most\)",
        r"upstream transfers of the file: 1\n",
    ):
        assert re.search(shown, printed), f"{shown} is not in {printed}"
    # What a client has not read yet is not kept in memory for each of them.
    assert all(int(peak) < 250 for peak in re.findall(r"(\d+) MB$", printed, re.MULTILINE))
