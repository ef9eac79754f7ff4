"""Tokens in SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from stillroom_server.domain.identity import Action, Grant, Token, TokenKind, TokenLimits
from stillroom_server.domain.names import IndexName, ProjectName, UserName

from . import schema

_tokens = schema.tokens
_users = schema.users


class SqlTokens:
    """The port `Tokens`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: Token) -> None:
        """Store a new token; Conflict if its user is gone."""
        self._connection.execute(
            insert(_tokens).values(
                id=token.id,
                user_id=_id_of(token.user),
                digest=token.digest,
                kind=token.kind.value,
                limits=None if token.limits is None else [_row(g) for g in token.limits.grants],
                created=token.created,
                expires=token.expires,
                note=token.note,
                groups=sorted(token.groups),
                publisher=token.publisher,
                used=token.used,
            )
        )

    def by_digest(self, digest: bytes) -> Token | None:
        """The token with that digest, expired or not."""
        row = self._connection.execute(_query().where(_tokens.c.digest == digest)).one_or_none()
        return None if row is None else _token(row)

    def get(self, user: UserName, token_id: str) -> Token | None:
        """The token of that id, expired or not; None if that user has none of it."""
        query = _query().where(_tokens.c.id == token_id, _users.c.name == user)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _token(row)

    def of_user(self, user: UserName) -> list[Token]:
        """A user's tokens, oldest first."""
        query = _query().where(_users.c.name == user).order_by(_tokens.c.created, _tokens.c.id)
        return [_token(row) for row in self._connection.execute(query)]

    def count(self, user: UserName, kind: TokenKind) -> int:
        """How many tokens of a kind a user has."""
        query = (
            select(func.count())
            .select_from(_tokens)
            .where(_tokens.c.user_id == _id_of(user), _tokens.c.kind == kind.value)
        )
        return self._connection.execute(query).scalar_one()

    def naming(self, index: IndexName) -> list[Token]:
        """The tokens of all users whose limits name an index, oldest first."""
        # By the text of the JSON, which both databases can search; what it finds is looked at.
        text = cast(_tokens.c.limits, Text)
        query = (
            _query()
            .where(text.contains(f'"{index}"', autoescape=True))
            .order_by(_tokens.c.created, _tokens.c.id)
        )
        found = [_token(row) for row in self._connection.execute(query)]
        return [token for token in found if token.limits and index in token.limits.indexes]

    def made_for(self, publisher: str) -> list[Token]:
        """The tokens that were made for the trusted publisher of that id, oldest first."""
        # One may be made for several of them, whose ids stand there with commas.
        listed = literal(",").concat(_tokens.c.publisher).concat(",")
        made_for_it = listed.contains(f",{publisher},", autoescape=True)
        query = _query().where(made_for_it).order_by(_tokens.c.created, _tokens.c.id)
        return [_token(row) for row in self._connection.execute(query)]

    def limit(self, token: Token, limits: TokenLimits) -> None:
        """Store other limits for a token."""
        statement = update(_tokens).where(_tokens.c.id == token.id)
        self._connection.execute(statement.values(limits=[_row(g) for g in limits.grants]))

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

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Note when tokens were last used; those that are gone are passed over."""
        at = bindparam("at", type_=_tokens.c.used.type)
        statement = update(_tokens).where(
            _tokens.c.id == bindparam("token"), or_(_tokens.c.used.is_(None), _tokens.c.used < at)
        )
        rows = [{"token": token_id, "at": used} for token_id, used in sorted(uses.items())]
        if rows:
            self._connection.execute(statement.values(used=at), rows)


def _id_of(user: UserName) -> Any:
    return select(_users.c.id).where(_users.c.name == user).scalar_subquery()


def _query() -> Select[Any]:
    return select(_tokens, _users.c.name.label("owner")).join(_users)


def _token(row: Row[Any]) -> Token:
    limits = None
    if row.limits is not None:
        limits = TokenLimits(tuple(_grant(record) for record in row.limits))
    return Token(
        id=row.id,
        user=UserName(row.owner),
        digest=row.digest,
        kind=TokenKind(row.kind),
        limits=limits,
        created=row.created,
        expires=row.expires,
        note=row.note,
        groups=frozenset(row.groups),
        publisher=row.publisher,
        used=row.used,
    )


def _row(grant: Grant) -> dict[str, Any]:
    return {
        "actions": sorted(grant.actions),
        "indexes": None if grant.indexes is None else sorted(map(str, grant.indexes)),
        "projects": None if grant.projects is None else sorted(grant.projects),
    }


def _grant(record: Mapping[str, Any]) -> Grant:
    indexes, projects = record["indexes"], record["projects"]
    return Grant(
        actions=frozenset(map(Action, record["actions"])),
        indexes=None if indexes is None else frozenset(map(IndexName.parse, indexes)),
        projects=None if projects is None else frozenset(map(ProjectName, projects)),
    )
