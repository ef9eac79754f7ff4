"""Users: created, changed, deleted."""

from dataclasses import replace

import pytest

from stillroom_server.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services.accounts import MAX_SECRET
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

DEV_NAME, ANN = UserName("dev"), UserName("ann")


def test_a_user_is_created_with_what_was_given(cases: UseCases):
    body = {"password": PASSWORD, "email": "ann@host.test", "title": "Ann", "description": ""}
    with cases.recorded() as events:
        cases.users.create(ROOT, ANN, {**body, "custom_data": {"team": 1}})
    user, indexes = cases.users.get(ANN)
    assert (user.name, user.email, user.title, user.description) == (
        "ann", "ann@host.test", "Ann", None,
    )  # fmt: skip
    assert user.custom_data == {"team": 1}
    assert user.created == cases.clock()
    assert user.modified is None
    assert indexes == []
    assert events == ["user-created"]


def test_a_password_is_kept_as_its_hash(cases: UseCases):
    user = cases.users.create(ROOT, ANN, {"password": PASSWORD})
    assert user.password_hash == cases.hasher.hash(PASSWORD)
    assert PASSWORD not in repr(user)


def test_a_name_is_given_once(cases: UseCases):
    with pytest.raises(Conflict, match="User dev exists already"):
        cases.users.create(ROOT, DEV_NAME, {"password": PASSWORD})


PASSWORD_RULES = {
    "missing": ({}, "it is missing"),
    "short": ({"password": "1234567"}, "use text of at least 8 characters"),
    "no text": ({"password": 12345678}, "use text of at least 8 characters"),
    "long": ({"password": "é" * (MAX_SECRET // 2 + 1)}, "use at most 4096 bytes"),
    "a token": ({"password": "stillroom_x"}, "must not begin with stillroom_"),
    "one character": ({"password": "aaaaAAAA"}, "one character again and again"),
    "one digit": ({"password": "11111111"}, "one character again and again"),
    "common": ({"password": "sunshine"}, "it is among the 1 most used passwords"),
    "the product": ({"password": "stillroom"}, "more than the user's name, or the word"),
    "the product, decorated": ({"password": "StillRoom2026!"}, "more than the user's name"),
}


@pytest.mark.parametrize(("body", "rule"), PASSWORD_RULES.values(), ids=PASSWORD_RULES)
def test_a_password_that_breaks_a_rule_is_refused(cases: UseCases, body, rule):
    with pytest.raises(InvalidRequest, match=rule) as caught:
        cases.users.create(ROOT, ANN, body)
    assert [fault.field for fault in caught.value.faults] == ["password"]
    with pytest.raises(NotFound):
        cases.users.get(ANN)


LONG_NAME = UserName("ann.of-the.team")


@pytest.mark.parametrize("password", ["ann.of-the.team", "ANN.of-the.team1", "--Ann.Of-The.Team"])
def test_a_password_is_more_than_the_name(cases: UseCases, password: str):
    with pytest.raises(InvalidRequest, match="more than the user's name"):
        cases.users.create(ROOT, LONG_NAME, {"password": password})
    cases.users.create(ROOT, LONG_NAME, {"password": f"x{password}"})
    with pytest.raises(InvalidRequest, match="more than the user's name"):
        cases.users.change(ROOT, LONG_NAME, {"password": password})


def test_a_name_without_letters_forbids_no_other_password_without_letters(cases: UseCases):
    digits = UserName("20261121")
    with pytest.raises(InvalidRequest, match="more than the user's name"):
        cases.users.create(ROOT, digits, {"password": "20261121"})
    cases.users.create(ROOT, digits, {"password": "1121-2026"})


def test_root_creates_users_without_a_password_and_nobody_else_does(cases: UseCases):
    assert cases.users.create(ROOT, ANN, {"password": None}).password_hash is None
    for identity in (DEV, Identity()):
        with pytest.raises(InvalidRequest, match="only root creates users without one"):
            cases.users.create(identity, UserName("bob"), {"password": None})


def test_a_password_is_taken_away_with_all_tokens(cases: UseCases):
    secret = cases.login().secret
    with cases.recorded() as events:
        user = cases.users.change(ROOT, DEV_NAME, {"password": None})
    assert user.password_hash is None
    assert events == ["user-changed"]
    for wrong in (PASSWORD, secret, "None", ""):
        with pytest.raises(NotAuthenticated):
            cases.identify(wrong, "dev")
    cases.users.change(ROOT, DEV_NAME, {"password": "another password"})
    assert cases.identify("another password", "dev").user == "dev"


def test_root_keeps_a_password(cases: UseCases):
    with pytest.raises(InvalidRequest, match="root needs one"):
        cases.users.change(ROOT, UserName("root"), {"password": None})
    assert cases.identify(PASSWORD, "root").is_root


def test_a_limited_token_takes_no_password_away(cases: UseCases):
    limited = replace(DEV, limits=TokenLimits((Grant(frozenset(Action)),)))
    with pytest.raises(Forbidden, match="the token in use is limited"):
        cases.users.change(limited, DEV_NAME, {"password": None})


def test_a_user_without_a_password_costs_a_computation_like_any_other(cases: UseCases):
    cases.users.create(ROOT, ANN, {"password": None})
    with pytest.raises(NotAuthenticated):
        cases.identify("wrong password", "ann")
    assert cases.hasher.verified == 1


def test_all_faults_are_named_at_once(cases: UseCases):
    body = {"email": 5, "title": "x" * 10_001, "nmae": "Ann", "custom_data": [1]}
    with pytest.raises(InvalidRequest) as caught:
        cases.users.create(ROOT, ANN, body)
    fields = sorted(fault.field for fault in caught.value.faults)
    assert fields == ["custom_data", "email", "nmae", "password", "title"]


def test_a_change_touches_what_is_named(cases: UseCases):
    cases.users.change(DEV, DEV_NAME, {"email": "dev@host.test", "title": "Dev"})
    cases.clock.advance(seconds=5)
    with cases.recorded() as events:
        cases.users.change(DEV, DEV_NAME, {"email": ""})
    user, _indexes = cases.users.get(DEV_NAME)
    assert (user.email, user.title) == (None, "Dev")
    assert user.modified == cases.clock()
    assert events == ["user-changed"]


def test_the_audit_of_a_change_tells_what_everybody_may_read(cases: UseCases):
    cases.users.change(DEV, DEV_NAME, {"title": "Old", "description": "x" * 300})
    body = {"title": "New", "description": "", "email": "dev@host.test", "custom_data": {"a": 1}}
    cases.users.change(DEV, DEV_NAME, body)
    assert cases.last_event().details == {
        "fields": ["custom_data", "description", "email", "title"],
        "changes": {
            "title": {"from": "Old", "to": "New"},
            "description": {"from": "x" * 199 + "…", "to": None},
        },
    }
    cases.users.change(DEV, DEV_NAME, {"password": "another password", **body})
    assert cases.last_event().details == {"fields": ["password"]}


def test_a_change_of_nothing_is_no_event(cases: UseCases):
    cases.users.change(DEV, DEV_NAME, {"email": "dev@host.test"})
    with cases.recorded() as events:
        cases.users.change(DEV, DEV_NAME, {"email": "dev@host.test"})
    assert events == []


def test_what_a_client_of_devpi_sends_back_unchanged_is_ignored(cases: UseCases):
    echoed = {"username": "dev", "indexes": {}, "created": "then", "modified": "never"}
    echoed |= {"groups": ["release"], "has_password": True, "tokens": 3}
    assert cases.users.change(DEV, DEV_NAME, {**echoed, "title": "Dev"}).title == "Dev"


@pytest.mark.parametrize("body", [{"password": "short"}, {"title": 5}, {"nope": ""}])
def test_a_change_keeps_the_rules(cases: UseCases, body):
    with pytest.raises(InvalidRequest):
        cases.users.change(DEV, DEV_NAME, body)


@pytest.mark.parametrize("action", ["get", "change", "delete"])
def test_a_user_who_does_not_exist(cases: UseCases, action):
    arguments = {"get": (ANN,), "change": (ROOT, ANN, {}), "delete": (ROOT, ANN)}
    with pytest.raises(NotFound, match="There is no user ann"):
        getattr(cases.users, action)(*arguments[action])


def test_all_users_are_shown_with_their_indexes(cases: UseCases):
    cases.index("dev/b")
    cases.index("dev/a", "dev/b")
    shown = {user.name: [str(i.name) for i in indexes] for user, indexes in cases.users.all()}
    assert shown == {"dev": ["dev/a", "dev/b"], "root": ["root/pypi"]}


def test_a_user_goes_with_their_indexes_however_they_inherit(cases: UseCases):
    cases.index("dev/b")
    cases.index("dev/a", "dev/b")
    cases.index("dev/c", "dev/a", "dev/b")
    with cases.recorded() as events:
        cases.users.delete(ROOT, DEV_NAME)
    assert sorted(events) == ["index-deleted"] * 3 + ["user-deleted"]
    with cases.reading() as unit:
        assert [str(index.name) for index in unit.indexes.all()] == ["root/pypi"]


def test_a_user_whose_index_others_inherit_from_stays_whole(cases: UseCases):
    cases.index("dev/base")
    cases.index("dev/top", "dev/base")
    cases.users.create(ROOT, ANN, {"password": PASSWORD})
    cases.indexes.create(ROOT, IndexName.parse("ann/own"), {"bases": ["dev/base"]})
    with pytest.raises(Conflict, match=r"dev/base cannot be deleted: ann/own inherits from it"):
        cases.users.delete(ROOT, DEV_NAME)
    assert len(cases.users.get(DEV_NAME)[1]) == 2


def test_a_user_with_an_index_that_is_not_volatile_stays(cases: UseCases):
    cases.index("dev/keep", volatile=False)
    with pytest.raises(Forbidden, match="the non-volatile index dev/keep; set volatile=true"):
        cases.users.delete(ROOT, DEV_NAME)


def test_events_never_tell_a_password(cases: UseCases):
    cases.users.change(DEV, DEV_NAME, {"password": "another one", "title": "Dev"})
    with cases.reading() as unit:
        last = unit.journal.since(0, 100)[-1].event
    changes = {"title": {"from": None, "to": "Dev"}}
    assert last.details == {"fields": ["password", "title"], "changes": changes}
