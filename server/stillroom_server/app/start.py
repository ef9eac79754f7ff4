"""Getting a data folder ready, and running a server on it until it is told to stop."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stillroom_server.domain.errors import StillroomError
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.setup import is_set_up, new_password, set_up
from stillroom_server.storage import migrate
from stillroom_server.storage.database import SqlDatabase

from .assembly import Server, adapters, assemble, database_url, utc_now, version
from .data_folder import DataFolder
from .engine import Engine, Limits, listen
from .settings import Settings

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0
FIRST_SWEEP_SECONDS = 300.0
MIRRORS_SECONDS = 60.0
"""Between two looks at what mirrors keep and what of it was used."""
TOKEN_USES_SECONDS = 30.0
PRUNING_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data folder that is ready; `password` is root's where it was just made."""

    folder: DataFolder
    password: str | None = field(repr=False)


def prepare(settings: Settings) -> Prepared:
    """Make what the first start needs, and check what later ones find.

    The folder must be locked. Raises StillroomError: a database of another version is never
    changed unasked, and an interrupted first start is taken up again.
    """
    folder = DataFolder(settings.data)
    url = database_url(settings)
    if migrate.state_of(migrate.current(url)) is migrate.SchemaState.EMPTY:
        migrate.upgrade(url)
    migrate.check(url)
    database = SqlDatabase(url)
    try:
        if is_set_up(database):
            return Prepared(folder, None)
        return Prepared(folder, _first_start(settings, folder, database))
    finally:
        database.close()


def _first_start(settings: Settings, folder: DataFolder, database: SqlDatabase) -> str:
    from stillroom_server.builtin.password import Argon2Hasher

    plugins = Plugins()
    plugins.blob_store(settings.blob_store).create(folder.path)
    password = new_password()
    folder.write_password(password)
    set_up(
        database,
        Argon2Hasher(),
        utc_now,
        password=password,
        mirror=plugins.index_types()["mirror"],
        mirror_url=settings.public_index or _public_index(),
    )
    return password


def _public_index() -> str:
    # Imported late: it brings a good part of a second of imports, for one constant.
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return str(PYPI_SIMPLE_ENDPOINT)


@contextmanager
def locked_folder(settings: Settings) -> Iterator[DataFolder]:
    """The data folder, made if need be, and held for this process."""
    folder = DataFolder(settings.data)
    folder.make()
    with folder.locked():
        yield folder


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises StillroomError if it cannot start.

    `say` gets the start banner, line by line.
    """
    with locked_folder(settings):
        bound = listen(settings.host, settings.port)
        try:
            prepared = prepare(settings)
            server = assemble(settings, adapters(settings))
        except BaseException:
            bound.close()
            raise
        engine = Engine(
            server.application,
            bound,
            threads=settings.threads,
            limits=Limits(
                head_seconds=settings.head_seconds,
                slow_seconds=settings.slow_seconds,
                connections=settings.connections,
            ),
            shutdown_seconds=settings.shutdown_seconds,
        )
        chores = Chores(server)
        server.events.start()
        server.services.fetches.start()
        chores.start()
        for line in banner(settings, prepared, bound.getsockname()[1]):
            say(line)
        try:
            engine.run()
        finally:
            chores.stop()
            server.close()


def banner(settings: Settings, prepared: Prepared, port: int) -> Iterator[str]:
    """What a server says of itself when it starts."""
    url = settings.outside_url.rstrip("/") or f"http://{_shown_host(settings.host)}:{port}"
    kind = "SQLite in the data folder"
    if settings.database:
        kind = settings.database.partition("://")[0]
    yield f"Stillroom {version()}"
    yield f"  URL        {url}/"
    yield f"  data       {prepared.folder.path}"
    yield f"  database   {kind}"
    yield f"  engine     waitress, {settings.threads} threads"
    yield f"  try        pip install --index-url {url}/root/pypi/simple/ six"
    if prepared.password is not None:
        yield ""
        yield f"  root's password is {prepared.password}"
        yield f"  It is shown this once, and kept in {prepared.folder.password_file}."


def _shown_host(host: str) -> str:
    if host in {"127.0.0.1", "0.0.0.0", "::", "::1"}:  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that a running server does every so many seconds, the first time after `first`."""

    name: str
    first: float
    every: float
    work: Callable[[], None]


class Chores:
    """What a running server does now and then, one thing after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._evicted_after: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the chore at hand."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        chores = (
            Chore("sweep", FIRST_SWEEP_SECONDS, SWEEP_SECONDS, self._sweep),
            Chore("eviction", MIRRORS_SECONDS, MIRRORS_SECONDS, self._evict),
            Chore("token uses", TOKEN_USES_SECONDS, TOKEN_USES_SECONDS, self._note_token_uses),
            Chore("pruning", FIRST_SWEEP_SECONDS, PRUNING_SECONDS, self._prune),
            Chore("old lists", FIRST_SWEEP_SECONDS, SWEEP_SECONDS, self._drop_lists),
        )
        begun = time.monotonic()
        due = {chore.name: begun + chore.first for chore in chores}
        while not self._stop.wait(max(0.0, min(due.values()) - time.monotonic())):
            for chore in chores:
                if due[chore.name] <= time.monotonic() and not self._stop.is_set():
                    self._do(chore)
                    due[chore.name] = time.monotonic() + chore.every

    def _do(self, chore: Chore) -> None:
        try:
            chore.work()
        except StillroomError as error:
            log.warning("%s: %s", chore.name, error)
        except Exception:
            log.exception("%s: it failed; it is tried again", chore.name)

    def _sweep(self) -> None:
        report = self._server.sweep.run()
        log.info("sweep: %d blobs doomed, %d deleted", report.doomed, report.deleted)

    def _evict(self) -> None:
        """Note what was used; if anything was fetched since the last time, keep within budgets."""
        mirroring = self._server.mirroring
        mirroring.file_uses.flush()
        fetched = mirroring.downloads.fetched
        if fetched != self._evicted_after:
            mirroring.eviction.run_all(self._stop.is_set)
            self._evicted_after = fetched

    def _note_token_uses(self) -> None:
        self._server.token_uses.flush()

    def _prune(self) -> None:
        report = self._server.pruning.run(self._stop.is_set)
        log.info(
            "pruning: %d entries of the journal deleted, %d blanked; %d rows of fetches deleted",
            report.deleted, report.blanked, report.fetches,
        )  # fmt: skip

    def _drop_lists(self) -> None:
        dropped = self._server.services.lists.drop_old()
        log.info("old lists: %d names of lists that hold no more deleted", dropped)
