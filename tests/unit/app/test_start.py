"""What a server says and does when it starts, and its chores."""

import logging
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from stillroom_server.app import start
from stillroom_server.app.data_folder import DataFolder
from stillroom_server.app.engine import ListenError, listen
from stillroom_server.app.settings import Settings
from stillroom_server.app.start import Chores, Prepared, banner
from stillroom_server.domain.errors import StorageBusy
from stillroom_server.services.audit import PruneReport
from stillroom_server.services.sweep import SweepReport
from support.fake_upstream import PATIENCE

FOLDER = DataFolder(Path("/srv/stillroom"))


def _banner(password=None, **settings):
    return "\n".join(banner(Settings(**settings), Prepared(FOLDER, password), 8080))


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:8080/"),
        ({"host": "0.0.0.0"}, "http://localhost:8080/"),
        ({"host": "::"}, "http://localhost:8080/"),
        ({"host": "10.0.0.1"}, "http://10.0.0.1:8080/"),
        ({"host": "fe80::1"}, "http://[fe80::1]:8080/"),
        ({"outside_url": "https://tools.test/stillroom/"}, "https://tools.test/stillroom/"),
    ],
)
def test_the_banner_says_the_url_and_what_to_try(settings, url):
    said = _banner(**settings)
    assert f"URL        {url}\n" in said
    assert f"pip install --index-url {url}root/pypi/simple/ six" in said


def test_the_banner_says_where_things_are():
    said = _banner(threads=7)
    assert "data       /srv/stillroom\n" in said
    assert "database   SQLite in the data folder\n" in said
    assert "engine     waitress, 7 threads\n" in said
    assert "password" not in said


def test_the_banner_never_shows_the_password_of_the_database():
    said = _banner(database="postgresql://user:s3cret@host/name")
    assert "database   postgresql\n" in said
    assert "s3cret" not in said


def test_the_first_banner_shows_the_password_of_root_once():
    said = _banner("r4ndom")
    assert said.count("r4ndom") == 1
    assert "kept in /srv/stillroom/initial-root-password" in said


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"port: {port} is in use on 127.0.0.1; stop what"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_listened_on_is_told(host, port):
    with pytest.raises(ListenError, match=f"host: {host} port {port} cannot be listened on"):
        listen(host, port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_of_either_kind_is_listened_on(host):
    with listen(host, 0) as bound:
        assert bound.getsockname()[1] > 0


class Sweep:
    """Fails as it is told, and counts."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.swept = threading.Event()

    def run(self) -> SweepReport:
        if self._errors:
            raise self._errors.pop(0)
        self.swept.set()
        return SweepReport(1, 2, 3)


def test_the_sweep_goes_on_after_whatever_went_wrong_once(monkeypatch, caplog):
    monkeypatch.setattr(start, "FIRST_SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(start, "SWEEP_SECONDS", 0.0)
    sweep = Sweep(StorageBusy("busy"), RuntimeError("a bug"))
    chores = Chores(SimpleNamespace(sweep=sweep))
    with caplog.at_level(logging.INFO):
        chores.start()
        assert sweep.swept.wait(PATIENCE)
        chores.stop()
    assert "sweep: busy" in caplog.text
    assert "RuntimeError: a bug" in caplog.text
    assert "sweep: 1 blobs doomed, 2 deleted" in caplog.text


def test_uses_of_tokens_are_written_now_and_then(monkeypatch):
    monkeypatch.setattr(start, "TOKEN_USES_SECONDS", 0.0)
    written = threading.Event()
    chores = Chores(SimpleNamespace(token_uses=SimpleNamespace(flush=written.set)))
    chores.start()
    assert written.wait(PATIENCE)
    chores.stop()


def test_old_rows_are_forgotten_now_and_then(monkeypatch, caplog):
    monkeypatch.setattr(start, "FIRST_SWEEP_SECONDS", 0.0)
    pruned = threading.Event()

    def run(stopped):
        assert not stopped()
        pruned.set()
        return PruneReport(1, 2, 3)

    chores = Chores(SimpleNamespace(pruning=SimpleNamespace(run=run)))
    with caplog.at_level(logging.INFO):
        chores.start()
        assert pruned.wait(PATIENCE)
        chores.stop()
    assert (
        "pruning: 1 entries of the journal deleted, 2 blanked; 3 rows of fetches deleted"
        in caplog.text
    )


def test_chores_that_wait_end_at_once():
    chores = Chores(SimpleNamespace(sweep=Sweep()))
    chores.start()
    chores.stop()
    assert not chores._thread.is_alive()


def test_budgets_are_looked_at_after_something_was_fetched():
    work = []
    mirroring = SimpleNamespace(
        file_uses=SimpleNamespace(flush=lambda: work.append("flush")),
        downloads=SimpleNamespace(fetched=0),
        eviction=SimpleNamespace(run_all=lambda _stopped: work.append("evict")),
    )
    chores = Chores(SimpleNamespace(mirroring=mirroring))
    for fetched in (0, 0, 1, 1):
        mirroring.downloads.fetched = fetched
        chores._evict()
    assert work == ["flush", "evict", "flush", "flush", "evict", "flush"]
