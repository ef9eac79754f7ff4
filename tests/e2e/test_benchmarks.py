"""The benchmark of mirrors runs, and its figures are of the kind that they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.servers import clean_environment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_the_benchmark_of_mirrors_prints_its_figures(tmp_path: Path) -> None:
    arguments = ["--size", "60", "--clients", "20", "--names", "3000"]
    ran = subprocess.run(
        [sys.executable, BENCHMARKS / "mirror.py", *arguments],
        env=clean_environment(tmp_path, PATH=os.environ["PATH"], TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for shown in (
        r"a file of 60 MB to 20 clients at once: [\d.]+ s",
        r"a list of 3000 names: imported in [\d.]+ s",
        r"memory at most, json in gzip, [\d.]+ MB, [\d.]+ s: (\d+ MB|unknown)",
        r"memory at most, html in gzip, [\d.]+ MB, [\d.]+ s: (\d+ MB|unknown)",
        r"search by prefix: [\d.]+ ms \(median\), [\d.]+ ms \(at most\)",
        r"upstream transfers of the file: 1\n",
    ):
        assert re.search(shown, ran.stdout), f"{shown} is not in {ran.stdout}"
    # What a client has not read yet is not kept in memory for each of them.
    assert all(int(peak) < 250 for peak in re.findall(r"(\d+) MB$", ran.stdout, re.MULTILINE))
