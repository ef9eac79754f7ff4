"""Tokens: made, limited, listed, revoked."""

import hashlib
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.identity import Scope, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services.tokens import MAX_LIFETIME
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

DEV_NAME = UserName("dev")
PYPI = IndexName.parse("root/pypi")
YEAR = int(MAX_LIFETIME.total_seconds())


def test_a_login_gives_a_token_for_everything_and_for_a_while(cases: UseCases):
    with cases.recorded() as events:
        issued = cases.login()
    assert issued.seconds == 3600
    assert issued.token.limits == TokenLimits()
    assert issued.token.expires == cases.clock() + timedelta(hours=1)
    assert cases.identify(issued.secret).user == "dev"
    assert events == ["token-created"]


@pytest.mark.parametrize("user", ["dev", "nobody", "a b"])
def test_a_wrong_login_does_not_say_whether_the_user_exists(cases: UseCases, user):
    with pytest.raises(NotAuthenticated, match="Wrong user name, password or token"):
        cases.tokens.login(user, "wrong password")


def test_a_token_does_not_log_in(cases: UseCases):
    with pytest.raises(NotAuthenticated, match="not with a token"):
        cases.tokens.login("dev", cases.login().secret)


def test_secrets_are_random_long_and_marked_and_only_their_hash_is_kept(cases: UseCases):
    secrets = {cases.login().secret for _ in range(5)}
    assert len(secrets) == 5
    assert all(secret.startswith("stillroom_") and len(secret) > 50 for secret in secrets)
    with cases.reading() as unit:
        kept = {token.digest for token in unit.tokens.of_user(DEV_NAME)}
    assert kept == {hashlib.sha256(secret.encode()).digest() for secret in secrets}


def test_a_token_is_made_with_what_was_asked(cases: UseCases):
    limits = TokenLimits(Scope.READ, frozenset({PYPI}))
    issued = cases.tokens.create(DEV, DEV_NAME, limits, 60, "for CI")
    [listed] = cases.tokens.of_user(DEV_NAME)
    assert listed == issued.token
    assert (listed.limits, listed.note, listed.user) == (limits, "for CI", "dev")


@pytest.mark.parametrize("identity", [ROOT, DEV])
def test_nobody_makes_a_token_for_somebody_else(cases: UseCases, identity):
    with pytest.raises(Forbidden, match="only be made by its own user"):
        cases.tokens.create(identity, UserName("ann"), TokenLimits(), 60, "")


@pytest.mark.parametrize("seconds", [0, -1, YEAR + 1, 10**15, 10**400])
def test_a_lifetime_is_between_a_second_and_a_year(cases: UseCases, seconds):
    with pytest.raises(InvalidRequest, match="expires_in: use 1 second to 366 days"):
        cases.tokens.create(DEV, DEV_NAME, TokenLimits(), seconds, "")


@pytest.mark.parametrize("seconds", [1, YEAR])
def test_the_longest_and_the_shortest_lifetime(cases: UseCases, seconds):
    assert cases.tokens.create(DEV, DEV_NAME, TokenLimits(), seconds, "").seconds == seconds


def test_a_token_makes_no_token_that_reaches_further(cases: UseCases):
    narrow = TokenLimits(Scope.ALL, frozenset({PYPI}))
    secret = cases.tokens.create(DEV, DEV_NAME, narrow, 60, "").secret
    identity = cases.identify(secret)
    with pytest.raises(Forbidden, match="reach further"):
        cases.tokens.create(identity, DEV_NAME, TokenLimits(), 60, "")
    narrower = TokenLimits(Scope.READ, frozenset({PYPI}))
    assert cases.tokens.create(identity, DEV_NAME, narrower, 60, "").token.limits == narrower


def test_a_token_for_an_index_that_does_not_exist_is_refused(cases: UseCases):
    names = frozenset({PYPI, IndexName.parse("dev/a"), IndexName.parse("dev/b")})
    with pytest.raises(NotFound, match="There is no index dev/a, dev/b"):
        cases.tokens.create(DEV, DEV_NAME, TokenLimits(indexes=names), 60, "")
    assert cases.tokens.of_user(DEV_NAME) == []


def test_expired_tokens_are_not_listed_and_go_when_another_is_made(cases: UseCases):
    cases.tokens.create(DEV, DEV_NAME, TokenLimits(), 60, "short")
    cases.clock.advance(seconds=61)
    assert cases.tokens.of_user(DEV_NAME) == []
    cases.tokens.create(DEV, DEV_NAME, TokenLimits(), 60, "new")
    with cases.reading() as unit:
        assert [token.note for token in unit.tokens.of_user(DEV_NAME)] == ["new"]


def test_a_revoked_token_ends_at_once(cases: UseCases):
    issued = cases.login()
    cases.identify(issued.secret)
    with cases.recorded() as events:
        cases.tokens.revoke(DEV, DEV_NAME, issued.token.id)
    with pytest.raises(NotAuthenticated):
        cases.identify(issued.secret)
    assert events == ["token-revoked"]


def test_a_token_can_be_revoked_by_itself(cases: UseCases):
    issued, other = cases.login(), cases.login()
    cases.tokens.revoke_current(cases.identify(issued.secret), DEV_NAME)
    assert cases.tokens.of_user(DEV_NAME) == [other.token]


def test_only_a_request_made_with_ones_own_token_ends_it(cases: UseCases):
    with pytest.raises(Forbidden, match="not made with a token of dev"):
        cases.tokens.revoke_current(DEV, DEV_NAME)
    with pytest.raises(Forbidden, match="not made with a token of root"):
        cases.tokens.revoke_current(cases.identify(cases.login().secret), "root")


def test_a_token_that_is_not_there_cannot_be_revoked(cases: UseCases):
    with pytest.raises(NotFound, match="dev has no token 'unknown'"):
        cases.tokens.revoke(DEV, DEV_NAME, "unknown")


def test_a_token_of_another_user_cannot_be_revoked_under_ones_own_name(cases: UseCases):
    issued = cases.tokens.login("root", PASSWORD)
    with pytest.raises(NotFound):
        cases.tokens.revoke(DEV, DEV_NAME, issued.token.id)
    assert cases.identify(issued.secret).user == "root"
