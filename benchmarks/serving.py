"""How fast pages are served, as ratios to the cheapest answer of the same server in the same run.

Starts a server on loopback with an upstream that lists one small and one large project, asks for
each kind of page over kept-alive connections, and prints requests a second, the ratio to
`/+live`, how long the first page took from the start of the process, and the memory. Then it asks
for one page in turns with no credentials, with a token and with a password, and prints what these
cost as a ratio of what the page costs without. STILLROOM_DATABASE says which database is used.
"""

import argparse
import base64
import http.client
import http.server
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
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


def seconds_each(
    port: int, path: str, requesters: Mapping[str, Mapping[str, str]], seconds: float
) -> dict[str, float]:
    """How long a request takes with each of these headers, in seconds: the median of many.

    They are asked in turns, so that whatever else the machine does concerns all of them.
    """
    connections = {name: http.client.HTTPConnection("127.0.0.1", port) for name in requesters}
    took: dict[str, list[float]] = {name: [] for name in requesters}
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for name, headers in requesters.items():
            asked = time.perf_counter()
            connections[name].request("GET", path, headers=headers)
            answer = connections[name].getresponse()
            answer.read()
            took[name].append(time.perf_counter() - asked)
            if answer.status != 200:
                raise SystemExit(f"{path} {name}: {answer.status}")
    for connection in connections.values():
        connection.close()
    return {name: statistics.median(times) for name, times in took.items()}


def token(port: int, password: str) -> str:
    """A token of root."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"user": "root", "password": password})
    connection.request("POST", "/+login", body, {"Content-Type": "application/json"})
    answer = json.load(connection.getresponse())
    connection.close()
    secret: str = answer["result"]["password"]
    return secret


def requesters(port: int, data: Path) -> dict[str, dict[str, str]]:
    """The headers of a stranger, of a token's holder, and of who sends a password each time."""
    password = (data / "initial-root-password").read_text().strip()
    basic = base64.b64encode(f"root:{password}".encode()).decode()
    return {
        "without credentials": JSON,
        "with a token": {**JSON, "Authorization": f"Bearer {token(port, password)}"},
        "with a password": {**JSON, "Authorization": f"Basic {basic}"},
    }


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
            people = requesters(port, data)
            each = seconds_each(port, page.format("small"), people, 3 * seconds)
            for name, value in each.items():
                ratio = value / each["without credentials"]
                print(f"{name:<24}{value * 1e6:>8.0f} us  {ratio:.2f} of without credentials")
            print(f"memory: {idle} idle, {resident(process)} after the run")


if __name__ == "__main__":
    main()
