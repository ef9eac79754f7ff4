"""What the third revision makes of a database that the second one made."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.domain.identity import Action, Grant, Token, TokenKind, TokenLimits
from stillroom_server.domain.indexes import FirstUpload, Index
from stillroom_server.domain.names import IndexName
from stillroom_server.storage.database import SqlDatabase
from support.old_databases import old_database, upgraded
from support.rows import DAY, DEV, NOW

STAGE, CLOSED, MIRROR = (IndexName(DEV, name) for name in ("base", "closed", "mirror"))
EVERYTHING = frozenset(Action)


def _token(token_id: str, scope: str, indexes: list[str] | None, note: str) -> dict[str, Any]:
    return {
        "id": token_id,
        "user_id": 1,
        "digest": token_id.encode(),
        "scope": scope,
        "indexes": None if indexes is None else orjson.dumps(indexes).decode(),
        "created": NOW,
        "expires": NOW + DAY,
        "note": note,
    }


def _index(number: int, name: str, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "user_id": 1,
        "name": name,
        "type": kind,
        "has_upstream": kind == "mirror",
        "options": orjson.dumps(options).decode(),
        "created": NOW,
    }


ROWS: dict[str, list[dict[str, Any]]] = {
    "users": [{"id": 1, "name": "dev", "created": NOW}],
    "tokens": [
        _token("t1", "all", None, "login"),
        _token("t2", "all", None, "for CI"),
        _token("t3", "read", None, "login"),
        _token("t4", "all", ["dev/base", "dev/closed"], ""),
        _token("t5", "read", ["dev/gone", "dev/base"], ""),
        _token("t6", "all", ["dev/gone", "gone/base"], ""),
    ],
    "indexes": [
        _index(1, "base", "stage", {"bases": [], "acl_upload": ["dev", ":ci"], "volatile": True}),
        _index(2, "closed", "stage", {"bases": [], "acl_upload": [], "volatile": False}),
        _index(3, "mirror", "mirror", {"mirror_url": "http://127.0.0.1/simple/"}),
    ],
    "journal": [
        {
            "serial": 0,
            "position": 0,
            "at": NOW,
            "kind": "index-created",
            "actor": "dev",
            "index_name": "dev/base",
            "details": "{}",
        }
    ],
}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[SqlDatabase]:
    """Upgraded, from the second revision with a row in each table that the third changes."""
    with old_database(request, "0002", ROWS) as url, upgraded(url, "0002") as opened:
        yield opened


def _get(database: SqlDatabase, name: IndexName) -> Index:
    with database.reading() as unit:
        index = unit.indexes.get(name)
    assert index is not None
    return index


def test_tokens_may_do_what_they_might(database: SqlDatabase) -> None:
    with database.reading() as unit:
        tokens = {token.id: token for token in unit.tokens.of_user(DEV)}
    kinds = {token_id: token.kind for token_id, token in tokens.items()}
    made = ("t2", "t3", "t4", "t5")
    assert kinds == {"t1": TokenKind.LOGIN} | dict.fromkeys(made, TokenKind.MADE)
    assert tokens["t1"].limits is None
    assert tokens["t2"].limits is None
    assert tokens["t3"].limits == TokenLimits((Grant(frozenset({Action.READ})),))
    both = frozenset({STAGE, CLOSED})
    assert tokens["t4"].limits == TokenLimits((Grant(EVERYTHING, both),))
    assert tokens["t2"] == Token(
        "t2", DEV, b"t2", TokenKind.MADE, None, NOW, NOW + DAY, note="for CI"
    )


def test_tokens_do_not_name_indexes_that_are_gone(database: SqlDatabase) -> None:
    """Else they would reach whatever is made under that name later."""
    with database.reading() as unit:
        tokens = {token.id: token for token in unit.tokens.of_user(DEV)}
    assert tokens["t5"].limits == TokenLimits(
        (Grant(frozenset({Action.READ}), frozenset({STAGE})),)
    )
    # It was good for nothing else.
    assert "t6" not in tokens


def test_a_token_is_still_found_by_its_digest(database: SqlDatabase) -> None:
    with database.reading() as unit:
        found = unit.tokens.by_digest(b"t3")
    assert found is not None
    assert found.id == "t3"


def test_who_could_delete_still_can(database: SqlDatabase) -> None:
    assert _get(database, STAGE).acl("acl_delete") == {"dev", ":ci"}
    assert _get(database, CLOSED).acl("acl_delete") == frozenset()


def test_indexes_have_all_their_new_options(database: SqlDatabase) -> None:
    for name in (STAGE, CLOSED):
        stage = _get(database, name)
        assert stage.acl("acl_admin") == frozenset()
        assert stage.owned_projects is False
        assert stage.first_upload is FirstUpload.OPEN
        assert {"acl_admin", "owned_projects", "first_upload"} <= set(stage.options)
    mirror = _get(database, MIRROR)
    assert (mirror.options["acl_delete"], mirror.options["acl_admin"]) == ((), ())


def test_the_journal_goes_on(database: SqlDatabase) -> None:
    old = Event(EventKind.INDEX_CREATED, DEV, index=STAGE)
    new = Event(EventKind.INDEX_CHANGED, DEV, index=STAGE, token="t2", address="::1", request="r")
    with database.reading() as unit:
        assert unit.journal.since(-1, 10) == [JournalEntry(0, 0, NOW, old)]
    with database.writing() as unit:
        unit.journal.record(new)
    with database.reading() as unit:
        [_, entry] = unit.journal.since(-1, 10)
    assert entry.event == new


def test_a_user_still_takes_all_tokens_with_them(database: SqlDatabase) -> None:
    """SQLite builds a table anew to drop a column: what refers to users must still do."""
    with database.writing() as unit:
        for name in (STAGE, CLOSED, MIRROR):
            index = unit.indexes.get(name)
            assert index is not None
            unit.indexes.delete(index)
        user = unit.users.get(DEV)
        assert user is not None
        unit.users.delete(user)
        assert unit.tokens.by_digest(b"t1") is None
