"""How much memory a process of this machine takes."""

import threading
from pathlib import Path
from typing import Self

INTERVAL = 0.02
"""Seconds between two looks."""


class Watch:
    """Looks at the resident memory of a process while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._first = self._most = self._resident()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def growth(self) -> int:
        """By how many bytes it was larger than at the beginning, at most."""
        return self._most - self._first

    def _look(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._most = max(self._most, self._resident())

    def _resident(self) -> int:
        status = Path(f"/proc/{self._pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024
