"""Has the suite judge a Stillroom that is started for it: `python tests/conformance/run.py`.

The server is on loopback, its data in a temporary folder, in SQLite. Arguments are given to
pytest; with `--server` among them nothing is started, and that server is judged, by one worker
unless they say more (`-n 2`).
"""

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

SUITE = Path(__file__).parent
ROOT = SUITE.parents[1]
sys.path.insert(0, str(SUITE.parent))

from support.servers import ServerProcess  # noqa: E402 (only now it can be found)

USER, INDEX = "judge", "judge/stage"
MAX_FILE_SIZE = 2_100_000_000


def main(arguments: Sequence[str]) -> int:
    """Run the suite; its exit status."""
    if any(argument.partition("=")[0] == "--server" for argument in arguments):
        return _judge(arguments)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        server = ServerProcess(
            Path(folder) / "data",
            user_mirrors="true",
            private_upstreams="127.0.0.1,localhost",
            trusted_proxies="127.0.0.1",
            max_file_size=str(MAX_FILE_SIZE),
        )
        with server:
            return _judge([*_options(server), *arguments])


def _options(server: ServerProcess) -> list[str]:
    password = secrets.token_urlsafe(16)
    with closing(server.login()) as root:
        for path, body in ((USER, {"password": password}), (INDEX, {"bases": []})):
            root.put(f"/{path}", json=body).raise_for_status()
    return [
        f"--server={server.url}",
        f"--user={USER}",
        f"--password={password}",
        f"--index={INDEX}",
        f"--server-pid={server.pid}",
        f"--max-file-size={MAX_FILE_SIZE}",
        f"--administrator=root:{server.root_password}",
        "--loopback-mirrors",
        "--trusted-front",
        *("-n", "2"),
    ]


def _judge(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", SUITE, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
