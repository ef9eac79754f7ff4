"""The tables. `stillroom_migrations` builds them; a test proves that both say the same."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from .types import NAME, Document, UtcDateTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("created", UtcDateTime, nullable=False),
    Column("modified", UtcDateTime),
    Column("email", Text),
    Column("title", Text),
    Column("description", Text),
    Column("custom_data", JSON(none_as_null=True)),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("limits", JSON(none_as_null=True)),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False, index=True),
    Column("note", Text, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("publisher", NAME),
    Column("used", UtcDateTime),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("description", Text),
    Column("created", UtcDateTime, nullable=False),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey(groups.c.id, ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True, index=True),
)

# Guesses of passwords that turned out wrong, or are being checked; see `services.guesses`.
password_guesses = Table(
    "password_guesses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_name", NAME, nullable=False),
    Column("address", NAME, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Index(None, "user_name", "at"),
    Index(None, "address", "at"),
)

indexes = Table(
    "indexes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="RESTRICT"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("type", Text, nullable=False),
    Column("has_upstream", Boolean, nullable=False),
    Column("options", JSON, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    UniqueConstraint("user_id", "name"),
)

# Who may exchange identity tokens for tokens of ours: issuers, and what their claims must say.
issuers = Table(
    "issuers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", NAME, nullable=False, unique=True),
    Column("created", UtcDateTime, nullable=False),
)

publishers = Table(
    "publishers",
    metadata,
    Column("id", NAME, primary_key=True),
    Column("issuer_id", ForeignKey(issuers.c.id, ondelete="RESTRICT"), nullable=False),
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("claims", JSON, nullable=False),
    Column("projects", JSON(none_as_null=True)),
    Column("actions", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index(None, "issuer_id"),
)

used_identity_tokens = Table(
    "used_identity_tokens",
    metadata,
    Column("issuer_id", ForeignKey(issuers.c.id, ondelete="CASCADE"), primary_key=True),
    Column("token_id", NAME, primary_key=True),
    Column("expires", UtcDateTime, nullable=False, index=True),
)

# Rows, not an option's value: so a base cannot vanish while something inherits from it.
index_bases = Table(
    "index_bases",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("base_id", ForeignKey(indexes.c.id, ondelete="RESTRICT"), nullable=False, index=True),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("status_reason", Text),
    UniqueConstraint("index_id", "name"),
)

# A row may be there before the project is: then the name is kept for its owners.
project_owners = Table(
    "project_owners",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("project", NAME, primary_key=True),
    Column("principal", NAME, primary_key=True),
)

project_requests = Table(
    "project_requests",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("project", NAME, primary_key=True),
    Column("user_id", ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True, index=True),
    Column("requested", UtcDateTime, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey(projects.c.id, ondelete="CASCADE"), nullable=False),
    Column("version", Text, nullable=False),
    Column("metadata", Document, nullable=False),
    UniqueConstraint("project_id", "version"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", NAME, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("doomed", UtcDateTime, index=True),
)

files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "project_id", ForeignKey(projects.c.id, ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), nullable=False),
    Column("version", Text, nullable=False),
    Column("filename", NAME, nullable=False),
    Column("key", NAME, nullable=False),
    Column("filetype", Text, nullable=False),
    Column("python_tag", Text, nullable=False),
    Column("sha256", ForeignKey(blobs.c.sha256, ondelete="RESTRICT"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("requires_python", Text),
    Column("metadata_sha256", ForeignKey(blobs.c.sha256, ondelete="RESTRICT"), index=True),
    Column("metadata_size", BigInteger),
    Column("uploaded", UtcDateTime, nullable=False),
    Column("uploader", Text),
    # NULL: not yanked; empty: yanked without a reason.
    Column("yanked", Text),
    Column("pushed_from", Text),
    UniqueConstraint("index_id", "key"),
    UniqueConstraint("index_id", "filename"),
)

deleted_files = Table(
    "deleted_files",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("key", NAME, primary_key=True),
    Column("deleted", UtcDateTime, nullable=False),
)

mirror_pages = Table(
    "mirror_pages",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("project", NAME, primary_key=True),
    Column("is_project", Boolean, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("checked", UtcDateTime, nullable=False),
    Column("files", Document, nullable=False),
    Column("seen", Document, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("status_reason", Text),
    Column("source", Text),
    Column("ranges", Boolean),
    Column("delisted", Document, nullable=False),
)

mirror_files = Table(
    "mirror_files",
    metadata,
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), primary_key=True),
    Column("project", NAME, primary_key=True),
    Column("filename", NAME, primary_key=True),
    Column("sha256", ForeignKey(blobs.c.sha256, ondelete="RESTRICT"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("fetched", UtcDateTime, nullable=False),
    Column("used", UtcDateTime, nullable=False),
    Index(None, "index_id", "used"),
)

# `changed` is when a list began to grow, or to hold no more; `size` counts its names.
mirror_name_lists = Table(
    "mirror_name_lists",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("index_id", ForeignKey(indexes.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("holds", Boolean, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Column("fetched", UtcDateTime, nullable=False),
    Column("size", Integer, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
)

# A million rows and nothing but their key: SQLite then needs no second tree for them.
mirror_names = Table(
    "mirror_names",
    metadata,
    Column("list_id", ForeignKey(mirror_name_lists.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", NAME, primary_key=True),
    sqlite_with_rowid=False,
)

# Users and indexes stand here by name: what the journal tells outlives them.
journal = Table(
    "journal",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text),
    Column("user_name", Text),
    Column("index_name", NAME),
    Column("project", NAME),
    Column("details", JSON, nullable=False),
    Column("token", NAME),
    Column("address", Text),
    Column("request", Text),
    Index(None, "at"),
    Index(None, "index_name", "serial"),
    Index(None, "index_name", "project", "serial"),
)

# Names, as in the journal; empty texts stand for "anonymous" and "no token", because a key holds
# no NULL. `asked` is the index of the URL, `held` the one in which the file lives.
fetches = Table(
    "fetches",
    metadata,
    Column("project", NAME, primary_key=True),
    Column("filename", NAME, primary_key=True),
    Column("minute", UtcDateTime, primary_key=True),
    Column("asked", NAME, primary_key=True),
    Column("user_name", NAME, primary_key=True),
    Column("token", NAME, primary_key=True),
    Column("address", NAME, primary_key=True),
    Column("held", NAME, primary_key=True),
    Column("sha256", NAME, primary_key=True),
    Column("version", NAME, nullable=False),
    Column("count", Integer, nullable=False),
    Index(None, "minute"),
    Index(None, "asked", "minute"),
    Index(None, "held", "minute"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("listener", NAME, primary_key=True),
    Column("serial", BigInteger, nullable=False),
)

# The one row that every write locks; see `engine.Mode.WRITE`.
state = Table(
    "state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True),
    Column("serial", BigInteger, nullable=False),
    Column("instance", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)
