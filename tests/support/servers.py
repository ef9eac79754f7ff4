"""Servers for tests: a real process on loopback, and the application alone, in this process."""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from stillroom_server.app.assembly import Adapters, Server, assemble, utc_now
from stillroom_server.app.data_folder import SQLITE
from stillroom_server.app.settings import Settings
from stillroom_server.app.upstream_credentials import upstream_credentials
from stillroom_server.archives.bounds import ArchiveLimits
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.ports import BlobStore, PasswordHasher, Upstream
from stillroom_server.services.setup import is_set_up, set_up
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.upstream.client import HttpUpstream, Limits
from stillroom_server.upstream.identity_tokens import JwtIdentityTokens

from .canary import MARK, canary

ROOT_PASSWORD = f"root{MARK}"
BIN = Path(sys.executable).parent
START_SECONDS = 30.0
LOOPBACK = ("127.0.0.1", "localhost")
"""Where the upstreams of tests are, for the setting `private_upstreams`."""

GUESS_LIMITS = ("login_failures_per_user", "login_failures_per_address", "login_failures")
MANY = 1_000_000
"""Wrong passwords that a test may send, unless it is about their limits."""

# What could make a tool look elsewhere than at our loopback servers.
FOREIGN = ("PIP_", "UV_", "TWINE_", "STILLROOM_", "DEVPI_", "VIRTUAL_ENV", "PYTHONPATH")


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which tools find no configuration but that of the test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "NO_COLOR": "1",
        **more,
    }


def free_port() -> int:
    """A port of loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`stillroom-server serve` as a process of its own, on a data folder that it makes."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        self.environment: dict[str, str] = {}
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self.stop()

    def start(self) -> None:
        """Start, and wait until it answers."""
        environment = clean_environment(self.data.parent)
        environment["STILLROOM_PRIVATE_UPSTREAMS"] = ",".join(LOOPBACK)
        for setting in GUESS_LIMITS:
            environment[f"STILLROOM_{setting.upper()}"] = str(MANY)
        environment |= {f"STILLROOM_{key.upper()}": value for key, value in self._settings.items()}
        environment |= self.environment
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [BIN / "stillroom-server", "serve", "--data", self.data, "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(f"the server ended at its start:\n{self.log.read_text()}")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/+live").status_code == 200:
                    return
            time.sleep(0.05)
        self.stop(signal.SIGKILL)
        raise AssertionError(f"the server does not answer:\n{self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, with SIGTERM unless said; its exit status."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        status = process.wait(timeout=60)
        canary.look_in_file(self.log)
        canary.look_in_database(self.data / SQLITE)
        return status

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def root_password(self) -> str:
        """Root's first password, from where the server keeps it."""
        return (self.data / "initial-root-password").read_text().strip()

    def login(self, user: str = "root", password: str | None = None) -> httpx.Client:
        """A client that is logged in with a token."""
        headers = {"Accept": "application/json"}
        client = httpx.Client(base_url=self.url, timeout=30, headers=headers)
        body = {"user": user, "password": password or self.root_password}
        answer = client.post("/+login", json=body)
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['result']['password']}"
        return client


class QuickHasher:
    """A password hasher that takes no time; counts how often it is asked."""

    def __init__(self) -> None:
        self.verified = 0

    def place(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def hash(self, password: str) -> str:
        # No more than a real one may this hash show the password.
        return f"quick:{password.replace(MARK, '-hashed')}"

    def verify(self, password_hash: str | None, password: str) -> bool:
        self.verified += 1
        return password_hash == self.hash(password)


class LocalServer:
    """The application in this process, without sockets of its own, on real adapters."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def client(self, user: str | None = None, password: str | None = None) -> httpx.Client:
        """A client of the application, anonymous or with Basic credentials."""
        auth = None
        if user is not None:
            auth = (user, password or (ROOT_PASSWORD if user == "root" else f"{user}{MARK}"))
        return httpx.Client(
            transport=httpx.WSGITransport(app=self.server.application, raise_app_exceptions=False),
            base_url="http://stillroom.test",
            auth=auth,
            headers={"Accept": "application/json"},
        )


@functools.cache
def installed_plugins() -> Plugins:
    """Those of the entry points; looking for them takes longer than most tests."""
    return Plugins()


@contextlib.contextmanager
def local_server(
    database: SqlDatabase,
    store: BlobStore,
    *,
    upstream_url: str = "http://127.0.0.1:9/simple/",
    upstream: Upstream | None = None,
    hasher: PasswordHasher | None = None,
    extra_plugins: Mapping[str, object] | None = None,
    **settings: object,
) -> Iterator[LocalServer]:
    """A set-up application; `database` must be migrated. It is not closed here.

    On a database that is set up already it is another process, as far as the rest can see.
    """
    given = {"private_upstreams": LOOPBACK, **dict.fromkeys(GUESS_LIMITS, MANY), **settings}
    configured = Settings(**given)  # type: ignore[arg-type]
    plugins = Plugins(extra_plugins) if extra_plugins else installed_plugins()
    parts = Adapters(
        database=database,
        store=store,
        upstream=upstream
        or HttpUpstream(
            user_agent="stillroom/test",
            limits=Limits(connect=1, read=1, page=2),
            credentials=upstream_credentials(configured),
            private=PrivateUpstreams.parse(configured.private_upstreams),
        ),
        identity_tokens=JwtIdentityTokens(
            user_agent="stillroom/test",
            private=PrivateUpstreams.parse(configured.private_upstreams),
            limits=Limits(connect=1, read=1, page=2),
        ),
        inspector=ArchiveInspector(ArchiveLimits()),
        hasher=hasher or QuickHasher(),
        plugins=plugins,
    )
    server = assemble(configured, parts)
    if not is_set_up(database):
        set_up(
            database,
            parts.hasher,
            utc_now,
            password=ROOT_PASSWORD,
            mirror=plugins.index_types()["mirror"],
            mirror_url=upstream_url,
        )
    try:
        yield LocalServer(server)
    finally:
        if isinstance(parts.upstream, HttpUpstream):
            parts.upstream.close()
        parts.identity_tokens.close()
