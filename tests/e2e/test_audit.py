"""What a server process records, and what is left when it ends."""

import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.distributions import make_wheel
from support.servers import ServerProcess
from support.site import file_url, new_index, upload

WHEEL = make_wheel("demo", "1.0")


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    return ServerProcess(tmp_path / "data", public_index="http://upstream.invalid/simple/")


def _fetched(server: ServerProcess) -> list[dict[str, Any]]:
    with closing(server.login()) as root:
        return root.get("/+fetches").json()["result"]


def test_a_server_that_is_told_to_stop_loses_no_fetch(server: ServerProcess) -> None:
    with server:
        with closing(server.login()) as root:
            new_index(root, "root/stage")
            upload(root, "root/stage", WHEEL)
            assert root.get(file_url("root/stage", "demo", WHEEL)).content == WHEEL.content
        server.stop(signal.SIGTERM)
        server.start()
        [fetch] = _fetched(server)
    assert (fetch["user"], fetch["filename"]) == ("root", WHEEL.filename)
    assert fetch["address"] in {"127.0.0.1", "::1"}


def test_no_line_of_the_log_is_forged(server: ServerProcess) -> None:
    forged = "x\n2026-01-31 10:39:12,000 INFO root: all is well\x1b[2K"
    with server:
        with closing(server.login()) as root:
            new_index(root, "root/stage")
            upload(root, "root/stage", WHEEL)
            answer = root.patch("/root/stage/demo/1.0", json={"yanked": forged})
            assert answer.status_code in {200, 400}
            root.get("/root/x%0A%1B[2K", headers={"User-Agent": "x\x1b[2K"})
            root.post("/+login", json={"user": forged, "password": "a wrong one"})
        server.stop(signal.SIGTERM)
    log = server.log.read_text()
    assert "login refused" in log
    assert "\x1b" not in log
    assert "\n2026-01-31" not in log
