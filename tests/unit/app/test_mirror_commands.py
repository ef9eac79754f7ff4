"""`stillroom-server mirror …`, beside a server or without one, against an upstream on loopback."""

from contextlib import contextmanager

import pytest

from stillroom_server.app.data_folder import DataFolder
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel

WHEEL = make_wheel("example", "1.0")
NEWER = make_wheel("example", "2.0")
SDIST = make_sdist("example", "1.0")
OTHER = make_wheel("other", "1.0")
PYPI = "root/pypi"


@pytest.fixture
def upstream():
    with LocalUpstream() as running:
        for distribution in (WHEEL, NEWER, SDIST, OTHER):
            running.add(distribution)
        yield running


@pytest.fixture
def made(run, data, upstream, monkeypatch):
    """A data folder whose root/pypi mirrors the upstream."""
    monkeypatch.setenv("STILLROOM_PRIVATE_UPSTREAMS", "127.0.0.1")
    monkeypatch.setenv("STILLROOM_DATA", str(data))
    result = run("init", "--public-index", upstream.url)
    assert result.status == 0, result.err
    return data


@contextmanager
def opened(data):
    database = SqlDatabase(DataFolder(data).database_url)
    try:
        yield database
    finally:
        database.close()


def kept(data, project: str = "example") -> list[str]:
    with opened(data) as database, database.reading() as unit:
        index = unit.indexes.get(IndexName.parse(PYPI))
        return [file.filename for file in unit.mirror_pages.kept(index, ProjectName(project))]


def set_options(data, **options) -> None:
    with opened(data) as database, database.writing() as unit:
        index = unit.indexes.get(IndexName.parse(PYPI))
        unit.indexes.change(index, {**index.options, **options})


def size(*distributions) -> str:
    return f"{sum(len(distribution.content) for distribution in distributions):,} bytes"


# prefetch


def test_what_is_required_is_fetched_with_its_metadata(run, made):
    result = run("mirror", "prefetch", PYPI, "example==1.0")
    assert result.status == 0, result.err
    assert result.out.splitlines() == [
        f"fetched  {WHEEL.filename} ({size(WHEEL)})",
        f"fetched  {SDIST.filename} ({size(SDIST)})",
        f"2 fetched ({size(WHEEL, SDIST)}).",
    ]
    assert kept(made) == sorted([WHEEL.filename, f"{WHEEL.filename}.metadata", SDIST.filename,
                                 f"{SDIST.filename}.metadata"])  # fmt: skip
    again = run("mirror", "prefetch", PYPI, "example==1.0")
    assert again.out.splitlines()[-1] == f"2 here ({size(WHEEL, SDIST)})."


def test_a_dry_run_says_what_would_be_fetched(run, made):
    result = run("mirror", "prefetch", PYPI, "example", "--latest", "--dry-run")
    assert (result.status, result.out.splitlines()) == (
        0,
        [f"to fetch {NEWER.filename} ({size(NEWER)})", f"1 to fetch ({size(NEWER)})."],
    )
    assert kept(made) == []


def test_wheels_alone_are_fetched_if_that_is_said(run, made):
    assert run("mirror", "prefetch", PYPI, "example==1.0", "--only-wheels").status == 0
    assert kept(made) == [WHEEL.filename, f"{WHEEL.filename}.metadata"]


def test_requirements_come_from_files_as_pip_writes_them(run, made, tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# what we need\r\n\r\n"
        "example==2.0 \\\n    --hash=sha256:aaaa \\\n    --hash=sha256:bbbb\n"
        'other>=1 ; python_version > "3"  # for the rest\n'
    )
    result = run("mirror", "prefetch", PYPI, "-r", path)
    assert result.status == 0, result.err
    assert NEWER.filename in kept(made)
    assert OTHER.filename in kept(made, "other")


@pytest.mark.parametrize(
    ("text", "told"),
    [("-r other.txt\n", "'-r other.txt' is an option"), ("-e .\n", "'-e .' is an option"),
     ("https://example.com/demo.whl\n", "is not a name with versions")],
)  # fmt: skip
def test_lines_that_are_no_requirements_are_refused(run, made, tmp_path, text, told):
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    result = run("mirror", "prefetch", PYPI, "-r", path)
    assert (result.status, result.out) == (1, "")
    [line] = result.err.splitlines()
    assert told in line


def test_a_file_that_is_no_text_is_refused(run, made, tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"\xff\xfe\x00")
    result = run("mirror", "prefetch", PYPI, "-r", path)
    assert result.status == 1
    assert "cannot be read" in result.err


def test_what_fails_is_told_with_its_own_status(run, made, upstream):
    upstream.fault(f"*/{WHEEL.filename}", corrupt=True)
    result = run("mirror", "prefetch", PYPI, "example==1.0", "absent")
    assert result.status == 1
    failed, fetched, absent, summary = result.out.splitlines()
    assert failed.startswith(f"failed   {WHEEL.filename}: The upstream sent")
    assert fetched.startswith("fetched  example-1.0.tar.gz")
    assert absent == "failed   absent: There is nothing of absent in root/pypi to fetch."
    assert summary == f"1 fetched ({size(SDIST)}), 2 failed."
    assert result.err == ""


def test_nothing_to_fetch_is_wrong_usage(run, made):
    result = run("mirror", "prefetch", PYPI)
    assert result.status == 2
    assert "Give requirements, or a file of them with -r." in result.err


# refresh


def test_pages_are_asked_for_anew(run, made, upstream):
    assert run("mirror", "refresh", PYPI, "example", "absent").out.splitlines() == [
        "example: 3 files",
        "absent: not there",
    ]
    upstream.remove(NEWER)
    assert run("mirror", "refresh", PYPI).out == "example: 2 files\n"


def test_a_page_that_cannot_be_had_is_told_with_its_own_status(run, made, upstream):
    run("mirror", "refresh", PYPI, "example")
    upstream.stop()
    result = run("mirror", "refresh", PYPI, "example", "other")
    assert result.status == 1
    kept_one, other = result.out.splitlines()
    assert kept_one == "example: failed: the upstream did not answer; what is kept stays"
    assert other.startswith("other: failed: 127.0.0.1")


def test_where_nothing_is_known_that_is_told(run, made, upstream):
    result = run("mirror", "refresh", PYPI)
    assert result.out == "No project of root/pypi is known here yet; name some.\n"
    assert upstream.paths == []


def test_a_reserved_name_is_never_asked_for(run, made, upstream):
    set_options(made, reserved=("exa*",))
    result = run("mirror", "refresh", PYPI, "example")
    assert (result.status, result.out) == (0, "example: reserved, never asked for\n")
    assert upstream.paths == []


def test_the_list_of_names_is_read(run, made, upstream):
    set_options(made, mirror_no_project_list=False)
    upstream.generated_names = 1_000
    result = run("mirror", "refresh", PYPI, "--names")
    assert result.out == "The list of names of root/pypi has 1,002 names.\n"
    assert upstream.paths == ["/simple/"]


def test_a_list_that_lost_many_names_must_be_accepted(run, made, upstream):
    set_options(made, mirror_no_project_list=False)
    upstream.generated_names = 1_000
    run("mirror", "refresh", PYPI, "--names")
    upstream.generated_names = 10
    refused = run("mirror", "refresh", PYPI, "--names")
    assert (refused.status, refused.out) == (1, "")
    assert "--accept-shrunk" in refused.err
    accepted = run("mirror", "refresh", PYPI, "--names", "--accept-shrunk")
    assert accepted.out == "The list of names of root/pypi has 12 names.\n"


def test_a_mirror_without_such_a_list_says_so(run, made):
    result = run("mirror", "refresh", PYPI, "--names")
    assert result.status == 1
    assert "its mirror_no_project_list is on" in result.err


def test_accepting_a_list_needs_a_list(run, made):
    assert run("mirror", "refresh", PYPI, "--accept-shrunk").status == 2


# evict


def test_files_are_evicted_until_the_budget_holds(run, made, upstream):
    run("mirror", "prefetch", PYPI, "example==2.0", "other")
    metadata = len(NEWER.metadata) + len(OTHER.metadata)
    total = len(NEWER.content) + len(OTHER.content) + metadata
    without = run("mirror", "evict", PYPI)
    assert without.out.splitlines() == [
        "0 files (0 bytes) evicted.",
        f"{total:,} bytes kept; the budget is none.",
    ]
    set_options(made, mirror_size_budget=1)
    planned = run("mirror", "evict", PYPI, "--dry-run")
    assert planned.out.splitlines() == [
        f"2 files ({size(NEWER, OTHER)}) would be evicted.",
        f"{metadata:,} bytes would be kept; the budget is 1 bytes.",
        "Nothing more can go: metadata and attestations stay.",
    ]
    assert NEWER.filename in kept(made)
    upstream.remove(NEWER)
    set_options(made, mirror_cache_expiry=0)
    done = run("mirror", "evict", PYPI)
    assert done.out.splitlines() == [
        f"1 files ({size(OTHER)}) evicted.",
        f"{total - len(OTHER.content):,} bytes kept; the budget is 1 bytes.",
        "1 files stay: the upstream is not known to have them.",
    ]
    assert NEWER.filename in kept(made)
    assert kept(made, "other") == [f"{OTHER.filename}.metadata"]


# Which index


@pytest.mark.parametrize("command", ["prefetch {} six", "refresh {}", "evict {}"])
@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("root/nope", "There is no index root/nope."),
        ("nope", "is not of the form user/index"),
        ("root/stage", "root/stage is no mirror; give the name of one"),
    ],
)
def test_only_mirrors_will_do(run, made, command, index, told):
    with opened(made) as database, database.writing() as unit:
        pypi = unit.indexes.get(IndexName.parse(PYPI))
        stage = IndexName.parse("root/stage")
        unit.indexes.add(stage, "stage", {"bases": ()}, pypi.created, has_upstream=False)
    result = run("mirror", *command.format(index).split())
    assert (result.status, result.out) == (1, "")
    assert told in result.err


@pytest.mark.parametrize("command", ["prefetch root/pypi six", "refresh root/pypi"])
def test_without_a_database_it_is_said_what_to_do(run, data, command):
    result = run("mirror", *command.split(), "--data", data)
    assert result.status == 1
    assert "or make it with `stillroom-server init`." in result.err
    assert not data.exists()


def test_all_of_it_works_while_a_server_runs(run, made):
    with DataFolder(made).locked():
        assert run("mirror", "prefetch", PYPI, "other").status == 0
        assert run("mirror", "refresh", PYPI).status == 0
        assert run("mirror", "evict", PYPI).status == 0
