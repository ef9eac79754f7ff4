"""Owners of projects and requests for new ones, behind the port."""

from datetime import timedelta

import pytest

from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName, UserName
from stillroom_server.services.ports import Database, ProjectRequest, Unit
from support.rows import DEV, NOW, add_stage, ensure_user

DEMO, OTHER = ProjectName("demo"), ProjectName("other")
ANA = UserName("ana")


def asked(project: ProjectName = DEMO, user: UserName = DEV, hours: int = 0) -> ProjectRequest:
    return ProjectRequest(project, user, NOW + timedelta(hours=hours))


def two_stages(unit: Unit) -> tuple[Index, Index]:
    return add_stage(unit), add_stage(unit, "dev/next")


def test_owners_are_those_of_one_name_in_one_stage(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        unit.owners.set(base, DEMO, frozenset({"ci", ":team"}))
        unit.owners.set(following, DEMO, frozenset({"ana"}))
        unit.owners.set(base, OTHER, frozenset({"ana"}))
    with database.reading() as unit:
        assert unit.owners.of_project(base, DEMO) == {"ci", ":team"}
        assert unit.owners.of_project(following, DEMO) == {"ana"}
        assert unit.owners.of_project(following, OTHER) == frozenset()
        assert unit.owners.all(base) == {DEMO: {"ci", ":team"}, OTHER: {"ana"}}
        assert list(unit.owners.all(base)) == [DEMO, OTHER]


def test_setting_owners_replaces_all_that_were_there(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        unit.owners.set(base, DEMO, frozenset({"ci", "ana"}))
        unit.owners.set(base, DEMO, frozenset({"ci", ":team"}))
        assert unit.owners.of_project(base, DEMO) == {"ci", ":team"}
        unit.owners.set(following, DEMO, frozenset({"ci"}))
        unit.owners.set(base, DEMO, frozenset())
        assert unit.owners.all(base) == {}
        assert unit.owners.of_project(following, DEMO) == {"ci"}


def test_who_is_forgotten_owns_nothing_anywhere(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        unit.owners.set(base, DEMO, frozenset({"team", ":team"}))
        unit.owners.set(following, OTHER, frozenset({":team"}))
        unit.owners.set(following, DEMO, frozenset({":team", "ana"}))
        assert (unit.owners.has(":team"), unit.owners.has("te")) == (True, False)
        assert unit.owners.forget(":team") == [
            (base.name, DEMO),
            (following.name, DEMO),
            (following.name, OTHER),
        ]
        assert unit.owners.forget(":team") == []
        assert not unit.owners.has(":team")
    with database.reading() as unit:
        assert unit.owners.all(base) == {DEMO: {"team"}}
        assert unit.owners.all(following) == {DEMO: {"ana"}}


def test_a_request_is_noted_once_and_keeps_its_time(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        ensure_user(unit, ANA)
        assert unit.owners.request(base, asked(hours=2))
        assert not unit.owners.request(base, asked(hours=5))
        assert unit.owners.request(base, asked(user=ANA, hours=1))
        assert unit.owners.request(base, asked(OTHER))
        assert unit.owners.request(following, asked(hours=4))
    with database.reading() as unit:
        assert unit.owners.requests(base) == [
            asked(OTHER),
            asked(user=ANA, hours=1),
            asked(hours=2),
        ]
        assert unit.owners.requests(following) == [asked(hours=4)]


def test_requests_are_dropped_for_one_name_in_one_stage(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        ensure_user(unit, ANA)
        for index, request in (
            (base, asked()),
            (base, asked(user=ANA)),
            (base, asked(OTHER)),
            (following, asked()),
        ):
            unit.owners.request(index, request)
        assert unit.owners.drop_requests(base, DEMO) == 2
        assert unit.owners.drop_requests(base, DEMO) == 0
        assert unit.owners.requests(base) == [asked(OTHER)]
        assert unit.owners.requests(following) == [asked()]


def test_the_request_of_one_user_is_dropped_alone(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        ensure_user(unit, ANA)
        for index, request in (
            (base, asked()),
            (base, asked(user=ANA)),
            (base, asked(OTHER, user=ANA)),
            (following, asked(user=ANA)),
        ):
            unit.owners.request(index, request)
        assert unit.owners.drop_requests(base, DEMO, ANA) == 1
        assert unit.owners.drop_requests(base, DEMO, ANA) == 0
        assert unit.owners.drop_requests(base, DEMO, UserName("nobody")) == 0
        assert set(unit.owners.requests(base)) == {asked(), asked(OTHER, user=ANA)}
        assert unit.owners.requests(following) == [asked(user=ANA)]


def test_an_index_takes_its_owners_and_requests_with_it(database: Database) -> None:
    with database.writing() as unit:
        base, following = two_stages(unit)
        for index in (base, following):
            unit.owners.set(index, DEMO, frozenset({"ci"}))
            unit.owners.request(index, asked())
        unit.indexes.delete(base)
    with database.reading() as unit:
        assert (unit.owners.all(base), unit.owners.requests(base)) == ({}, [])
        assert unit.owners.all(following) == {DEMO: {"ci"}}
        assert unit.owners.requests(following) == [asked()]


def test_a_user_takes_their_requests_with_them(database: Database) -> None:
    with database.writing() as unit:
        base = add_stage(unit)
        ensure_user(unit, ANA)
        unit.owners.request(base, asked())
        unit.owners.request(base, asked(user=ANA))
    with database.writing() as unit:
        ana = unit.users.get(ANA)
        assert ana is not None
        unit.users.delete(ana)
        assert unit.owners.requests(base) == [asked()]


def test_nobody_who_is_gone_can_ask(database: Database) -> None:
    with pytest.raises(Conflict), database.writing() as unit:
        unit.owners.request(add_stage(unit), asked(user=UserName("nobody")))


def test_nothing_is_owned_in_an_index_that_is_gone(database: Database) -> None:
    with database.writing() as unit:
        base = add_stage(unit)
    with database.writing() as unit:
        unit.indexes.delete(base)
    with pytest.raises(Conflict), database.writing() as unit:
        unit.owners.set(base, DEMO, frozenset({"ci"}))


def test_a_unit_that_reads_changes_no_owners(database: Database) -> None:
    with database.writing() as unit:
        base = add_stage(unit)
    with pytest.raises(RuntimeError), database.reading() as unit:
        unit.owners.set(base, DEMO, frozenset({"ci"}))
