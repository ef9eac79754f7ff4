"""Logins under attack, at a server with the real hash and the limits that it has by itself."""

import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from support.servers import BIN, ServerProcess, clean_environment

HASH_MEMORY_MB = 64


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    settings = {
        "public_index": "http://upstream.invalid/simple/",
        "login_failures_per_user": "10",
        "login_failures_per_address": "1000",
    }
    with ServerProcess(tmp_path / "data", **settings) as running:
        yield running


def peak_memory(server: ServerProcess) -> float:
    """The most memory that the process ever had, in MB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def login(server: ServerProcess, user: str, password: str) -> int:
    answer = httpx.post(
        f"{server.url}/+login", json={"user": user, "password": password}, timeout=60
    )
    if answer.status_code in {429, 503}:
        assert int(answer.headers["Retry-After"]) <= 10
    return answer.status_code


def test_a_burst_of_logins_is_bounded_and_pages_go_on(server: ServerProcess) -> None:
    with closing(server.login()) as root:
        assert root.get("/+api").status_code == 200
        before = peak_memory(server)
        took, done = [], threading.Event()

        def read_pages() -> None:
            while not done.is_set():
                begun = time.perf_counter()
                assert root.get("/root/pypi").status_code == 200
                took.append(time.perf_counter() - begun)

        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(40) as burst:
            reading = reader.submit(read_pages)
            statuses = Counter(
                burst.map(lambda number: login(server, f"user{number}", "wrong"), range(200))
            )
            done.set()
            reading.result()
    assert set(statuses) == {401, 503}, statuses
    # Two at once and not two hundred: each takes 64 MiB.
    assert peak_memory(server) - before < 4 * HASH_MEMORY_MB
    assert statistics.median(took) < 0.5


def test_a_lock_outlives_a_restart_and_ends_by_hand(server: ServerProcess) -> None:
    password = server.root_password
    with closing(server.login()) as root:
        assert [login(server, "root", f"wrong {number}") for number in range(6)] == [401] * 6
        server.stop()
        server.start()
        root.base_url = server.url
        statuses = [login(server, "root", f"wrong again {number}") for number in range(5)]
        assert statuses == [401] * 4 + [429]
        assert login(server, "root", password) == 429
        assert root.get("/root").status_code == 200
    _unlock(server)
    assert login(server, "root", password) == 200


def _unlock(server: ServerProcess) -> None:
    subprocess.run(
        [BIN / "stillroom-server", "unlock", "root", "--data", server.data],
        env=clean_environment(server.data.parent),
        check=True,
        timeout=60,
    )
