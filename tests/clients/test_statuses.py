"""What clients make of each status that an index may answer with.

The index is a small server that answers as the test says; when ours answers so is told in
docs/users/statuses.md. The outcomes are in a table of their own: docs/reference/statuses.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest

from clients.answering import Answer, Answering, Asked
from clients.drivers import (
    Client,
    Installed,
    Pip,
    Poetry,
    Publisher,
    Twine,
    Uv,
    for_clients,
    in_project,
)
from clients.home import ANY
from clients.table import WITH_RETRY_AFTER, Report
from clients.world import Release
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel

WHEEL = make_wheel("example", "100.0")
PAGE = "/team/index/simple/example/"
FILE = f"/files/{WHEEL.filename}"
UPLOADS = "/team/index/"

SENTENCE = "The sentence of the server, for people"
AUTHORIZATION = "Authorization error accessing"
NO_LOGIN = "lack of valid authentication credentials (401 Unauthorized)"
WAIT: Mapping[type[Client], int] = {Pip: 2, Poetry: 2, Uv: 20, Twine: 20}
"""Seconds in Retry-After: more, for those that do not heed it, than they wait by themselves."""


@dataclass(frozen=True)
class Outcome:
    """How often a client asked, whether it waited as Retry-After says, and what came of it.

    `installed` is the version that was installed, 99.0 from the next index; `shown` is what the
    client printed of the reason.
    """

    asked: int
    installed: str | None = None
    shown: str | None = SENTENCE
    waits: bool = False

    def __str__(self) -> str:
        often = {1: "asks once", 2: "asks twice"}.get(self.asked, f"asks {self.asked} times")
        waits = ", waiting as Retry-After says" if self.waits else ""
        ends = {None: "stops", "99.0": "goes on to the next index", "100.0": "works"}
        shown = {None: "without a word", SENTENCE: "and shows the sentence"}
        said = shown.get(self.shown, f"and shows “{self.shown}”")
        end = ends[self.installed]
        return f"{often}{waits}; {end}" if end == "works" else f"{often}{waits}; {end} {said}"


@pytest.fixture
def index() -> Iterator[Answering]:
    """An index that answers as the test says."""
    with Answering() as running:
        running.answers[FILE] = [Answer(200, "OK", body=WHEEL.content)]
        yield running


@pytest.fixture
def other(elsewhere: LocalUpstream) -> LocalUpstream:
    """The next index, where anybody may have published the project."""
    elsewhere.add(make_wheel("example", "99.0"))
    return elsewhere


def error(client: Client, status: int) -> Answer:
    """The error that our server would send."""
    if status in WITH_RETRY_AFTER:
        return Answer.error(status, SENTENCE, Retry_After=str(WAIT[type(client)]))
    return Answer.error(status, SENTENCE)


def waits(client: Client, asked: Sequence[Asked]) -> bool:
    """Whether the time of Retry-After was between all requests."""
    gaps = [later.at - earlier.at for earlier, later in pairwise(asked)]
    return bool(gaps) and min(gaps) >= WAIT[type(client)]


# Reading


def install(client: Client, index: Answering, other: LocalUpstream) -> Installed:
    """Install the project from the index, with another one that is asked next."""
    login = index.source.page_with_login
    if isinstance(client, Pip):
        extra = ("--extra-index-url", other.url)
        return client.install(index.source, *extra, "example", status=ANY)
    if isinstance(client, Uv):
        environment = client.home.venv()
        options = ("--python", environment.python, "--index", login, "--default-index", other.url)
        return Installed(
            client.run("pip", "install", *options, "example", status=ANY), environment
        )
    assert isinstance(client, Poetry)
    folder = client.project(index.source)
    with (folder / "pyproject.toml").open("a") as file:
        file.write('\n[[tool.poetry.source]]\nname = "next"\npriority = "supplemental"\n')
        file.write(f'url = "{other.url}"\n')
    ran = client.run("add", "--no-interaction", "example", folder=folder, status=ANY)
    return Installed(ran, in_project(folder))


STOPS, GOES_ON = Outcome(1), Outcome(1, "99.0", None)
AGAIN, WAITS = Outcome(6), Outcome(6, waits=True)
READING: Mapping[type[Client], Mapping[int, Outcome]] = {
    Pip: dict.fromkeys((400, 403, 404, 405, 406, 409, 410, 413, 504, 507), GOES_ON)
    | {401: Outcome(2, "99.0", "401 Error, Credentials not correct for"), 302: Outcome(1, "100.0")}
    | {500: Outcome(6, "99.0", None)}
    | dict.fromkeys((429, 502, 503), Outcome(6, "99.0", None, waits=True)),
    Uv: dict.fromkeys((400, 405, 406, 409, 410, 413), STOPS)
    | {401: Outcome(1, shown=NO_LOGIN), 403: Outcome(1, shown="returned a 403 Forbidden error")}
    | {302: Outcome(1, "100.0"), 404: GOES_ON}
    | dict.fromkeys((429, 500, 502, 503, 504, 507), Outcome(4)),
    Poetry: dict.fromkeys((400, 405, 406, 409, 410, 413, 507), STOPS)
    | dict.fromkeys((401, 403), Outcome(3, "99.0", AUTHORIZATION))
    | {302: Outcome(1, "100.0"), 404: Outcome(3, "99.0", None), 500: AGAIN}
    | dict.fromkeys((429, 502, 503, 504), WAITS),
}


@pytest.mark.parametrize("status", sorted(READING[Pip]))
@for_clients(Pip, Uv, Poetry)
def test_reading(
    client: Client, index: Answering, other: LocalUpstream, status: int, report: Report
) -> None:
    """Reads the page of a project; the next index has the project too."""
    index.answers["/moved/"] = [Answer.page(FILE)]
    moved = Answer(302, "Found", {"Location": "/moved/"})
    index.answers[PAGE] = [moved if status == 302 else error(client, status)]
    installed = install(client, index, other)
    expected = READING[type(client)][status]
    asked = index.asked("GET", PAGE)
    version = installed.version("example")
    assert Outcome(len(asked), version, expected.shown, waits(client, asked)) == expected
    assert (installed.ran.status == 0) == (version is not None)
    if version != "100.0":
        assert (SENTENCE in installed.ran.text) == (expected.shown == SENTENCE)
        assert (expected.shown or "") in installed.ran.text
    report("reads", status, expected)


@pytest.mark.parametrize("status", [304])
@for_clients(Uv, Poetry)
def test_reading_again(
    client: Client, index: Answering, other: LocalUpstream, status: int, report: Report
) -> None:
    """Installs a second time, when the page is not modified."""
    etag = '"the-page"'
    index.answers[PAGE] = [Answer.page(FILE, ETag=etag, Cache_Control="private, no-cache")]
    assert install(client, index, other).version("example") == "100.0"
    first = len(index.asked("GET", PAGE))
    index.answers[PAGE] = [Answer(status, "Not Modified", {"ETag": etag})]
    assert install(client, index, other).version("example") == "100.0"
    again = index.asked("GET", PAGE)[first:]
    assert again
    assert all(one.headers.get("if-none-match") == etag for one in again)
    report("reads", status, "asks by its ETag; takes the page that it kept")


# Uploading


REFUSALS = (400, 401, 403, 404, 405, 406, 409, 410, 413, 429)
UPLOADING: Mapping[type[Client], Mapping[int, Outcome]] = {
    Twine: dict.fromkeys(REFUSALS, STOPS) | dict.fromkeys((500, 502, 503, 504, 507), Outcome(5)),
    Uv: dict.fromkeys((*REFUSALS, 500, 502, 503, 504, 507), STOPS),
}


@pytest.mark.parametrize("status", sorted(UPLOADING[Twine]))
@for_clients(Twine, Uv)
def test_uploading(client: Publisher, index: Answering, status: int, report: Report) -> None:
    """Publishes a release."""
    index.answers[UPLOADS] = [error(client, status)]
    ran = client.publish(index.source, Release("example"), status=ANY).ran
    expected = UPLOADING[type(client)][status]
    asked = index.asked("POST", UPLOADS)
    assert Outcome(len(asked), None, expected.shown, waits(client, asked)) == expected
    assert ran.status != 0
    assert (expected.shown or "") in ran.text
    report("uploads", status, expected)
