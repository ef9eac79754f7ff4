"""Tokens in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from stillroom_server.domain.identity import Scope, Token, TokenLimits
from stillroom_server.domain.names import IndexName, UserName

from . import schema

_tokens = schema.tokens
_users = schema.users


class SqlTokens:
    """The port `Tokens`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: Token) -> None:
        """Store a new token; Conflict if its user is gone."""
        indexes = token.limits.indexes
        self._connection.execute(
            insert(_tokens).values(
                id=token.id,
                user_id=_id_of(token.user),
                digest=token.digest,
                scope=token.limits.scope.value,
                indexes=None if indexes is None else sorted(str(name) for name in indexes),
                created=token.created,
                expires=token.expires,
                note=token.note,
            )
        )

    def by_digest(self, digest: bytes) -> Token | None:
        """The token with that digest, expired or not."""
        row = self._connection.execute(_query().where(_tokens.c.digest == digest)).one_or_none()
        return None if row is None else _token(row)

    def of_user(self, user: UserName) -> list[Token]:
        """A user's tokens, oldest first."""
        query = _query().where(_users.c.name == user).order_by(_tokens.c.created, _tokens.c.id)
        return [_token(row) for row in self._connection.execute(query)]

    def delete(self, user: UserName, token_id: str) -> bool:
        """Delete one; False if that user has none of that id."""
        statement = delete(_tokens).where(
            _tokens.c.id == token_id, _tokens.c.user_id == _id_of(user)
        )
        return self._connection.execute(statement).rowcount > 0

    def delete_all(self, user: UserName) -> int:
        """Delete all tokens of a user; how many there were."""
        statement = delete(_tokens).where(_tokens.c.user_id == _id_of(user))
        return self._connection.execute(statement).rowcount

    def delete_expired(self, now: datetime) -> int:
        """Delete the tokens that expired before `now`; how many there were."""
        return self._connection.execute(delete(_tokens).where(_tokens.c.expires < now)).rowcount


def _id_of(user: UserName) -> Any:
    return select(_users.c.id).where(_users.c.name == user).scalar_subquery()


def _query() -> Select[Any]:
    return select(_tokens, _users.c.name.label("owner")).join(_users)


def _token(row: Row[Any]) -> Token:
    indexes = None
    if row.indexes is not None:
        indexes = frozenset(IndexName.parse(name) for name in row.indexes)
    return Token(
        id=row.id,
        user=UserName(row.owner),
        digest=row.digest,
        limits=TokenLimits(scope=Scope(row.scope), indexes=indexes),
        created=row.created,
        expires=row.expires,
        note=row.note,
    )
