"""How fast pages are served, as ratios to the cheapest answer of the same server in the same run.

Starts a server on loopback with an upstream that lists one small and one large project, asks for
each kind of page over kept-alive connections, and prints requests a second, the ratio to
`/+live`, how long the first page took from the start of the process, and the memory.
"""

import argparse
import http.client
import http.server
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = Path(sys.executable).parent / "stillroom-server"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json", "Accept-Encoding": "gzip"}
HTML = {"Accept": "text/html", "Accept-Encoding": "identity"}
PROJECTS = {"small": 20, "large": 4_000}


def upstream_page(project: str, count: int) -> bytes:
    """A page in JSON with so many files."""
    files = [
        {
            "filename": f"{project}-{number}.0-py3-none-any.whl",
            "url": f"/files/{project}-{number}.0-py3-none-any.whl",
            "hashes": {"sha256": f"{number:064x}"},
            "size": 1000 + number,
            "upload-time": "2026-01-02T03:04:05.000000Z",
            "requires-python": ">=3.9",
            "core-metadata": {"sha256": f"{number:064x}"},
        }
        for number in range(count)
    ]
    page = {"meta": {"api-version": "1.1"}, "name": project, "files": files}
    return json.dumps(page).encode()


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers for the projects."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a project's page."""
        project = self.path.rstrip("/").rpartition("/")[2]
        body = upstream_page(project, PROJECTS[project])
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def upstream() -> Iterator[str]:
    """An upstream on loopback; its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def stillroom(data: Path, upstream_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that answers."""
    command = [SERVER, "serve", "--data", data, "--port", str(port), "--log-level", "error"]
    environment = {
        **os.environ,
        "STILLROOM_PUBLIC_INDEX": upstream_url,
        "STILLROOM_PRIVATE_UPSTREAMS": "127.0.0.1",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    """Wait until something listens."""
    for _attempt in range(3_000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise SystemExit("the server does not start")


def rate(port: int, path: str, headers: dict[str, str], seconds: float) -> float:
    """Requests a second over one connection that is kept alive."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    asked = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in {200, 304}:
            raise SystemExit(f"{path}: {answer.status}")
        asked += 1
    connection.close()
    return asked / (time.perf_counter() - begun)


def etag(port: int, path: str) -> str:
    """The ETag of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=JSON)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["ETag"]


def resident(process: subprocess.Popen[bytes]) -> str:
    """The memory of a process; only Linux tells."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return "unknown"
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return f"{int(line.split()[1]) / 1024:.0f} MB"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind of page")
    seconds = parser.parse_args().seconds
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, upstream() as url:
        data = Path(folder) / "data"
        page = "/root/pypi/simple/{}/"
        with stillroom(data, url, port):
            etag(port, page.format("small"))
        begun = time.perf_counter()
        with stillroom(data, url, port) as process:
            idle = resident(process)
            small = etag(port, page.format("small"))
            print(f"first page after the start: {time.perf_counter() - begun:.2f} s")
            rows = {
                "/+live": ("/+live", {}),
                "small page, JSON": (page.format("small"), JSON),
                "small page, HTML": (page.format("small"), HTML),
                "small page, 304": (page.format("small"), {**JSON, "If-None-Match": small}),
                "large page, JSON gzip": (page.format("large"), JSON),
                "large page, HTML": (page.format("large"), HTML),
            }
            rates = {name: rate(port, *row, seconds) for name, row in rows.items()}
            for name, value in rates.items():
                print(f"{name:<24}{value:>8.0f}/s   {value / rates['/+live']:.2f} of /+live")
            print(f"memory: {idle} idle, {resident(process)} after the run")


if __name__ == "__main__":
    main()
