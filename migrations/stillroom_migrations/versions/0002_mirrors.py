"""What mirrors learn of files, the status of projects, and lists of names of any length.

The documents of `mirror_pages` are rewritten in the shape that is read now. Lists of names are
dropped: they are read anew from the upstream when somebody asks for one.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns, rewrite documents, and build the tables of names."""
    op.add_column("projects", _status())
    op.add_column("projects", sa.Column("status_reason", sa.Text))
    _options()
    _pages()
    _kept_files()
    _names()


def _options() -> None:
    """Give every index the options that are new, with what they were in effect so far."""
    new: Mapping[str, dict[str, Any]] = {
        "stage": {"shadow_mirrors": True},
        "mirror": {
            "acl_read": [":ANONYMOUS:"],
            "mirror_fallback_urls": [],
            "mirror_keep_delisted": False,
            "mirror_use_external_urls": False,
            "mirror_metadata_only": False,
            "mirror_size_budget": 0,
        },
    }
    indexes = sa.table(
        "indexes",
        sa.column("id", sa.Integer),
        sa.column("type", sa.Text),
        sa.column("options", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(indexes)).all():
        options = {**new.get(row.type, {}), **row.options}
        connection.execute(
            sa.update(indexes).where(indexes.c.id == row.id).values(options=options)
        )


def _status() -> sa.Column[str]:
    return sa.Column("status", sa.Text, nullable=False, server_default="active")


def _pages() -> None:
    op.add_column("mirror_pages", _status())
    op.add_column("mirror_pages", sa.Column("status_reason", sa.Text))
    op.add_column("mirror_pages", sa.Column("source", sa.Text))
    op.add_column("mirror_pages", sa.Column("ranges", sa.Boolean))
    op.add_column("mirror_pages", sa.Column("delisted", sa.LargeBinary))
    _rewrite_documents()
    with op.batch_alter_table("mirror_pages") as table:
        table.alter_column("delisted", existing_type=sa.LargeBinary, nullable=False)


def _rewrite_documents() -> None:
    """One page after the other: all of them may be more than fits in memory."""
    pages = sa.table(
        "mirror_pages",
        sa.column("index_id", sa.Integer),
        sa.column("project", sa.Text),
        sa.column("files", sa.LargeBinary),
        sa.column("seen", sa.LargeBinary),
        sa.column("delisted", sa.LargeBinary),
    )
    connection = op.get_bind()
    for index_id, project in connection.execute(
        sa.select(pages.c.index_id, pages.c.project)
    ).all():
        this = (pages.c.index_id == index_id) & (pages.c.project == project)
        row = connection.execute(sa.select(pages.c.files, pages.c.seen).where(this)).one()
        documents = {
            "files": _packed([_file(record) for record in _unpacked(row.files)]),
            "seen": _packed({k: _seen(record) for k, record in _unpacked(row.seen).items()}),
            "delisted": _packed([]),
        }
        connection.execute(sa.update(pages).where(this).values(**documents))


def _file(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "provenance": None, "refused": None, "time_source": "upstream"}


def _seen(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "first_seen": record["first_seen"],
        "hashes": {} if record["sha256"] is None else {"sha256": record["sha256"]},
        "size": None,
        "modified": None,
        "metadata_sha256": None,
    }


def _unpacked(document: bytes) -> Any:
    return orjson.loads(zlib.decompress(document))


def _packed(value: Any) -> bytes:
    return zlib.compress(orjson.dumps(value), 1)


def _kept_files() -> None:
    op.add_column("mirror_files", sa.Column("used", _TIME))
    op.execute("UPDATE mirror_files SET used = fetched")
    with op.batch_alter_table("mirror_files") as table:
        table.alter_column("used", existing_type=_TIME, nullable=False)
    op.create_index("ix_mirror_files_index_id_used", "mirror_files", ["index_id", "used"])


def _names() -> None:
    op.drop_table("mirror_names")
    op.create_table(
        "mirror_name_lists",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.Column("fetched", _TIME, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_mirror_name_lists"),
        _reference("mirror_name_lists", "index_id", "indexes.id"),
        # ETags are made of ids, so none may come again.
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mirror_name_lists_index_id", "mirror_name_lists", ["index_id"])
    op.create_table(
        "mirror_names",
        sa.Column("list_id", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.PrimaryKeyConstraint("list_id", "name", name="pk_mirror_names"),
        _reference("mirror_names", "list_id", "mirror_name_lists.id"),
        sqlite_with_rowid=False,
    )


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
