"""What a large file and a long list of names cost a mirror: memory, upstream transfers, seconds.

Starts an upstream that makes its content up while it sends it, a server that mirrors it, and
clients that throw away what they get, each in processes of their own on loopback. First many
clients ask for one file at once; then, with a fresh server, the list of all projects is imported,
served and searched.
"""

import argparse
import base64
import hashlib
import http.client
import json
import multiprocessing
import random
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

from serving import stillroom
from stillroom_server.testing import Distribution, LocalUpstream, Reply, Request, generated_name

MB = 1_000_000
BLOCK = hashlib.shake_128(b"a file that nobody stores").digest(MB)
METADATA = b"Metadata-Version: 2.1\nName: large\nVersion: 1.0\n"
FILENAME = "large-1.0.tar.gz"
CLIENTS_IN_A_PROCESS = 5
SEARCHES = 100

processes = multiprocessing.get_context("spawn")


def digest(megabytes: int) -> str:
    """The SHA-256 of so many blocks."""
    made = hashlib.sha256()
    for _ in range(megabytes):
        made.update(BLOCK)
    return made.hexdigest()


class Upstream(LocalUpstream):
    """Lists one file of so many megabytes, and so many generated names."""

    def __init__(self, megabytes: int, sha256: str, names: int) -> None:
        super().__init__()
        self.generated_names = names
        self._megabytes = megabytes
        row = {"hashes": {"sha256": sha256}, "size": megabytes * MB}
        self.add(Distribution(FILENAME, b"", METADATA), core_metadata=False, row=row)

    def respond(self, request: Request) -> Reply:
        """Make the file up on its way; the rest is as ever."""
        if not request.path.startswith("/files/"):
            return super().respond(request)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(self._megabytes * MB),
        }
        return Reply(200, headers, (BLOCK for _ in range(self._megabytes)))


def run_upstream(pipe: Connection, megabytes: int, sha256: str, names: int) -> None:
    """Tell the URL; when asked to end, tell how many transfers of the file there were."""
    with Upstream(megabytes, sha256, names) as running:
        pipe.send(running.url)
        pipe.recv()
        pipe.send(sum(path.startswith("/files/") for path in running.paths))


def run_clients(port: int, path: str, count: int, size: int) -> None:
    """Ask for the file so many times at once; exits with an error if one of them is cut."""
    received: list[int] = []
    threads = [Thread(target=lambda: received.append(fetch(port, path))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if received != [size] * count:
        raise SystemExit(f"clients got {received} bytes in place of {size}")


def fetch(port: int, path: str, headers: dict[str, str] | None = None) -> int:
    """Ask, and throw away what comes; how many bytes that were."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {answer.read(500)!r}")
    received = 0
    buffer = bytearray(MB)
    while count := answer.readinto(buffer):
        received += count
    connection.close()
    return received


class Measured:
    """A server process with the data folder that it made."""

    def __init__(self, process: subprocess.Popen[bytes], data: Path, port: int) -> None:
        self.port = port
        self._proc = Path(f"/proc/{process.pid}")
        password = (data / "initial-root-password").read_text().strip()
        self.root = {
            "Authorization": f"Basic {base64.b64encode(f'root:{password}'.encode()).decode()}"
        }

    def forget_peak(self) -> None:
        """Let the peak of the memory begin now; only Linux can."""
        if self._proc.exists():
            (self._proc / "clear_refs").write_text("5")

    def peak(self) -> str:
        """The most memory that it had since then; only Linux tells."""
        if not self._proc.exists():
            return "unknown"
        lines = (self._proc / "status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM"))
        return f"{int(line.split()[1]) * 1024 / MB:.0f} MB"


@contextmanager
def server(url: str) -> Iterator[Measured]:
    """A fresh server that mirrors an upstream."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with stillroom(data, url, port) as process:
            yield Measured(process, data, port)


def measure_file(url: str, sha256: str, megabytes: int, clients: int) -> None:
    """One file to many clients at once."""
    with server(url) as running:
        fetch(running.port, "/root/pypi/simple/large/")
        running.forget_peak()
        begun = time.perf_counter()
        path = f"/root/pypi/+f/large/{sha256}/{FILENAME}"
        counts = [
            min(CLIENTS_IN_A_PROCESS, clients - first)
            for first in range(0, clients, CLIENTS_IN_A_PROCESS)
        ]
        started = [
            processes.Process(target=run_clients, args=(running.port, path, n, megabytes * MB))
            for n in counts
        ]
        for process in started:
            process.start()
        for process in started:
            process.join()
        seconds = time.perf_counter() - begun
        if any(process.exitcode for process in started):
            raise SystemExit("not every client got the file")
        print(f"a file of {megabytes} MB to {clients} clients at once: {seconds:.1f} s")
        print(f"  memory at most: {running.peak()}")


def measure_names(url: str, names: int) -> None:
    """The list of all projects, from its first mention."""
    with server(url) as running:
        add_mirror(running, url)
        running.forget_peak()
        path = "/root/all/simple/"
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.request("HEAD", path, headers={**running.root, **accept("json")})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        print(f"a list of {names} names: imported in {time.perf_counter() - begun:.1f} s")
        print(f"  memory at most, import: {running.peak()}")
        for form in ("json", "html"):
            running.forget_peak()
            begun = time.perf_counter()
            size = fetch(running.port, path, {**running.root, **accept(form)})
            seconds = time.perf_counter() - begun
            said = f"{form} in gzip, {size / MB:.2f} MB, {seconds:.1f} s"
            print(f"  memory at most, {said}: {running.peak()}")
        found = search_times(connection, running, names)
        print(f"  search by prefix: {found[0]:.1f} ms (median), {found[1]:.1f} ms (at most)")
        connection.close()


def add_mirror(running: Measured, url: str) -> None:
    """Make the index root/all, a mirror that lists all that its upstream has."""
    options = {"type": "mirror", "mirror_url": url, "mirror_no_project_list": False}
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    headers = {**running.root, "Content-Type": "application/json", "Accept": "application/json"}
    connection.request("PUT", "/root/all", json.dumps(options), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"PUT /root/all: {answer.status} {answer.read()!r}")
    connection.close()


def accept(form: str) -> dict[str, str]:
    """The headers of somebody who wants a list in this form."""
    return {"Accept": f"application/vnd.pypi.simple.v1+{form}", "Accept-Encoding": "gzip"}


def search_times(
    connection: http.client.HTTPConnection, running: Measured, names: int
) -> tuple[float, float]:
    """Median and maximum, in milliseconds, of searches for prefixes of names at random."""
    chosen = random.Random(7)
    times = []
    for _ in range(SEARCHES):
        name = generated_name(chosen.randrange(names))
        prefix = name[: chosen.randrange(len("project-"), len(name) + 1)]
        begun = time.perf_counter()
        connection.request("GET", f"/root/all/+projects?prefix={prefix}", headers=running.root)
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200 or prefix.encode() not in body:
            raise SystemExit(f"search for {prefix}: {answer.status} {body[:500]!r}")
    return statistics.median(times), max(times)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2_000, help="of the file, in MB")
    parser.add_argument("--clients", type=int, default=20, help="that want it at once")
    parser.add_argument("--names", type=int, default=1_000_000, help="on the list of projects")
    given = parser.parse_args()
    sha256 = digest(given.size)
    ours, theirs = processes.Pipe()
    upstream = processes.Process(
        target=run_upstream, args=(theirs, given.size, sha256, given.names), daemon=True
    )
    upstream.start()
    url = ours.recv()
    measure_file(url, sha256, given.size, given.clients)
    measure_names(url, given.names)
    ours.send("end")
    print(f"upstream transfers of the file: {ours.recv()}")
    upstream.join()


if __name__ == "__main__":
    main()
