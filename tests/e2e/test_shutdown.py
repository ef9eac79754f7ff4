"""How a server ends, in order and not, and what it needs while it does nothing."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from functional.http_driver import HttpDriver, form_fields
from functional.installer import Installer
from stillroom_server.testing import LocalUpstream
from support.distributions import Distribution, make_wheel
from support.servers import ServerProcess

INDEX = "root/index"
IDLE_MEGABYTES = 120


@pytest.fixture
def server(tmp_path: Path, upstream: LocalUpstream) -> Iterator[ServerProcess]:
    """A server that a test may end as it likes."""
    with ServerProcess(tmp_path / "data", public_index=upstream.url) as running:
        yield running


@pytest.fixture
def root(server: ServerProcess) -> Iterator[HttpDriver]:
    """The administrator, with an index that everyone may read."""
    with closing(HttpDriver(server.url)) as person:
        assert person.login("root", server.root_password).done
        assert person.create_index(INDEX, bases="root/pypi", acl_read=":ANONYMOUS:").done
        yield person


@pytest.fixture
def installer(server: ServerProcess) -> Iterator[Installer]:
    """Somebody's pip or uv."""
    with closing(Installer(server.url)) as reader:
        yield reader


class SlowUpload:
    """Sends an upload whose end waits until it is told to."""

    def __init__(self, server: ServerProcess, distribution: Distribution) -> None:
        self.is_half_sent = threading.Event()
        self.may_end = threading.Event()
        self._server = server
        self._distribution = distribution

    def run(self) -> int:
        """Send it; the status of the answer."""
        form = httpx.Request(
            "POST",
            f"{self._server.url}/{INDEX}/",
            data=form_fields(self._distribution),
            files={"content": (self._distribution.filename, self._distribution.content)},
        )
        body = form.read()
        headers = {name: form.headers[name] for name in ("Content-Type", "Content-Length")}
        return httpx.post(
            form.url,
            content=self._in_halves(body),
            headers=headers,
            auth=("root", self._server.root_password),
            timeout=30,
        ).status_code

    def _in_halves(self, body: bytes) -> Iterator[bytes]:
        yield body[: len(body) // 2]
        self.is_half_sent.set()
        assert self.may_end.wait(20)
        yield body[len(body) // 2 :]


def test_sigterm_lets_transfers_end(
    server: ServerProcess, root: HttpDriver, upstream: LocalUpstream, installer: Installer
) -> None:
    public = make_wheel("public", members={"data.bin": bytes(300_000)})
    upstream.add(public)
    hold = threading.Event()
    upstream.fault(f"/files/{public.sha256}/*.whl", hold=hold)
    private = make_wheel("private")
    upload = SlowUpload(server, private)
    with ThreadPoolExecutor() as pool:
        downloading = pool.submit(installer.download, INDEX, "public", public.filename)
        uploading = pool.submit(upload.run)
        upstream.wait_for(f"/files/{public.sha256}/*.whl")
        assert upload.is_half_sent.wait(20)
        ending = pool.submit(server.stop)
        wait_until_refused(server)
        assert not ending.done()
        hold.set()
        upload.may_end.set()
        assert downloading.result() == public.content
        assert uploading.result() == 200
        assert ending.result() == 0
    server.start()
    assert installer.download(INDEX, "private", private.filename) == private.content


def test_what_is_asked_for_in_the_background_holds_up_no_end(
    server: ServerProcess, root: HttpDriver, upstream: LocalUpstream
) -> None:
    upstream.add(make_wheel("public"))
    assert root.change_index("root/pypi", "mirror_cache_expiry=0").done
    page = f"{server.url}/root/pypi/simple/public/"
    headers = {"Authorization": root.authorization}
    assert httpx.get(page, headers=headers).status_code == 200
    upstream.fault("/simple/public/", then="stall")
    assert "stale" in httpx.get(page, headers=headers, timeout=30).headers["Cache-Status"]
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 10
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def wait_until_refused(server: ServerProcess) -> None:
    """Wait until the server takes no new connections."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{server.url}/+live")
        except httpx.ConnectError:
            return
        except httpx.TransportError:
            continue
    raise AssertionError("the server still takes connections")


def test_what_was_acknowledged_survives_a_kill(
    server: ServerProcess, root: HttpDriver, installer: Installer
) -> None:
    acknowledged: list[Distribution] = []
    enough = threading.Event()
    headers = {"Authorization": root.authorization}

    def upload_for_ever(lane: int) -> None:
        with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
            for number in range(10_000):
                wheel = make_wheel(f"lane{lane}", f"{number}.0", body="x" * 20_000)
                content = {"content": (wheel.filename, wheel.content)}
                try:
                    answer = client.post(f"/{INDEX}/", data=form_fields(wheel), files=content)
                except httpx.TransportError:
                    return
                assert answer.status_code == 200, answer.text
                acknowledged.append(wheel)
                if len(acknowledged) >= 40:
                    enough.set()

    with ThreadPoolExecutor() as pool:
        lanes = [pool.submit(upload_for_ever, lane) for lane in range(4)]
        assert enough.wait(60)
        server.stop(signal.SIGKILL)
        for lane in lanes:
            lane.result()
    server.start()
    for wheel in acknowledged:
        project = wheel.filename.partition("-")[0]
        assert installer.download(INDEX, project, wheel.filename) == wheel.content


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_an_idle_server_is_small(server: ServerProcess) -> None:
    assert server.stop() == 0
    began = time.monotonic()
    server.start()
    answer = httpx.get(f"{server.url}/root/pypi/simple/", headers={"Accept": "text/html"})
    seconds = time.monotonic() - began
    assert answer.status_code == 200
    status = Path(f"/proc/{server.pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    megabytes = int(lines["VmRSS"].split()[0]) / 1024
    # The time is told and not tested: it says as much of the machine as of the server.
    print(f"first page {seconds:.2f} s after the start; {megabytes:.0f} MB in memory")
    assert megabytes < IDLE_MEGABYTES
