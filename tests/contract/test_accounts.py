"""Users and tokens, behind the ports."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Action, Grant, TokenKind, TokenLimits
from stillroom_server.domain.names import IndexName, ProjectName, UserName
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


A, B = IndexName.parse("dev/a"), IndexName.parse("dev/b")
READ, UPLOAD = frozenset({Action.READ}), frozenset({Action.UPLOAD, Action.DELETE})


def limited(*indexes: IndexName) -> TokenLimits:
    return TokenLimits((Grant(READ, frozenset(indexes)),))


@pytest.mark.parametrize(
    "limits",
    [
        None,
        TokenLimits(()),
        TokenLimits((Grant(frozenset(Action)),)),
        TokenLimits((Grant(READ, frozenset()), Grant(READ, frozenset({A, B})))),
        TokenLimits((Grant(READ), Grant(UPLOAD, None, frozenset({ProjectName("demo")})))),
    ],
)
def test_a_token_comes_back_as_it_was_stored(
    database: Database, limits: TokenLimits | None
) -> None:
    token = a_token(
        limits=limits,
        kind=TokenKind.TRUSTED,
        note="laptop",
        groups=frozenset({"team", "ops"}),
        publisher="p1",
        used=NOW,
    )
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.tokens.add(token)
    with database.reading() as unit:
        assert unit.tokens.by_digest(token.digest) == token
        assert unit.tokens.by_digest(b"another") is None


def test_a_token_is_found_under_its_own_user_only(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        unit.tokens.add(a_token("t1"))
        assert unit.tokens.get(DEV, "t1") == a_token("t1")
        assert unit.tokens.get(UserName("other"), "t1") is None
        assert unit.tokens.get(DEV, "t2") is None


def test_tokens_are_counted_by_their_kind(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        unit.tokens.add(a_token("m1"))
        unit.tokens.add(a_token("m2"))
        unit.tokens.add(a_token("l1", kind=TokenKind.LOGIN))
        unit.tokens.add(a_token("theirs", user=UserName("other")))
        assert unit.tokens.count(DEV, TokenKind.MADE) == 2
        assert unit.tokens.count(DEV, TokenKind.LOGIN) == 1
        assert unit.tokens.count(DEV, TokenKind.TRUSTED) == 0


def test_the_tokens_that_name_an_index_are_found_whosever_they_are(database: Database) -> None:
    name = IndexName.parse("dev/a_b")
    near = ["dev/a_b2", "dev/aXb", "dev/A_B", "2dev/a_b", "dev/a"]
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.users.add(a_user("other"))
        unit.tokens.add(a_token("newer", limits=limited(name), created=NOW + DAY))
        unit.tokens.add(a_token("theirs", limits=limited(A, name), user=UserName("other")))
        unit.tokens.add(a_token("two", limits=TokenLimits((Grant(READ), *limited(name).grants))))
        unit.tokens.add(a_token("none"))
        unit.tokens.add(a_token("all", limits=TokenLimits((Grant(READ),))))
        for number, other in enumerate(near):
            limits = limited(IndexName.parse(other))
            unit.tokens.add(a_token(f"near{number}", limits=limits))
        assert [t.id for t in unit.tokens.naming(name)] == ["theirs", "two", "newer"]


def test_the_limits_of_a_token_can_be_changed(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.tokens.add(a_token("t1", limits=limited(A, B)))
        unit.tokens.add(a_token("t2", limits=limited(A, B)))
        unit.tokens.limit(a_token("t1"), limited(B))
    with database.reading() as unit:
        assert [token.limits for token in unit.tokens.of_user(DEV)] == [limited(B), limited(A, B)]


def test_uses_are_noted_and_never_go_back(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        for token_id in ("t1", "t2", "t3"):
            unit.tokens.add(a_token(token_id))
        unit.tokens.note_uses({"t1": NOW, "t2": NOW + DAY, "gone": NOW})
        unit.tokens.note_uses({"t1": NOW + DAY, "t2": NOW})
        unit.tokens.note_uses({})
    with database.reading() as unit:
        used = [token.used for token in unit.tokens.of_user(DEV)]
    assert used == [NOW + DAY, NOW + DAY, None]


def test_noting_uses_takes_no_serial(database: Database) -> None:
    with database.writing() as unit:
        unit.users.add(a_user())
        unit.tokens.add(a_token())
    before = database.serial()
    with database.writing() as unit:
        unit.tokens.note_uses({"t1": NOW})
    assert database.serial() == before


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
