"""Who asks: passwords and tokens, and what is remembered of them."""

from dataclasses import replace

import pytest

from stillroom_server.domain.errors import NotAuthenticated
from stillroom_server.domain.identity import (
    Action,
    Credentials,
    Grant,
    Identity,
    TokenKind,
    TokenLimits,
)
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.accounts import MAX_SECRET
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

DEV_NAME = UserName("dev")


def test_a_password_says_who_it_is(cases: UseCases):
    identity = cases.identify(PASSWORD, "dev")
    assert identity == Identity(user=DEV_NAME)


def test_a_token_says_who_it_is_with_its_limits(cases: UseCases):
    index = IndexName.parse("root/pypi")
    limits = TokenLimits((Grant(frozenset({Action.READ}), frozenset({index})),))
    issued = cases.issue(DEV, TokenKind.MADE, limits)
    for user in (None, "dev"):
        identity = cases.identify(issued.secret, user)
        assert (identity.user, identity.limits) == ("dev", limits)
        assert (identity.token, identity.expires) == (issued.token.id, issued.token.expires)


def test_nothing_sent_is_the_anonymous_identity(cases: UseCases):
    assert cases.authenticator.identify(None) == Identity()


WRONG = {
    "password": ("dev", "wrong password"),
    "no such user": ("nobody", PASSWORD),
    "no name of a user": ("a b", PASSWORD),
    "a password without a user": (None, PASSWORD),
    "a token that was never given out": (None, "stillroom_" + "x" * 43),
    "a token of that shape for a user": ("dev", "stillroom_x"),
    "the hash itself": ("dev", f"quick:{PASSWORD}"),
    "empty": ("dev", ""),
}


def test_whatever_is_wrong_the_refusal_is_the_same(cases: UseCases):
    said = set()
    for user, secret in WRONG.values():
        with pytest.raises(NotAuthenticated) as caught:
            cases.identify(secret, user)
        said.add(caught.value.message)
    assert len(said) == 1


@pytest.mark.parametrize("user", ["nobody", "a b"])
def test_an_unknown_user_takes_a_computation_as_a_known_one_does(cases: UseCases, user):
    before = cases.hasher.verified
    with pytest.raises(NotAuthenticated):
        cases.identify(PASSWORD, user)
    assert cases.hasher.verified == before + 1


def test_a_token_is_looked_up_without_any_computation(cases: UseCases):
    secret = cases.login().secret
    before = cases.hasher.verified
    cases.identify(secret, "dev")
    with pytest.raises(NotAuthenticated):
        cases.identify("stillroom_unknown", "dev")
    assert cases.hasher.verified == before


def test_a_token_of_somebody_else_does_not_count(cases: UseCases):
    secret = cases.login("dev").secret
    with pytest.raises(NotAuthenticated):
        cases.identify(secret, "root")


def test_a_token_ends_at_its_expiry(cases: UseCases):
    issued = cases.login()
    cases.clock.advance(seconds=issued.seconds - 1)
    assert cases.identify(issued.secret).user == "dev"
    cases.clock.advance(seconds=1)
    with pytest.raises(NotAuthenticated):
        cases.identify(issued.secret)


def test_a_new_password_ends_the_old_one_and_all_tokens_at_once(cases: UseCases):
    secret = cases.login().secret
    cases.identify(PASSWORD, "dev")
    cases.identify(secret)
    cases.users.change(DEV, DEV_NAME, {"password": "another one"})
    for wrong in (PASSWORD, secret):
        with pytest.raises(NotAuthenticated):
            cases.identify(wrong, "dev")
    assert cases.identify("another one", "dev").user == "dev"


def test_setting_the_same_password_anew_ends_all_tokens_too(cases: UseCases):
    secret = cases.login().secret
    cases.identify(secret)
    cases.users.change(DEV, DEV_NAME, {"password": PASSWORD})
    with pytest.raises(NotAuthenticated):
        cases.identify(secret)


def test_a_deleted_user_is_nobody_at_once(cases: UseCases):
    secret = cases.login().secret
    cases.identify(PASSWORD, "dev")
    cases.users.delete(ROOT, DEV_NAME)
    for user, wrong in (("dev", PASSWORD), (None, secret)):
        with pytest.raises(NotAuthenticated):
            cases.identify(wrong, user)


@pytest.mark.parametrize("secret", ["x" * (MAX_SECRET + 1), "é" * (MAX_SECRET // 2 + 1)])
def test_a_secret_that_is_too_long_is_refused_before_anything_is_computed(cases, secret):
    with pytest.raises(NotAuthenticated):
        cases.identify(secret, "dev")
    assert cases.hasher.verified == 0


def test_a_user_without_a_password_logs_in_by_token_only(cases: UseCases):
    with cases.database.writing() as unit:
        user = unit.users.get(DEV_NAME)
        unit.users.change(replace(user, password_hash=None))
    for password in ("", "None", "quick:None"):
        with pytest.raises(NotAuthenticated):
            cases.identify(password, "dev")
    issued = cases.issue(DEV, TokenKind.MADE, None)
    assert cases.identify(issued.secret).user == "dev"


def test_tokens_are_asked_before_passwords(clock):
    asked = []

    class Accounts:
        def by_token(self, credentials):
            asked.append("token")

        def by_password(self, credentials):
            asked.append("password")

    Plugins().authenticate(Credentials("dev", "secret"), Accounts())
    assert asked == ["token", "password"]
