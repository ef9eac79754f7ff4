"""Issuers, trusted publishers and used identity tokens, behind the ports."""

from datetime import datetime
from typing import Any

import pytest

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.identity import Action, TokenKind
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.publishing import Issuer, Publisher
from stillroom_server.services.ports import Database, Unit
from support.rows import DAY, DEV, NOW, a_token, add_stage, ensure_user

URL = "https://issuer.example.com"


def add_issuer(unit: Unit, url: str = URL, created: datetime = NOW) -> Issuer:
    return unit.publishers.add_issuer(Issuer(0, url, created))


def a_publisher(publisher_id: str = "p1", **values: Any) -> Publisher:
    given = {
        "issuer": URL,
        "index": IndexName.parse("dev/base"),
        "user": DEV,
        "claims": {"sub": "repo:team/*"},
        "actions": frozenset({Action.UPLOAD}),
        "projects": None,
        "note": "",
        "created": NOW,
    }
    return Publisher(id=publisher_id, **{**given, **values})


def test_issuers_come_back_by_url_and_only_to_the_letter(database: Database) -> None:
    with database.writing() as unit:
        second = add_issuer(unit, f"{URL}/team")
        first = add_issuer(unit, created=NOW + DAY)
    with database.reading() as unit:
        assert unit.publishers.issuers() == [first, second]
        assert unit.publishers.issuer(URL) == first
        assert unit.publishers.issuer(f"{URL}/") is None
        assert unit.publishers.issuer(URL.upper()) is None


def test_an_issuer_that_is_there_is_a_conflict_and_the_unit_lives_on(database: Database) -> None:
    with database.writing() as unit:
        first = add_issuer(unit)
        with pytest.raises(Conflict, match=URL):
            add_issuer(unit)
        assert unit.publishers.issuers() == [first]


def test_an_issuer_with_publishers_is_kept(database: Database) -> None:
    with database.writing() as unit:
        index, issuer = add_stage(unit), add_issuer(unit)
        unit.publishers.add(a_publisher())
        with pytest.raises(Conflict, match="publishers"):
            unit.publishers.delete_issuer(issuer)
        assert unit.publishers.delete(index, "p1")
        unit.publishers.delete_issuer(issuer)
    with database.reading() as unit:
        assert unit.publishers.issuers() == []


def test_a_publisher_comes_back_as_it_was_stored(database: Database) -> None:
    every = a_publisher(
        claims={"sub": "repo:*", "ref_protected": "true", "é": "ü"},
        actions=frozenset({Action.READ, Action.UPLOAD}),
        projects=frozenset({ProjectName("a"), ProjectName("b-c")}),
        user=UserName("ci"),
        note="to réléase",
    )
    with database.writing() as unit:
        ensure_user(unit, "ci")
        index, issuer = add_stage(unit), add_issuer(unit)
        assert not unit.publishers.is_used()
        unit.publishers.add(every)
    with database.reading() as unit:
        assert unit.publishers.of_index(index) == [every]
        assert unit.publishers.of_issuer(issuer) == [every]
        assert unit.publishers.is_used()


def test_publishers_are_listed_by_index_and_by_issuer_oldest_first(database: Database) -> None:
    other = IndexName.parse("dev/other")
    with database.writing() as unit:
        base, second = add_stage(unit), add_stage(unit, "dev/other")
        first, team = add_issuer(unit), add_issuer(unit, f"{URL}/team")
        for publisher in (
            a_publisher("new", created=NOW + DAY),
            a_publisher("old"),
            a_publisher("elsewhere", index=other),
            a_publisher("team", issuer=team.url),
        ):
            unit.publishers.add(publisher)
    with database.reading() as unit:
        listed = [
            [publisher.id for publisher in publishers]
            for publishers in (
                unit.publishers.of_index(base),
                unit.publishers.of_index(second),
                unit.publishers.of_issuer(first),
                unit.publishers.of_issuer(team),
                unit.publishers.all(),
            )
        ]
    assert listed == [
        ["old", "team", "new"],
        ["elsewhere"],
        ["elsewhere", "old", "new"],
        ["team"],
        ["elsewhere", "old", "team", "new"],
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"issuer": "https://other.example.com"}, "issuer"),
        ({"index": IndexName.parse("dev/gone")}, "index"),
        ({"user": UserName("nobody")}, "user"),
    ],
)
def test_what_a_publisher_names_must_be_there(
    database: Database, changes: dict[str, Any], what: str
) -> None:
    with database.writing() as unit:
        add_stage(unit)
        add_issuer(unit)
        with pytest.raises(NotFound, match=f"^{what}:"):
            unit.publishers.add(a_publisher(**changes))
        assert not unit.publishers.is_used()


def test_a_publisher_is_deleted_from_its_own_index_alone(database: Database) -> None:
    with database.writing() as unit:
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        add_issuer(unit)
        unit.publishers.add(a_publisher())
        assert not unit.publishers.delete(other, "p1")
        assert not unit.publishers.delete(base, "p")
        assert unit.publishers.delete(base, "p1")
        assert not unit.publishers.delete(base, "p1")
    with database.reading() as unit:
        assert unit.publishers.of_index(base) == []


def test_the_tokens_of_a_publisher_are_found_also_where_they_are_those_of_others(
    database: Database,
) -> None:
    made = {"p1": "p1", "both": "p2,p1", "other": "p2", "longer": "p11", "none": None}
    with database.writing() as unit:
        ensure_user(unit, "dev")
        for token_id, publisher in made.items():
            unit.tokens.add(a_token(token_id, kind=TokenKind.TRUSTED, publisher=publisher))
    with database.reading() as unit:
        assert [token.id for token in unit.tokens.made_for("p1")] == ["both", "p1"]
        assert unit.tokens.made_for("p") == []


def test_publishers_go_with_their_user_and_their_index(database: Database) -> None:
    with database.writing() as unit:
        ensure_user(unit, "ci")
        base, other = add_stage(unit), add_stage(unit, "dev/other")
        add_issuer(unit)
        unit.publishers.add(a_publisher("p1", user=UserName("ci")))
        unit.publishers.add(a_publisher("p2", index=other.name))
        ci = unit.users.get(UserName("ci"))
        assert ci is not None
        unit.users.delete(ci)
        assert unit.publishers.of_index(base) == []
        unit.indexes.delete(other)
        assert not unit.publishers.is_used()


def test_an_identity_token_is_used_once_by_each_issuer(database: Database) -> None:
    with database.writing() as unit:
        first, second = add_issuer(unit), add_issuer(unit, f"{URL}/team")
        assert unit.publishers.use(first, "token", NOW)
        assert not unit.publishers.use(first, "token", NOW + DAY)
        assert unit.publishers.use(first, "Token", NOW)
        assert unit.publishers.use(second, "token", NOW)
    with database.writing() as unit:
        assert not unit.publishers.use(first, "token", NOW)


def test_used_tokens_are_forgotten_once_they_have_expired(database: Database) -> None:
    with database.writing() as unit:
        issuer = add_issuer(unit)
        for day in range(3):
            unit.publishers.use(issuer, f"token-{day}", NOW + day * DAY)
        assert unit.publishers.forget_used(NOW + DAY) == 1
        assert unit.publishers.use(issuer, "token-0", NOW)
        assert not unit.publishers.use(issuer, "token-1", NOW)


def test_a_reading_unit_uses_nothing(database: Database) -> None:
    with database.writing() as unit:
        issuer = add_issuer(unit)
    with database.reading() as unit, pytest.raises(RuntimeError):
        unit.publishers.use(issuer, "token", NOW)


def test_the_id_of_a_database_stays_the_same(database: Database) -> None:
    instance = database.instance()
    assert instance
    assert instance.isprintable()
    with database.writing() as unit:
        add_issuer(unit)
    assert database.instance() == instance
