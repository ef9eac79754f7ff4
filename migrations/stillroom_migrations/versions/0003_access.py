"""Who may do what: groups, limits of tokens, publishers, owners of projects, the audit.

Uploaders could delete so far: existing stages get an `acl_delete` of those who could. Tokens may
name indexes that were deleted since they were made: they reach no other one that gets the name.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)
_ACTIONS = ["account", "admin", "delete", "read", "upload"]


def upgrade() -> None:
    """Add columns and tables, and rewrite options and limits."""
    _tokens()
    _options()
    _groups()
    _guesses()
    _publishers()
    _owners()
    _journal()
    _fetches()


def _tokens() -> None:
    op.add_column("tokens", sa.Column("kind", sa.Text))
    op.add_column("tokens", sa.Column("limits", sa.JSON(none_as_null=True)))
    op.add_column("tokens", sa.Column("groups", sa.JSON))
    op.add_column("tokens", sa.Column("publisher", _NAME))
    op.add_column("tokens", sa.Column("used", _TIME))
    tokens = sa.table(
        "tokens",
        sa.column("id", sa.Text),
        sa.column("scope", sa.Text),
        sa.column("indexes", sa.JSON(none_as_null=True)),
        sa.column("note", sa.Text),
        sa.column("kind", sa.Text),
        sa.column("limits", sa.JSON(none_as_null=True)),
        sa.column("groups", sa.JSON),
    )
    connection = op.get_bind()
    known = _names_of_indexes(connection)
    for row in connection.execute(sa.select(tokens)).all():
        left = row.indexes and [name for name in row.indexes if name in known]
        if row.indexes and not left:
            connection.execute(sa.delete(tokens).where(tokens.c.id == row.id))
            continue
        limits = _limits(row.scope, left)
        is_login = limits is None and row.note == "login"
        connection.execute(
            sa.update(tokens)
            .where(tokens.c.id == row.id)
            .values(kind="login" if is_login else "made", limits=limits, groups=[])
        )
    with op.batch_alter_table("tokens") as table:
        table.alter_column("kind", existing_type=sa.Text, nullable=False)
        table.alter_column("groups", existing_type=sa.JSON, nullable=False)
        table.drop_column("scope")
        table.drop_column("indexes")


def _names_of_indexes(connection: sa.Connection) -> set[str]:
    users = sa.table("users", sa.column("id", sa.Integer), sa.column("name", sa.Text))
    indexes = sa.table("indexes", sa.column("user_id", sa.Integer), sa.column("name", sa.Text))
    named = sa.select(users.c.name, indexes.c.name).where(users.c.id == indexes.c.user_id)
    return {f"{user}/{index}" for user, index in connection.execute(named)}


def _limits(scope: str, indexes: list[str] | None) -> list[dict[str, Any]] | None:
    if scope == "all" and indexes is None:
        return None
    actions = ["read"] if scope == "read" else _ACTIONS
    return [{"actions": actions, "indexes": indexes, "projects": None}]


def _options() -> None:
    """Give every index the options that are new, with what they were in effect so far."""
    indexes = sa.table(
        "indexes",
        sa.column("id", sa.Integer),
        sa.column("type", sa.Text),
        sa.column("options", sa.JSON),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(indexes)).all():
        options = {**_new_options(row.type, row.options), **row.options}
        connection.execute(
            sa.update(indexes).where(indexes.c.id == row.id).values(options=options)
        )


def _new_options(index_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if index_type == "mirror":
        return {"acl_delete": [], "acl_admin": []}
    if index_type != "stage":
        return {}
    return {
        "acl_delete": options.get("acl_upload", []),
        "acl_admin": [],
        "owned_projects": False,
        "first_upload": "open",
    }


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("name", name="uq_groups_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_group_members"),
        _reference("group_members", "group_id", "groups.id"),
        _reference("group_members", "user_id", "users.id"),
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id"])


def _guesses() -> None:
    op.create_table(
        "password_guesses",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_name", _NAME, nullable=False),
        sa.Column("address", _NAME, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_password_guesses"),
        sqlite_autoincrement=True,
    )
    for columns in (["at"], ["user_name", "at"], ["address", "at"]):
        op.create_index(f"ix_password_guesses_{'_'.join(columns)}", "password_guesses", columns)


def _publishers() -> None:
    op.create_table(
        "issuers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("url", _NAME, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_issuers"),
        sa.UniqueConstraint("url", name="uq_issuers_url"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "publishers",
        sa.Column("id", _NAME, nullable=False),
        sa.Column("issuer_id", sa.Integer, nullable=False),
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("claims", sa.JSON, nullable=False),
        sa.Column("projects", sa.JSON(none_as_null=True)),
        sa.Column("actions", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publishers"),
        _reference("publishers", "issuer_id", "issuers.id", ondelete="RESTRICT"),
        _reference("publishers", "index_id", "indexes.id"),
        _reference("publishers", "user_id", "users.id"),
    )
    for column in ("issuer_id", "index_id", "user_id"):
        op.create_index(f"ix_publishers_{column}", "publishers", [column])
    op.create_table(
        "used_identity_tokens",
        sa.Column("issuer_id", sa.Integer, nullable=False),
        sa.Column("token_id", _NAME, nullable=False),
        sa.Column("expires", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("issuer_id", "token_id", name="pk_used_identity_tokens"),
        _reference("used_identity_tokens", "issuer_id", "issuers.id"),
    )
    op.create_index("ix_used_identity_tokens_expires", "used_identity_tokens", ["expires"])


def _owners() -> None:
    op.create_table(
        "project_owners",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("project", _NAME, nullable=False),
        sa.Column("principal", _NAME, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "project", "principal", name="pk_project_owners"),
        _reference("project_owners", "index_id", "indexes.id"),
    )
    op.create_table(
        "project_requests",
        sa.Column("index_id", sa.Integer, nullable=False),
        sa.Column("project", _NAME, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("requested", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("index_id", "project", "user_id", name="pk_project_requests"),
        _reference("project_requests", "index_id", "indexes.id"),
        _reference("project_requests", "user_id", "users.id"),
    )
    op.create_index("ix_project_requests_user_id", "project_requests", ["user_id"])


def _journal() -> None:
    op.add_column("journal", sa.Column("token", _NAME))
    op.add_column("journal", sa.Column("address", sa.Text))
    op.add_column("journal", sa.Column("request", sa.Text))
    op.create_index("ix_journal_at", "journal", ["at"])


def _fetches() -> None:
    op.create_table(
        "fetches",
        sa.Column("project", _NAME, nullable=False),
        sa.Column("filename", _NAME, nullable=False),
        sa.Column("minute", _TIME, nullable=False),
        sa.Column("asked", _NAME, nullable=False),
        sa.Column("user_name", _NAME, nullable=False),
        sa.Column("token", _NAME, nullable=False),
        sa.Column("address", _NAME, nullable=False),
        sa.Column("held", _NAME, nullable=False),
        sa.Column("sha256", _NAME, nullable=False),
        sa.Column("version", _NAME, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint(
            "project",
            "filename",
            "minute",
            "asked",
            "user_name",
            "token",
            "address",
            "held",
            "sha256",
            name="pk_fetches",
        ),
    )
    for columns in (["minute"], ["asked", "minute"], ["held", "minute"]):
        op.create_index(f"ix_fetches_{'_'.join(columns)}", "fetches", columns)


def _reference(
    table: str, column: str, target: str, *, ondelete: str = "CASCADE"
) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", ondelete=ondelete
    )
