"""Runs the proxy that speaks HTTP/2."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from support.servers import free_port

PARALLEL = 50
"""How many wheels have to be asked for at once before the first is answered."""
SECONDS = 30.0


@dataclass(frozen=True)
class Passed:
    """A request that passed, with the version of HTTP that the client spoke."""

    version: str
    method: str
    status: int
    path: str


class Http2Front:
    """`http2_front.py` in front of `target`; `environment` is where it is installed."""

    def __init__(
        self, target: str, environment: Path, authority: trustme.CA, folder: Path
    ) -> None:
        self._port = free_port()
        self._log = folder / "http2-front.log"
        self._log.touch()
        certificate = folder / "http2-front.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        self._command = [
            *(environment / "bin" / "hypercorn", "--bind", f"127.0.0.1:{self._port}"),
            *("--certfile", certificate, "--keyfile", certificate),
            "http2_front:app",
        ]
        self._variables = {
            "PATH": os.environ["PATH"],
            "TARGET": target,
            "LOG": str(self._log),
            "PARALLEL": str(PARALLEL),
        }
        self._said = folder / "http2-front.out"

    @property
    def url(self) -> str:
        """What clients are given in the place of the target's URL."""
        return f"https://localhost:{self._port}"

    @property
    def requests(self) -> list[Passed]:
        """All requests so far."""
        lines = [line.split(maxsplit=3) for line in self._log.read_text().splitlines()]
        return [Passed(version, how, int(status), path) for version, how, status, path in lines]

    def __enter__(self) -> Self:
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                self._command,
                cwd=Path(__file__).parent,
                env=self._variables,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + SECONDS
        while "Running on" not in self._said.read_text():
            assert self._process.poll() is None, self._said.read_text()
            assert time.monotonic() < deadline, "the proxy does not start"
            time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=SECONDS)
