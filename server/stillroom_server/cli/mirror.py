"""`mirror prefetch`, `mirror refresh` and `mirror evict`."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stillroom_server.app.settings import LoadedSettings
from stillroom_server.domain.errors import InvalidRequest, NotFound, Trouble
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, project_name

from .options import settings_options

if TYPE_CHECKING:
    from stillroom_server.app.assembly import Mirroring
    from stillroom_server.services.ports import Database
    from stillroom_server.services.prefetch import Outcome, Prefetched

FAILED = 1
"""The exit status where something could not be done, but was tried to the end."""

_settings = settings_options(
    "data", "database", "blob_store", "private_upstreams", "upstream_credentials_file",
    "upstream_seconds", "max_mirrored_file_size",
)  # fmt: skip


@click.group()
def mirror() -> None:
    """What mirrors keep. All of this works while the server runs."""


@mirror.command()
@click.argument("index")
@click.argument("requirements", nargs=-1)
@click.option(
    "-r",
    "--requirement",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a requirement on each line; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be fetched.")
@click.option("--only-wheels", is_flag=True, help="Leave out sdists and all that is no wheel.")
@click.option("--latest", is_flag=True, help="Of each project, only the highest version.")
@_settings
def prefetch(
    loaded: LoadedSettings,
    *,
    index: str,
    requirements: tuple[str, ...],
    files: tuple[Path, ...],
    dry_run: bool,
    only_wheels: bool,
    latest: bool,
) -> None:
    """Fetch files before anybody asks for them, with their metadata and attestations.

    REQUIREMENTS are names with versions, such as six or 'django>=5,<6'. Extras, markers and the
    hashes of requirement files are passed over, and so is what these depend on: list that too.
    Exit status 1 if something could not be fetched.

    Example: stillroom-server mirror prefetch root/pypi six 'django>=5,<6' --latest
    """
    from stillroom_server.services.prefetch import Selection

    texts = [*requirements, *(line for path in files for line in _requirements_in(path))]
    if not texts:
        raise click.UsageError("Give requirements, or a file of them with -r.")
    selections = [Selection.parse(t, only_wheels=only_wheels, latest=latest) for t in texts]
    with _opened(loaded, index) as (mirroring, wanted, _database):
        done = []
        for one in mirroring.prefetch.run(wanted, selections, dry_run=dry_run):
            click.echo(_line(one))
            done.append(one)
    click.echo(_summary(done))
    if any(one.why is not None for one in done):
        raise SystemExit(FAILED)


@mirror.command()
@click.argument("index")
@click.argument("projects", nargs=-1)
@click.option("--names", is_flag=True, help="Read the list of all names of the upstream anew.")
@click.option(
    "--accept-shrunk", is_flag=True, help="With --names: take a list that lost many names."
)
@_settings
def refresh(
    loaded: LoadedSettings,
    *,
    index: str,
    projects: tuple[str, ...],
    names: bool,
    accept_shrunk: bool,
) -> None:
    """Ask the upstream for the pages of PROJECTS now, or of all projects that are known here.

    With --names and no PROJECTS, only for its list of names. Exit status 1 if a page could not
    be had.

    Example: stillroom-server mirror refresh root/pypi six
    """
    if accept_shrunk and not names:
        raise click.UsageError("--accept-shrunk goes with --names.")
    wanted_projects = [project_name(text) for text in projects]
    with _opened(loaded, index) as (mirroring, wanted, database):
        if names:
            _refresh_names(mirroring, wanted, accept_shrunk=accept_shrunk)
        if not names and not wanted_projects:
            with database.reading() as unit:
                wanted_projects = unit.mirror_pages.names([wanted])
            if not wanted_projects:
                click.echo(f"No project of {wanted.name} is known here yet; name some.")
        failed = [p for p in wanted_projects if not _refresh_page(mirroring, wanted, p)]
    if failed:
        raise SystemExit(FAILED)


@mirror.command()
@click.argument("index")
@click.option("--dry-run", is_flag=True, help="Only say what would be evicted.")
@_settings
def evict(loaded: LoadedSettings, *, index: str, dry_run: bool) -> None:
    """Forget the files used least recently until the mirror is within its mirror_size_budget.

    What the upstream no longer has always stays. A running server does the same after it has
    fetched something. Example: stillroom-server mirror evict root/pypi --dry-run
    """
    with _opened(loaded, index) as (mirroring, wanted, _database):
        report = mirroring.eviction.run(wanted, dry_run=dry_run)
    would = "would be " if dry_run else ""
    click.echo(f"{report.files} files ({report.bytes:,} bytes) {would}evicted.")
    budget = f"{wanted.size_budget:,} bytes" if wanted.size_budget else "none"
    click.echo(f"{report.kept_bytes:,} bytes {would}kept; the budget is {budget}.")
    if report.stays:
        click.echo(f"{report.stays} files stay: the upstream is not known to have them.")
    elif 0 < wanted.size_budget < report.kept_bytes:
        click.echo("Nothing more can go: metadata and attestations stay.")


@contextmanager
def _opened(loaded: LoadedSettings, name: str) -> Iterator[tuple["Mirroring", Index, "Database"]]:
    """What works on mirrors, and the one that is meant; all ends well with the block."""
    from stillroom_server.app import assembly
    from stillroom_server.storage import migrate

    index_name = IndexName.parse(name)
    migrate.check(assembly.database_url(loaded.settings))
    parts = assembly.adapters(loaded.settings)
    mirroring = assembly.mirroring_of(loaded.settings, parts)
    try:
        yield mirroring, _mirror(parts.database, index_name), parts.database
        mirroring.downloads.wait()
    finally:
        mirroring.close()
        parts.upstream.close()
        parts.database.close()


def _mirror(database: "Database", name: IndexName) -> Index:
    with database.reading() as unit:
        index = unit.indexes.get(name)
    if index is None:
        raise NotFound(f"There is no index {name}.")
    if not index.has_upstream:
        raise InvalidRequest.one("index", f"{name} is no mirror; give the name of one")
    return index


# Prefetch


def _requirements_in(path: Path) -> Iterator[str]:
    """The requirements of a file as pip reads it; InvalidRequest for options and links."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest.one("requirement", f"{path} cannot be read: {error}") from None
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        requirement = re.sub(r"(^|\s)(#|--hash).*", "", line).strip()
        if requirement.startswith("-"):
            rule = f"{path}: {requirement!r} is an option; keep names with versions only"
            raise InvalidRequest.one("requirement", rule)
        if requirement:
            yield requirement


def _line(one: "Prefetched") -> str:
    if one.why is not None:
        return f"failed   {one.filename or one.project}: {one.why}"
    size = "" if one.size is None else f" ({one.size:,} bytes)"
    return f"{_word(one.outcome):<8} {one.filename}{size}"


def _word(outcome: "Outcome") -> str:
    return "to fetch" if outcome.value == "missing" else outcome.value


def _summary(done: Sequence["Prefetched"]) -> str:
    from stillroom_server.services.prefetch import Outcome

    counted = []
    for outcome in Outcome:
        of_it = [one for one in done if one.outcome is outcome]
        size = sum(one.size or 0 for one in of_it)
        sized = "" if outcome is Outcome.FAILED else f" ({size:,} bytes)"
        if of_it:
            counted.append(f"{len(of_it)} {_word(outcome)}{sized}")
    return ", ".join(counted) + "."


# Refresh


def _refresh_names(mirroring: "Mirroring", index: Index, *, accept_shrunk: bool) -> None:
    if not index.lists_upstream_projects:
        rule = f"{index.name} does not list its upstream's names; its mirror_no_project_list is on"
        raise InvalidRequest.one("index", rule)
    names = mirroring.lists.refresh(index, accept_shrunk=accept_shrunk)
    click.echo(f"The list of names of {index.name} has {names.count:,} names.")


def _refresh_page(mirroring: "Mirroring", index: Index, project: ProjectName) -> bool:
    """Whether the upstream has answered; says what became of the page."""
    if index.reserves(project):
        click.echo(f"{project}: reserved, never asked for")
        return True
    try:
        page = mirroring.mirrors.page(index, project, refresh=True)
    except Trouble as trouble:
        click.echo(f"{project}: failed: {trouble.message}")
        return False
    if page.stale:
        click.echo(f"{project}: failed: the upstream did not answer; what is kept stays")
        return False
    said = f"{len(page.files):,} files" if page.exists else "not there"
    click.echo(f"{project}: {said}")
    return True
