"""Users and tokens, behind the ports."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Scope, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services.ports import Database
from support.rows import DAY, DEV, NOW, a_token, a_user, add_stage


def test_a_user_comes_back_as_it_was_stored(database: Database) -> None:
    with database.writing() as unit:
        added = unit.users.add(
            a_user(
                password_hash="$argon2id$…",
                modified=NOW + DAY,
                email="dev@example.org",
                title="Dévéloper",
                description="two\nlines",
                custom_data={"room": 7, "keys": ["a", None, {"b": 1.5}]},
            )
        )
    with database.reading() as unit:
        assert unit.users.get(DEV) == added
        assert unit.users.all() == [added]


def test_users_are_sorted_by_name_in_the_order_of_characters(database: Database) -> None:
    with database.writing() as unit:
        for name in ("b", "a.b", "B", "a-c", "a_a", "ab", "a"):
            unit.users.add(a_user(name))
        assert [user.name for user in unit.users.all()] == [
            "B",
            "a",
            "a-c",
            "a.b",
            "a_a",
            "ab",
            "b",
        ]


def test_a_name_that_is_taken_is_a_conflict_and_the_unit_lives_on(database: Database) -> None:
    with database.writing() as unit:
        first = unit.users.add(a_user(title="first"))
        with pytest.raises(Conflict, match="dev"):
            unit.users.add(a_user(title="second"))
        unit.users.add(a_user("other"))
    with database.reading() as unit:
        assert unit.users.get(DEV) == first
        assert len(unit.users.all()) == 2


def test_changing_a_user_stores_all_fields(database: Database) -> None:
    with database.writing() as unit:
        user = unit.users.add(a_user(title="old", email="dev@example.org", custom_data={"a": 1}))
    changed = replace(user, title="new", email=None, custom_data=None, modified=NOW)
    with database.writing() as unit:
        unit.users.change(changed)
    with database.reading() as unit:
        assert unit.users.get(DEV) == changed


def test_changing_a_user_who_is_gone_is_not_found(database: Database) -> None:
    with database.writing() as unit:
        user = unit.users.add(a_user())
        unit.users.delete(user)
        with pytest.raises(NotFound):
            unit.users.change(user)


def test_deleting_a_user_deletes_their_tokens(database: Database) -> None:
    with database.writing() as unit:
        user = unit.users.add(a_user())
        unit.tokens.add(a_token())
        unit.users.delete(user)
    with database.reading() as unit:
        assert unit.users.get(DEV) is None
        assert unit.tokens.by_digest(a_token().digest) is None


def test_a_user_who_owns_an_index_cannot_be_deleted(database: Database) -> None:
    with database.writing() as unit:
        user = unit.users.add(a_user())
        add_stage(unit, "dev/base")
    with pytest.raises(Conflict), database.writing() as unit:
        unit.users.delete(user)
    with database.reading() as unit:
        assert unit.users.get(DEV) == user


def test_the_id_of_a_deleted_user_is_not_given_out_again(database: Database) -> None:
    with database.writing() as unit:
        first = unit.users.add(a_user())
        unit.users.delete(first)
        assert unit.users.add(a_user()).id != first.id


def test_datetimes_of_other_zones_come_back_as_the_same_moment(database: Database) -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with database.writing() as unit:
        unit.users.add(a_user(created=elsewhere))
    with database.reading() as unit:
        user = unit.users.get(DEV)
        assert user is not None
        assert user.created == NOW
        assert user.created.utcoffset() is not None


@pytest.mark.parametrize(
    "limits",
    [
        TokenLimits(),
        TokenLimits(Scope.READ, frozenset()),
        TokenLimits(Scope.READ, frozenset({IndexName.parse("dev/b"), IndexName.parse("dev/a")})),
    ],
)
def test_a_token_comes_back_as_it_was_stored(database: Database, limits: TokenLimits) -> None:
    token = a_token(limits=limits, note="laptop")
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.tokens.add(token)
    with database.reading() as unit:
        assert unit.tokens.by_digest(token.digest) == token
        assert unit.tokens.by_digest(b"another") is None


def test_tokens_of_a_user_are_listed_oldest_first(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        unit.tokens.add(a_token("newer", created=NOW + DAY))
        unit.tokens.add(a_token("older"))
        unit.tokens.add(a_token("theirs", user=UserName("other")))
        assert [token.id for token in unit.tokens.of_user(DEV)] == ["older", "newer"]


def test_a_token_is_deleted_by_its_own_user_only(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        unit.tokens.add(a_token("t1"))
        assert unit.tokens.delete(UserName("other"), "t1") is False
        assert unit.tokens.delete(DEV, "t1") is True
        assert unit.tokens.delete(DEV, "t1") is False


def test_all_tokens_of_a_user_are_deleted_and_counted(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        for token_id in ("t1", "t2"):
            unit.tokens.add(a_token(token_id))
        unit.tokens.add(a_token("theirs", user=UserName("other")))
        assert unit.tokens.delete_all(DEV) == 2
        assert len(unit.tokens.of_user(UserName("other"))) == 1


def test_only_expired_tokens_are_cleaned_up(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.tokens.add(a_token("past", expires=NOW - timedelta(microseconds=1)))
        unit.tokens.add(a_token("now", expires=NOW))
        assert unit.tokens.delete_expired(NOW) == 1
        assert [token.id for token in unit.tokens.of_user(DEV)] == ["now"]


def test_a_token_for_nobody_is_a_conflict(database: Database) -> None:
    with pytest.raises(Conflict), database.writing() as unit:
        unit.tokens.add(a_token())
