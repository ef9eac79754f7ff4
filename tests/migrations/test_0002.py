"""What the second revision makes of a database that the first one made."""

import zlib
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from stillroom_server.domain.files import Project
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.status import ACTIVE
from stillroom_server.domain.upstream import CachedPage, KeptFile, Seen, UpstreamFile, Validators
from stillroom_server.storage.database import SqlDatabase
from support.old_databases import Rows, old_database, upgraded
from support.rows import DAY, DEV, NOW, sha256_of
from support.values import MIRROR as MIRROR_TYPE

STAGE = IndexName(DEV, "base")
MIRROR = IndexName(DEV, "mirror")
DEMO, GONE = ProjectName("demo"), ProjectName("gone")
WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"

ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [{"id": 1, "name": "dev", "created": NOW}],
    "indexes": [
        {
            "id": number,
            "user_id": 1,
            "name": name,
            "type": kind,
            "has_upstream": kind == "mirror",
            "options": orjson.dumps(options).decode(),
            "created": NOW,
        }
        for number, name, kind, options in (
            (1, "base", "stage", {"bases": []}),
            (2, "mirror", "mirror", {"mirror_url": "http://127.0.0.1/simple/"}),
        )
    ],
    "projects": [
        {"id": 1, "index_id": 1, "name": DEMO, "display_name": "Demo", "created": NOW},
    ],
    "blobs": [{"sha256": sha256_of("wheel"), "size": 7}],
    "mirror_pages": [
        {
            "index_id": 2,
            "project": DEMO,
            "is_project": True,
            "etag": '"tag"',
            "checked": NOW,
            "files": [
                {
                    "filename": WHEEL,
                    "url": f"http://127.0.0.1/{WHEEL}",
                    "hashes": {"sha256": sha256_of("wheel")},
                    "size": 7,
                    "uploaded": NOW,
                    "requires_python": ">=3.11",
                    "yanked": "broken",
                    "core_metadata": {},
                },
                {
                    "filename": SDIST,
                    "url": f"http://127.0.0.1/{SDIST}",
                    "hashes": {},
                    "size": None,
                    "uploaded": None,
                    "requires_python": None,
                    "yanked": False,
                    "core_metadata": None,
                },
            ],
            "seen": {
                WHEEL: {"sha256": sha256_of("wheel"), "first_seen": NOW},
                SDIST: {"sha256": None, "first_seen": NOW - DAY},
            },
        },
        {
            "index_id": 2,
            "project": GONE,
            "is_project": False,
            "etag": None,
            "checked": NOW,
            "files": [],
            "seen": {"gone-1.zip": {"sha256": sha256_of("gone"), "first_seen": NOW}},
        },
    ],
    "mirror_files": [
        {
            "index_id": 2,
            "project": DEMO,
            "filename": WHEEL,
            "sha256": sha256_of("wheel"),
            "size": 7,
            "fetched": NOW - DAY,
        },
    ],
    "mirror_names": [{"index_id": 2, "names": ["a", "b"], "fetched": NOW}],
}
OLD_OPTIONS = {"mirror_url", "mirror_cache_expiry", "mirror_no_project_list"}
DOCUMENTS = {"files", "seen", "names"}

PAGE = CachedPage(
    project=DEMO,
    files=(
        UpstreamFile(
            filename=WHEEL,
            url=f"http://127.0.0.1/{WHEEL}",
            hashes={"sha256": sha256_of("wheel")},
            size=7,
            uploaded=NOW,
            requires_python=">=3.11",
            yanked="broken",
            core_metadata={},
        ),
        UpstreamFile(SDIST, f"http://127.0.0.1/{SDIST}"),
    ),
    exists=True,
    validators=Validators('"tag"'),
    checked=NOW,
    seen={WHEEL: Seen(NOW, {"sha256": sha256_of("wheel")}), SDIST: Seen(NOW - DAY)},
)


def _packed(rows: Rows) -> Rows:
    """The rows with their documents as they are kept."""
    return {
        table: [
            {
                name: zlib.compress(orjson.dumps(value)) if name in DOCUMENTS else value
                for name, value in row.items()
            }
            for row in of_table
        ]
        for table, of_table in rows.items()
    }


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[SqlDatabase]:
    """Upgraded, from the first revision with a row in each table that the second changes."""
    with old_database(request, "0001", _packed(ROWS)) as url, upgraded(url, "0001") as opened:
        yield opened


def test_indexes_have_all_their_options(database: SqlDatabase) -> None:
    with database.reading() as unit:
        mirror, stage = unit.indexes.get(MIRROR), unit.indexes.get(STAGE)
    assert (
        mirror.options.items()
        >= {
            option.name: option.default
            for option in MIRROR_TYPE.options
            if option.name.startswith("mirror_") and option.name not in OLD_OPTIONS
        }.items()
    )
    assert mirror.options["acl_read"] == (":ANONYMOUS:",)
    assert mirror.upstream_url == "http://127.0.0.1/simple/"
    assert stage.options["shadow_mirrors"] is True


def test_projects_are_active(database: SqlDatabase) -> None:
    with database.reading() as unit:
        index = unit.indexes.get(STAGE)
        project = unit.projects.get(index, DEMO)
    assert project == Project(1, STAGE, DEMO, "Demo", NOW, ACTIVE)


def test_pages_are_what_they_were(database: SqlDatabase) -> None:
    with database.reading() as unit:
        mirror = unit.indexes.get(MIRROR)
        assert unit.mirror_pages.get(mirror, DEMO) == PAGE
        seen = {"gone-1.zip": Seen(NOW, {"sha256": sha256_of("gone")})}
        gone = CachedPage(GONE, (), exists=False, validators=Validators(), checked=NOW, seen=seen)
        assert unit.mirror_pages.get(mirror, GONE) == gone


def test_kept_files_were_used_when_they_were_fetched(database: SqlDatabase) -> None:
    with database.reading() as unit:
        mirror = unit.indexes.get(MIRROR)
        kept = unit.mirror_pages.kept(mirror, DEMO)
    assert kept == [KeptFile(WHEEL, sha256_of("wheel"), 7, NOW - DAY, NOW - DAY)]


def test_a_list_of_names_is_to_be_read_anew(database: SqlDatabase) -> None:
    with database.reading() as unit:
        assert unit.mirror_names.current(unit.indexes.get(MIRROR)) is None


def test_an_index_still_takes_all_that_it_holds_with_it(database: SqlDatabase) -> None:
    """SQLite builds a table anew to change a column: what refers to it must still do."""
    with database.writing() as unit:
        mirror = unit.indexes.get(MIRROR)
        list_id = unit.mirror_names.begin(mirror, NOW)
        unit.mirror_names.add(list_id, [DEMO])
        unit.indexes.delete(mirror)
        assert unit.mirror_pages.get(mirror, DEMO) is None
        assert unit.mirror_pages.kept(mirror, DEMO) == []
        assert unit.mirror_names.count(list_id) == 0
