"""Rows P-01 to P-04, P-06 and P-17: an upstream that is away, slow, broken, or says "no such".

What is kept is served and says that it is stale; what is not kept is a 502 or 504; only what an
upstream says does not exist is a 404.
"""

import logging
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from faults.asking import (
    Authority,
    arrives,
    ask,
    asked,
    blobs,
    finish_fetching,
    is_stale,
    wait_until,
)
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.site import Site, filenames, new_index, send, upload

WHEEL = make_wheel("example", "1.0")
NEWER = make_wheel("example", "2.0")
PAGE = "/simple/example/"


def expire(site: Site, index: str = "root/pypi") -> None:
    answer = site.root.patch(f"/{index}", json=["mirror_cache_expiry=0"])
    assert answer.status_code == 200, answer.text


def alarms(caplog: pytest.LogCaptureFixture) -> str:
    """What an administrator reads in the log."""
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return "\n".join(record.getMessage() for record in records)


# P-01: nobody there, or not the one that it should be


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that our server trusts, and no other."""
    trusted = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.path))
    return trusted


BAD_CERTIFICATES: dict[str, Callable[[Authority, Path], Path]] = {
    "expired": lambda authority, _folder: authority.issue(
        "localhost", not_after=datetime.now(UTC) - timedelta(days=1)
    ),
    "of another host": lambda authority, _folder: authority.issue("index.example"),
    "of an authority that is not trusted": lambda _authority, folder: stranger(folder).issue(
        "localhost"
    ),
}


def stranger(folder: Path) -> Authority:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Authority(elsewhere)


@pytest.mark.parametrize("what", BAD_CERTIFICATES)
def test_p01_a_bad_certificate_is_an_alarm_a_stale_page_or_a_bad_gateway(
    make_site: Callable[..., Site],
    authority: Authority,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    with LocalUpstream(certificate=authority.issue("localhost")) as upstream:
        upstream.add(WHEEL)
        site = make_site(upstream_url=upstream.url)
        expire(site)
        fresh = ask(site)
        assert not is_stale(fresh)
        assert arrives(site, WHEEL)
        finish_fetching()
        upstream.stop()
        upstream.certificate = BAD_CERTIFICATES[what](authority, tmp_path)
        upstream.start()
        before = len(upstream.requests)

        stale, absent = ask(site), ask(site, "absent")

        assert is_stale(stale)
        assert stale.json()["files"] == fresh.json()["files"]
        assert absent.status_code == 502
        assert "certificate" in absent.text
        assert len(upstream.requests) == before
        assert "certificate" in alarms(caplog)


def test_p01_a_refused_connection_is_an_alarm_a_stale_page_or_a_bad_gateway(
    site: Site, upstream: LocalUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.add(WHEEL)
    fresh = ask(site)
    assert arrives(site, WHEEL)
    finish_fetching()
    upstream.stop()

    stale, absent = ask(site), ask(site, "absent")

    assert is_stale(stale)
    assert int(stale.headers["Age"]) >= 0
    assert stale.json()["files"] == fresh.json()["files"]
    assert arrives(site, WHEEL)
    assert absent.status_code == 502
    assert absent.headers["Retry-After"].isdigit()
    assert "connection refused" in alarms(caplog)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """The addresses of names that the tests make up; a name without any cannot be resolved."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: object, **options: object) -> list[object]:
        if not str(host).endswith(".example"):
            return real(host, *arguments, **options)
        found = [answer for a in known.get(host, []) for answer in real(a, *arguments, **options)]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_p01_a_name_that_has_no_address_any_more_is_an_alarm_a_stale_page_or_a_bad_gateway(
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    names: dict[str, list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    upstream.add(WHEEL)
    names["index.example"] = ["127.0.0.1"]
    site = make_site(upstream_url=f"http://index.example:{upstream.port}/simple/")
    expire(site)
    fresh = ask(site)
    assert [file["filename"] for file in fresh.json()["files"]] == [WHEEL.filename]
    names.clear()
    upstream.stop()  # no connection of before can be used
    upstream.start()

    stale, absent = ask(site), ask(site, "absent")

    assert is_stale(stale)
    assert stale.json()["files"] == fresh.json()["files"]
    assert absent.status_code == 502
    assert "its name has no address" in absent.text
    assert "its name has no address" in alarms(caplog)


# P-02: there, and silent

SILENCE: dict[str, dict[str, object]] = {
    "never answers": {"then": "stall"},
    "stalls after the head": {"then": "stall", "after": 0},
    "stalls in the body": {"then": "stall", "after": 20},
    "a byte a second": {"drip": 1.0},
}


@pytest.mark.parametrize("what", SILENCE)
def test_p02_silence_is_a_stale_page_within_two_seconds(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    upstream.add(WHEEL)
    fresh = ask(site)
    upstream.add(NEWER)  # so that "not modified" would not be the answer
    upstream.fault(PAGE, **SILENCE[what])
    begun = time.monotonic()

    stale = ask(site)

    assert time.monotonic() - begun < 4
    assert is_stale(stale)
    assert stale.json()["files"] == fresh.json()["files"]


@pytest.mark.parametrize("what", SILENCE)
def test_p02_silence_is_a_gateway_timeout_within_the_deadline_where_nothing_is_kept(
    site: Site, upstream: LocalUpstream, what: str
) -> None:
    upstream.add(WHEEL)
    upstream.fault(PAGE, **SILENCE[what])
    begun = time.monotonic()

    answer = ask(site)

    assert time.monotonic() - begun < 6  # the tests' upstream has 2 seconds for a page
    assert answer.status_code == 504
    assert answer.headers["Retry-After"].isdigit()


# P-03: errors of its own

ERRORS = [500, 502, 503, 504, 429, 403, 401, 451]


@pytest.mark.parametrize("status", ERRORS)
def test_p03_an_error_is_a_stale_page_or_a_bad_gateway_and_never_not_found(
    site: Site, upstream: LocalUpstream, status: int
) -> None:
    upstream.add(WHEEL)
    ask(site)
    upstream.fault("/simple/*", status=status)
    assert is_stale(ask(site))
    for _ in range(2):
        absent = ask(site, "absent")
        assert absent.status_code == 502
        assert absent.headers["Retry-After"].isdigit()


@pytest.mark.parametrize("status", [503, 429])
def test_p03_retry_after_is_honoured_passed_on_and_then_over(
    site: Site, upstream: LocalUpstream, status: int
) -> None:
    upstream.add(WHEEL)
    upstream.fault(PAGE, status=status, headers={"Retry-After": "2"}, times=1)
    begun = time.monotonic()
    first = ask(site)
    assert (first.status_code, first.headers["Retry-After"]) == (502, "2")
    # The fault is over, but the upstream wants to be left alone: it is.
    again = ask(site)
    if time.monotonic() - begun < 2:
        assert again.status_code == 502
        assert asked(upstream, PAGE) == 1
    wait_until(lambda: ask(site).status_code == 200)
    assert time.monotonic() - begun >= 2
    assert asked(upstream, PAGE) == 2


# P-04: what was there and is not


@pytest.mark.parametrize("status", [404, 410])
def test_p04_a_project_that_vanished_is_not_found_but_its_kept_files_are(
    site: Site, upstream: LocalUpstream, status: int
) -> None:
    for wheel in (WHEEL, NEWER):
        upstream.add(wheel)
    ask(site)
    assert arrives(site, WHEEL)
    finish_fetching()
    upstream.fault("*", status=status)

    # The upstream does answer, so this is no trouble, and the page is not served stale.
    assert ask(site).status_code == 404
    assert arrives(site, WHEEL)
    missing = site.root.get(f"/root/pypi/+f/example/{NEWER.sha256}/{NEWER.filename}")
    assert missing.status_code == 404


def test_p04_that_a_project_does_not_exist_is_remembered_for_a_short_while(
    site: Site, upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL)
    ask(site)
    upstream.remove_project("example")
    for project in ("example", "absent"):
        before = asked(upstream, f"/simple/{project}/")
        assert {ask(site, project).status_code for _ in range(5)} == {404}
        assert asked(upstream, f"/simple/{project}/") == before + 1


# P-06: away for a day


class Ahead:
    """By how much all clocks are ahead."""

    def __init__(self) -> None:
        self.by = timedelta(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    """The clocks of the sites that are made after it, the monotonic one too."""
    ahead, monotonic = Ahead(), time.monotonic
    monkeypatch.setattr(
        "stillroom_server.app.assembly.utc_now", lambda: datetime.now(UTC) + ahead.by
    )
    monkeypatch.setattr("time.monotonic", lambda: monotonic() + ahead.by.total_seconds())
    return ahead


def test_p06_a_day_without_the_upstream_under_load_is_served_and_does_not_fill_the_log(
    clock: Ahead,
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wheels = [make_wheel(f"job-{number}") for number in range(20)]
    for wheel in wheels:
        upstream.add(wheel)
    site = make_site(upstream_url=upstream.url)
    for number, wheel in enumerate(wheels):
        assert filenames(site.root, "root/pypi", f"job-{number}") == [wheel.filename]
        path = f"/root/pypi/+f/job-{number}/{wheel.sha256}/{wheel.filename}"
        assert site.root.get(path).content == wheel.content
    finish_fetching()
    upstream.stop()
    caplog.clear()

    for _hour in range(24):
        clock.by += timedelta(hours=1)
        for number, wheel in enumerate(wheels):
            page = ask(site, f"job-{number}")
            assert [file["filename"] for file in page.json()["files"]] == [wheel.filename]
            path = f"/root/pypi/+f/job-{number}/{wheel.sha256}/{wheel.filename}"
            assert site.root.get(path).content == wheel.content

    assert "connection refused" in alarms(caplog)
    said = [record for record in caplog.records if "root/pypi" in record.getMessage()]
    assert len(said) <= 50  # 480 pages could not be refreshed; one an hour was tried


# P-17: an error while a page is computed


@pytest.mark.parametrize("fault", [{"status": 500}, {"then": "reset"}], ids=["500", "reset"])
def test_p17_a_page_that_cannot_be_merged_is_an_error_and_not_a_shorter_page(
    site: Site, upstream: LocalUpstream, fault: dict[str, object]
) -> None:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", bases="root/pypi", mirror_whitelist="example")
    upload(dev, "dev/stage", WHEEL)
    upstream.add(NEWER)
    upstream.fault(PAGE, **fault)

    assert ask(site, index="dev/stage").status_code == 502

    upstream.heal()
    other = make_wheel("other")
    upstream.add(other)
    assert filenames(dev, "dev/stage", "other") == [other.filename]


def test_p17_one_of_two_mirrors_that_fails_is_an_error_and_not_a_shorter_page(
    site: Site, upstream: LocalUpstream
) -> None:
    with LocalUpstream() as second:
        upstream.add(WHEEL)
        second.add(NEWER)
        new_index(site.root, "root/second", type="mirror", mirror_url=second.url)
        new_index(site.root, "root/both", bases="root/pypi,root/second")
        second.fault(PAGE, status=503)
        assert ask(site, index="root/both").status_code == 502


@contextmanager
def without_table(url: str, table: str) -> Iterator[None]:
    """While a table is missing, so that whatever reads it fails."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE {table} RENAME TO gone")
        connection.commit()
        yield
        connection.execute(f"ALTER TABLE gone RENAME TO {table}")
        connection.commit()


@pytest.mark.parametrize("table", ["files", "projects", "mirror_pages"])
def test_p17_an_error_of_the_database_is_an_error_and_not_a_shorter_page(
    site: Site,
    make_site: Callable[..., Site],
    upstream: LocalUpstream,
    database_url: str,
    table: str,
) -> None:
    upstream.add(NEWER)
    new_index(site.root, "root/stage", bases="root/pypi", mirror_whitelist="example")
    assert send(site.root, "root/stage", WHEEL).status_code == 200
    whole = filenames(site.root, "root/stage", "example")
    another_process = make_site()  # one that remembers no page
    status = 500
    with without_table(database_url, table), suppress(SQLAlchemyError):
        # An error that we have no word for goes on to the engine, which answers 500.
        status = ask(another_process, index="root/stage").status_code

    assert status >= 500
    assert len(whole) == 2
    assert filenames(another_process.root, "root/stage", "example") == whole


def test_p17_an_error_for_a_file_is_no_missing_file(site: Site, upstream: LocalUpstream) -> None:
    upstream.add(WHEEL)
    ask(site)
    upstream.fault("/files/*", status=500)
    assert not arrives(site, WHEEL)
    assert blobs(site) == set()
