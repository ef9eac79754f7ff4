"""Tokens: made, limited, listed, revoked."""

import hashlib
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.identity import Action, Grant, Identity, TokenKind, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services import tokens
from stillroom_server.services.ports import AuditQuery
from stillroom_server.services.tokens import MAX_LIFETIME, IssuedToken
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

DEV_NAME = UserName("dev")
PYPI = IndexName.parse("root/pypi")
YEAR = int(MAX_LIFETIME.total_seconds())
READ, ACCOUNT = Action.READ, Action.ACCOUNT


def limits_to(*indexes: IndexName, allow: frozenset[Action] = frozenset({READ})) -> TokenLimits:
    return TokenLimits((Grant(allow, frozenset(indexes) or None),))


def made(cases: UseCases, limits: TokenLimits | None, seconds: int = 60) -> IssuedToken:
    return cases.tokens.create(DEV, DEV_NAME, limits, seconds, "")


def test_a_login_gives_a_token_for_everything_and_for_a_while(cases: UseCases):
    with cases.recorded() as events:
        issued = cases.login()
    assert issued.seconds == 3600
    assert (issued.token.limits, issued.token.kind) == (None, TokenKind.LOGIN)
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
    limits = limits_to(PYPI)
    issued = cases.tokens.create(DEV, DEV_NAME, limits, 60, "for CI")
    [listed] = cases.tokens.of_user(DEV_NAME)
    assert listed == issued.token
    assert (listed.limits, listed.note, listed.user) == (limits, "for CI", "dev")
    assert (listed.kind, listed.used, listed.publisher) == (TokenKind.MADE, None, None)


def test_the_journal_says_how_far_a_new_token_reaches(cases: UseCases):
    token = made(cases, limits_to(PYPI)).token
    with cases.reading() as unit:
        event = unit.journal.since(0, 1_000)[-1].event
    assert (event.kind, event.actor, event.user) == ("token-created", "dev", "dev")
    assert event.details == {
        "id": token.id,
        "kind": "made",
        "limits": [{"allow": ["read"], "indexes": ["root/pypi"], "projects": None}],
        "expires": token.expires.isoformat(),
    }


@pytest.mark.parametrize("identity", [ROOT, DEV])
def test_nobody_makes_a_token_for_somebody_else(cases: UseCases, identity):
    with pytest.raises(Forbidden, match="only be made by its own user"):
        cases.tokens.create(identity, UserName("ann"), None, 60, "")


@pytest.mark.parametrize("seconds", [0, -1, YEAR + 1, 10**15, 10**400])
def test_a_lifetime_is_between_a_second_and_a_year(cases: UseCases, seconds):
    with pytest.raises(InvalidRequest, match="expires_in: use 1 to 31622400 seconds, which is"):
        made(cases, None, seconds)


@pytest.mark.parametrize("seconds", [1, YEAR])
def test_the_longest_and_the_shortest_lifetime(cases: UseCases, seconds):
    assert made(cases, None, seconds).seconds == seconds


def test_a_login_makes_tokens_that_outlive_it(cases: UseCases):
    identity = cases.identify(cases.login().secret)
    assert cases.tokens.create(identity, DEV_NAME, None, YEAR, "").token.kind is TokenKind.MADE


@pytest.mark.parametrize(
    "limits",
    [
        limits_to(PYPI),
        limits_to(PYPI, allow=frozenset(Action)),
        limits_to(allow=frozenset(Action) - {ACCOUNT}),
        TokenLimits((Grant(frozenset(Action), None, frozenset({"demo"})),)),
        TokenLimits(()),
    ],
    ids=["read", "one index", "no account", "one project", "nothing"],
)
def test_a_limited_token_makes_no_other(cases: UseCases, limits):
    secret = cases.issue(DEV, TokenKind.MADE, limits).secret
    identity = cases.identify(secret)
    with pytest.raises(Forbidden, match="the token in use is limited"):
        cases.tokens.create(identity, DEV_NAME, limits, 1, "")


def test_a_token_for_the_account_makes_none_that_reaches_further(cases: UseCases):
    wide = limits_to(allow=frozenset({READ, ACCOUNT}))
    identity = cases.identify(made(cases, wide).secret)
    further = (
        None,
        limits_to(allow=frozenset({Action.UPLOAD})),
        limits_to(allow=frozenset(Action)),
    )
    for limits in further:
        with pytest.raises(Forbidden, match="reach further"):
            cases.tokens.create(identity, DEV_NAME, limits, 60, "")
    for limits in (wide, limits_to(PYPI)):
        issued = cases.tokens.create(identity, DEV_NAME, limits, 60, "")
        assert issued.token.limits == limits


def test_a_limited_token_makes_none_that_outlives_it(cases: UseCases):
    identity = cases.identify(made(cases, limits_to(allow=frozenset({ACCOUNT}))).secret)
    cases.clock.advance(seconds=1)
    nothing = limits_to(allow=frozenset({ACCOUNT}))
    with pytest.raises(Forbidden, match="makes none that outlives it"):
        cases.tokens.create(identity, DEV_NAME, nothing, 60, "")
    assert cases.tokens.create(identity, DEV_NAME, nothing, 59, "").seconds == 59


def test_the_token_of_a_trusted_publisher_makes_no_other(cases: UseCases):
    wide = limits_to(allow=frozenset(Action))
    issued = cases.issue(DEV, TokenKind.TRUSTED, wide, 900, publisher="p1")
    assert issued.token.publisher == "p1"
    with pytest.raises(Forbidden, match="trusted publisher makes no other"):
        cases.tokens.create(cases.identify(issued.secret), DEV_NAME, wide, 60, "")


def test_a_token_that_was_revoked_meanwhile_makes_no_other(cases: UseCases):
    identity = cases.identify(cases.login().secret)
    cases.tokens.revoke_in_use(identity, "dev")
    with pytest.raises(NotAuthenticated, match="revoked"):
        cases.tokens.create(identity, DEV_NAME, None, 60, "")
    assert cases.tokens.of_user(DEV_NAME) == []


def test_a_limited_token_sets_no_password(cases: UseCases):
    identity = cases.identify(made(cases, limits_to(allow=frozenset({ACCOUNT}))).secret)
    with pytest.raises(Forbidden, match="log in without its limits"):
        cases.users.change(identity, DEV_NAME, {"password": "another one"})
    assert cases.identify(PASSWORD, "dev").user == "dev"
    assert cases.users.change(identity, DEV_NAME, {"title": "Dev"}).title == "Dev"


def test_a_token_for_an_index_that_does_not_exist_is_refused(cases: UseCases):
    names = [PYPI, IndexName.parse("dev/a"), IndexName.parse("dev/b")]
    with pytest.raises(NotFound, match="There is no index dev/a, dev/b"):
        made(cases, limits_to(*names))
    assert cases.tokens.of_user(DEV_NAME) == []


def test_an_index_without_any_right_is_refused(cases: UseCases):
    cases.index("root/secret", identity=ROOT, acl_read=["root"])
    with pytest.raises(Forbidden) as caught:
        made(cases, limits_to(IndexName.parse("root/secret")))
    assert caught.value.message == (
        "Not allowed: you have no right in root/secret, so a token would have none; the owner "
        "root, or who is in acl_admin can change that."
    )
    cases.users.create(ROOT, UserName("ana"), {"password": PASSWORD})
    cases.index("ana/own", identity=Identity(UserName("ana")), acl_read=["ana"])
    both = limits_to(IndexName.parse("ana/own"), IndexName.parse("root/secret"))
    with pytest.raises(Forbidden, match="the owner ana, root, or who is in acl_admin"):
        made(cases, both)
    assert cases.tokens.of_user(DEV_NAME) == []


@pytest.mark.parametrize("option", ["acl_read", "acl_upload", "acl_delete", "acl_admin"])
def test_any_right_in_an_index_is_enough(cases: UseCases, option):
    options = {"acl_read": ["root"], option: ["dev"]}
    cases.index("root/shared", identity=ROOT, **options)
    assert made(cases, limits_to(IndexName.parse("root/shared"))).secret


def test_so_many_tokens_and_no_more(cases: UseCases, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    cases.login()
    for _ in range(3):
        made(cases, None)
    with pytest.raises(Conflict, match="dev has 3 tokens of the kind made, the most"):
        made(cases, None)
    assert cases.tokens.create(ROOT, UserName("root"), None, 60, "").secret
    cases.clock.advance(seconds=61)
    assert made(cases, None).secret


def test_whoever_logs_in_too_often_ends_the_oldest_login(cases: UseCases, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    kept = made(cases, None)
    logins = []
    for _ in range(2):
        logins.append(cases.login())
        cases.clock.advance(seconds=1)
    with cases.recorded() as events:
        logins.append(cases.login())
    assert events == ["token-revoked", "token-created"]
    with pytest.raises(NotAuthenticated):
        cases.identify(logins[0].secret)
    for issued in (*logins[1:], kept):
        assert cases.identify(issued.secret).user == "dev"


# What becomes of tokens when an index goes


def test_an_index_that_comes_again_is_out_of_reach_for_old_tokens(cases: UseCases):
    gone, kept = IndexName.parse("dev/gone"), IndexName.parse("dev/kept")
    for name in (gone, kept):
        cases.index(str(name))
    only = made(cases, limits_to(gone))
    cases.clock.advance(seconds=1)
    both = made(cases, limits_to(gone, kept))
    neither = [made(cases, limits) for limits in (limits_to(kept), limits_to(), None)]
    cases.identify(both.secret)
    with cases.recorded() as events:
        cases.indexes.delete(DEV, gone)
    assert events == ["index-deleted", "token-revoked", "token-changed"]
    with cases.reading() as unit:
        told = unit.journal.audit(AuditQuery(index=gone), 2)
    # What the token reaches beside is not for who administers this index.
    assert [entry.event.details for entry in told] == [
        {"id": both.token.id},
        {"id": only.token.id},
    ]
    cases.index(str(gone))
    with pytest.raises(NotAuthenticated):
        cases.identify(only.secret)
    assert cases.identify(both.secret).limits == limits_to(kept)
    for issued in neither:
        assert cases.identify(issued.secret).limits == issued.token.limits


def test_a_grant_for_other_things_outlives_an_index(cases: UseCases):
    gone = IndexName.parse("dev/gone")
    cases.index("dev/gone")
    reading = Grant(frozenset({READ}))
    limits = TokenLimits((Grant(frozenset({Action.UPLOAD}), frozenset({gone})), reading))
    issued = made(cases, limits)
    cases.indexes.delete(DEV, gone)
    assert cases.identify(issued.secret).limits == TokenLimits((reading,))


def test_a_user_who_goes_takes_the_tokens_for_their_indexes_along(cases: UseCases):
    index = IndexName.parse("dev/shared")
    cases.index("dev/shared", acl_read=[":AUTHENTICATED:"])
    own = made(cases, limits_to(index))
    root = UserName("root")
    theirs = cases.tokens.create(ROOT, root, limits_to(index), 60, "")
    with cases.recorded() as events:
        cases.users.delete(ROOT, DEV_NAME)
    assert events == ["user-deleted", "index-deleted", "token-revoked"]
    for issued in (own, theirs):
        with pytest.raises(NotAuthenticated):
            cases.identify(issued.secret)


def test_expired_tokens_are_not_listed_and_go_when_another_is_made(cases: UseCases):
    cases.tokens.create(DEV, DEV_NAME, None, 60, "short")
    cases.clock.advance(seconds=61)
    assert cases.tokens.of_user(DEV_NAME) == []
    cases.tokens.create(DEV, DEV_NAME, None, 60, "new")
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
    cases.tokens.revoke_in_use(cases.identify(issued.secret), DEV_NAME)
    assert cases.tokens.of_user(DEV_NAME) == [other.token]


def test_the_token_in_use_is_shown(cases: UseCases):
    issued, _other = cases.login(), cases.login()
    assert cases.tokens.in_use(cases.identify(issued.secret), "dev") == issued.token
    for identity, user in (
        (DEV, "dev"),
        (cases.identify(issued.secret), "root"),
        (Identity(), ""),
    ):
        with pytest.raises(Forbidden, match="not made with a token of"):
            cases.tokens.in_use(identity, user)


def test_only_a_request_made_with_ones_own_token_ends_it(cases: UseCases):
    with pytest.raises(Forbidden, match="not made with a token of dev"):
        cases.tokens.revoke_in_use(DEV, DEV_NAME)
    with pytest.raises(Forbidden, match="not made with a token of root"):
        cases.tokens.revoke_in_use(cases.identify(cases.login().secret), "root")


def test_a_token_that_is_not_there_cannot_be_revoked(cases: UseCases):
    with pytest.raises(NotFound, match="dev has no token 'unknown'"):
        cases.tokens.revoke(DEV, DEV_NAME, "unknown")


def test_a_token_of_another_user_cannot_be_revoked_under_ones_own_name(cases: UseCases):
    issued = cases.tokens.login("root", PASSWORD)
    with pytest.raises(NotFound):
        cases.tokens.revoke(DEV, DEV_NAME, issued.token.id)
    assert cases.identify(issued.secret).user == "root"
