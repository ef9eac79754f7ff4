"""The groups of who asks: ours are live, those of plugins remembered, and never guessed."""

from collections.abc import Collection

import pytest

from stillroom_server.domain.errors import Trouble
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import UserName
from stillroom_server.services.memberships import Memberships
from support.clock import SetClock
from support.use_cases import PASSWORD, ROOT, UseCases

DEV, ANN = UserName("dev"), UserName("ann")


class Source:
    """A plugin that says what it is given, or raises it; counts how often it is asked."""

    name = "directory"

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def groups_of(self, user: UserName) -> Collection[str] | None:
        self.asked.append(user)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


def completed(cases: UseCases, identity: Identity, *sources: Source) -> Identity:
    return Memberships(cases.database, sources).completed(identity, cases.database.serial())


def by_token(*groups: str) -> Identity:
    return Identity(user=DEV, groups=frozenset(groups), token="t1")


def test_ours_are_added_to_those_of_the_login(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["dev"]})
    assert completed(cases, Identity(user=DEV)).all_groups == {"team"}
    assert completed(cases, by_token("ldap")).all_groups == {"team", "ldap"}
    assert completed(cases, Identity(user=ANN)).all_groups == frozenset()


def test_the_token_of_a_login_keeps_what_plugins_gave_and_nothing_of_ours(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["dev"]})
    identity = completed(cases, Identity(user=DEV, groups=frozenset({"ldap", "team"})))
    issued = cases.tokens.issue_login(identity)
    assert issued.token.groups == {"ldap", "team"}
    issued = cases.tokens.issue_login(completed(cases, Identity(user=DEV)))
    assert issued.token.groups == frozenset()


def test_nobody_has_no_groups_and_nobody_is_asked(cases: UseCases):
    source = Source(["team"])
    assert completed(cases, Identity(), source) == Identity()
    assert source.asked == []


def test_plugins_are_not_asked_for_root_who_comes_in_when_they_fail(cases: UseCases):
    source = Source(OSError())
    assert completed(cases, ROOT, source) == ROOT
    assert Memberships(cases.database, [source]).of_user(UserName("root")) == frozenset()
    assert source.asked == []


def test_ours_are_read_once_while_nothing_changes(cases: UseCases, monkeypatch):
    memberships = Memberships(cases.database, [])
    identity, serial = Identity(user=DEV), cases.database.serial()
    memberships.completed(identity, serial)
    with monkeypatch.context() as patched:
        patched.setattr(cases.database, "reading", lambda: pytest.fail("it is read again"))
        assert memberships.completed(identity, serial) is identity
    cases.groups.create(ROOT, "team", {"members": ["dev"]})
    assert memberships.completed(identity, cases.database.serial()).all_groups == {"team"}


@pytest.mark.parametrize(
    ("answers", "groups"),
    [
        ([], {"login"}),
        ([None], {"login"}),
        ([[]], set()),
        ([["a", "b"]], {"a", "b"}),
        ([["a"], None, {"b"}], {"a", "b"}),
        ([None, []], set()),
    ],
)
def test_what_plugins_say_now_holds_instead_of_what_the_login_gave(
    cases: UseCases, answers, groups
):
    assert completed(cases, by_token("login"), *map(Source, answers)).all_groups == groups


def test_groups_that_authentication_has_just_given_are_not_asked_for(cases: UseCases):
    source = Source(["other"])
    fresh = Identity(user=DEV, groups=frozenset({"given"}))
    assert completed(cases, fresh, source).all_groups == {"given"}
    assert source.asked == []
    assert completed(cases, Identity(user=DEV), source).all_groups == {"other"}


def test_an_answer_is_remembered_for_five_minutes_for_each_user(cases: UseCases, clock: SetClock):
    source = Source(["a"])
    memberships = Memberships(cases.database, [source])
    for user in (DEV, ANN, DEV, ANN):
        assert memberships.of_user(user) == {"a"}
    assert source.asked == ["dev", "ann"]
    source.answer = ["b"]
    clock.advance(seconds=299)
    assert memberships.of_user(DEV) == {"a"}
    clock.advance(seconds=1)
    assert memberships.of_user(DEV) == {"b"}
    assert source.asked == ["dev", "ann", "dev"]


def test_that_a_user_is_not_known_is_remembered_too(cases: UseCases):
    source = Source(None)
    memberships = Memberships(cases.database, [source])
    for _ in range(3):
        assert memberships.of_user(DEV) == frozenset()
    assert source.asked == ["dev"]


def test_while_a_plugin_fails_its_last_answer_holds_for_an_hour_and_then_nothing(
    cases: UseCases, clock: SetClock, caplog
):
    source = Source(["a"])
    memberships = Memberships(cases.database, [source])
    memberships.of_user(DEV)
    source.answer = OSError("the directory is away")
    clock.advance(seconds=3_599)
    assert memberships.of_user(DEV) == {"a"}
    assert "directory" in caplog.text
    clock.advance(seconds=1)
    with pytest.raises(Trouble, match="groups of dev cannot be found out") as caught:
        memberships.of_user(DEV)
    assert caught.value.retry_after == 10
    source.answer = ["b"]
    clock.advance(seconds=10)
    assert memberships.of_user(DEV) == {"b"}


def test_without_a_last_answer_a_failure_is_told_at_once(cases: UseCases):
    memberships = Memberships(cases.database, [Source(["a"]), Source(KeyError("dev"))])
    with pytest.raises(Trouble):
        memberships.completed(by_token("a"), cases.database.serial())


def test_a_plugin_that_fails_is_left_alone_for_ten_seconds(cases: UseCases, clock: SetClock):
    source = Source(OSError())
    memberships = Memberships(cases.database, [source])
    for _ in range(3):
        with pytest.raises(Trouble):
            memberships.of_user(DEV)
    assert source.asked == ["dev"]
    clock.advance(seconds=10)
    with pytest.raises(Trouble):
        memberships.of_user(DEV)
    assert source.asked == ["dev", "dev"]


@pytest.mark.parametrize("answer", ["team", ["te am"], [":team"], ["ANONYMOUS"], [7], 7])
def test_an_answer_that_is_none_counts_as_a_failure(cases: UseCases, answer):
    with pytest.raises(Trouble):
        completed(cases, by_token("team"), Source(answer))


def test_only_so_many_users_are_remembered_and_the_oldest_go_first(cases: UseCases, monkeypatch):
    monkeypatch.setattr("stillroom_server.services.memberships.MAX_REMEMBERED", 2)
    source = Source(["a"])
    memberships = Memberships(cases.database, [source])
    for name in ("x", "y", "z", "z", "y", "x"):
        memberships.of_user(UserName(name))
    assert source.asked == ["x", "y", "z", "x"]


def test_the_rights_of_a_token_are_those_of_the_groups_of_now(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["dev"]})
    secret = cases.login().secret
    assert cases.identify(secret).all_groups == {"team"}
    assert cases.identify(PASSWORD, "dev").all_groups == {"team"}
    cases.groups.delete(ROOT, "team")
    assert cases.identify(secret).all_groups == frozenset()
    assert cases.identify(PASSWORD, "dev").all_groups == frozenset()
