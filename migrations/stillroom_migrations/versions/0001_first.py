"""The first schema.

Written out, not taken from `storage.schema`: that one changes, and this must not.

`sqlite_autoincrement`: SQLite would give the id of the last row, once deleted, to the next one;
caches may still know the old row by it.
"""

import uuid
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Build all tables, and the one row of `state`."""
    _accounts()
    _indexes()
    _stages()
    _mirrors()
    _changes()
    _indices()
    _first_row()


def _accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("modified", _TIME),
        sa.Column("email", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("custom_data", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "tokens",
        sa.Column("id", _NAME, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("indexes", sa.JSON),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        _reference("tokens", "user_id", "users.id", "CASCADE"),
    )


def _indexes() -> None:
    op.create_table(
        "indexes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("has_upstream", sa.Boolean, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_indexes"),
        sa.UniqueConstraint("user_id", "name", name="uq_indexes_user_id_name"),
        _reference("indexes", "user_id", "users.id", "RESTRICT"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "index_bases",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("base_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "position", name="pk_index_bases"),
        _reference("index_bases", "index_id", "indexes.id", "CASCADE"),
        _reference("index_bases", "base_id", "indexes.id", "RESTRICT"),
    )


def _stages() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("index_id", "name", name="uq_projects_index_id_name"),
        _reference("projects", "index_id", "indexes.id", "CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("metadata", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
        sa.UniqueConstraint("project_id", "version", name="uq_releases_project_id_version"),
        _reference("releases", "project_id", "projects.id", "CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blobs",
        sa.Column("sha256", _NAME, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("doomed", _TIME),
        sa.PrimaryKeyConstraint("sha256", name="pk_blobs"),
    )
    _files()
    op.create_table(
        "deleted_files",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("key", _NAME, nullable=False),
        sa.Column("deleted", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "key", name="pk_deleted_files"),
        _reference("deleted_files", "index_id", "indexes.id", "CASCADE"),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project_id", sa.Integer, nullable=False),
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("filename", _NAME, nullable=False),
        sa.Column("key", _NAME, nullable=False),
        sa.Column("filetype", sa.Text, nullable=False),
        sa.Column("python_tag", sa.Text, nullable=False),
        sa.Column("sha256", _NAME, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("requires_python", sa.Text),
        sa.Column("metadata_sha256", _NAME),
        sa.Column("metadata_size", sa.BigInteger),
        sa.Column("uploaded", _TIME, nullable=False),
        sa.Column("uploader", sa.Text),
        sa.Column("yanked", sa.Text),
        sa.Column("pushed_from", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("index_id", "key", name="uq_files_index_id_key"),
        sa.UniqueConstraint("index_id", "filename", name="uq_files_index_id_filename"),
        _reference("files", "project_id", "projects.id", "CASCADE"),
        _reference("files", "index_id", "indexes.id", "CASCADE"),
        _reference("files", "sha256", "blobs.sha256", "RESTRICT"),
        _reference("files", "metadata_sha256", "blobs.sha256", "RESTRICT"),
        sqlite_autoincrement=True,
    )


def _mirrors() -> None:
    op.create_table(
        "mirror_pages",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("project", _NAME, nullable=False),
        sa.Column("is_project", sa.Boolean, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("checked", _TIME, nullable=False),
        sa.Column("files", sa.LargeBinary, nullable=False),
        sa.Column("seen", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "project", name="pk_mirror_pages"),
        _reference("mirror_pages", "index_id", "indexes.id", "CASCADE"),
    )
    op.create_table(
        "mirror_files",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("project", _NAME, nullable=False),
        sa.Column("filename", _NAME, nullable=False),
        sa.Column("sha256", _NAME, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("fetched", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "project", "filename", name="pk_mirror_files"),
        _reference("mirror_files", "index_id", "indexes.id", "CASCADE"),
        _reference("mirror_files", "sha256", "blobs.sha256", "RESTRICT"),
    )
    op.create_table(
        "mirror_names",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("names", sa.LargeBinary, nullable=False),
        sa.Column("fetched", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("index_id", name="pk_mirror_names"),
        _reference("mirror_names", "index_id", "indexes.id", "CASCADE"),
    )


def _changes() -> None:
    op.create_table(
        "journal",
        sa.Column("serial", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("user_name", sa.Text),
        sa.Column("index_name", _NAME),
        sa.Column("project", _NAME),
        sa.Column("details", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("serial", "position", name="pk_journal"),
    )
    op.create_table(
        "cursors",
        sa.Column("listener", _NAME, nullable=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("listener", name="pk_cursors"),
    )
    op.create_table(
        "state",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("serial", sa.BigInteger, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state"),
        sa.CheckConstraint("id = 1", name="ck_state_one_row"),
    )


def _indices() -> None:
    for table, *columns in (
        ("tokens", "user_id"),
        ("tokens", "expires"),
        ("index_bases", "base_id"),
        ("blobs", "doomed"),
        ("files", "project_id"),
        ("files", "sha256"),
        ("files", "metadata_sha256"),
        ("mirror_files", "sha256"),
        ("journal", "index_name", "serial"),
        ("journal", "index_name", "project", "serial"),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)


def _first_row() -> None:
    state = sa.table(
        "state",
        sa.column("id", sa.Integer),
        sa.column("serial", sa.BigInteger),
        sa.column("instance", sa.Text),
        sa.column("created", _TIME),
    )
    op.bulk_insert(
        state,
        [{"id": 1, "serial": 0, "instance": str(uuid.uuid4()), "created": datetime.now(UTC)}],
    )


def _reference(table: str, column: str, target: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", ondelete=ondelete
    )
