"""Who may do what, and why: every permission for every kind of identity."""

import pytest

from stillroom_server.domain.access import (
    READING,
    Permission,
    index_verdict,
    limits_verdict,
    read_verdict,
    user_verdict,
)
from stillroom_server.domain.identity import Identity, Scope, TokenLimits
from stillroom_server.domain.names import ROOT, IndexName, UserName
from support.values import a_lineage, a_mirror, a_stage

P = Permission
DEV, OTHER = UserName("dev"), UserName("other")
INDEX = a_stage("dev/base", acl_upload=("dev", "ci", ":team"), acl_read=(":AUTHENTICATED:",))
MIRROR = a_mirror("root/mirror")


def _identity(user, **values):
    return Identity(user=UserName(user), **values)


def _limited(user, scope=Scope.ALL, *indexes):
    names = frozenset(IndexName.parse(name) for name in indexes) or None
    return _identity(user, limits=TokenLimits(scope, names), token="t1")


NOBODY = Identity()
IDENTITIES = {
    "nobody": NOBODY,
    "root": _identity("root"),
    "owner": _identity("dev"),
    "listed": _identity("ci"),
    "member": _identity("ann", groups=frozenset({"team"})),
    "other": _identity("other"),
    "owner, read token": _limited("dev", Scope.READ),
    "owner, token of this index": _limited("dev", Scope.ALL, "dev/base"),
    "owner, token of another index": _limited("dev", Scope.ALL, "dev/else"),
    "owner, read token of this index": _limited("dev", Scope.READ, "dev/base"),
    "root, token of another index": _limited("root", Scope.ALL, "dev/else"),
}

USER_PERMISSIONS = [P.USERS_READ, P.USER_CREATE, P.USER_MODIFY, P.USER_DELETE, P.TOKENS,
                    P.INDEX_CREATE]  # fmt: skip
CHANGES = {P.USER_MODIFY, P.USER_DELETE, P.TOKENS, P.INDEX_CREATE}
MAY_ABOUT_DEV = {
    "nobody": set(),
    "root": {P.USERS_READ, P.USER_CREATE, *CHANGES},
    "owner": {P.USERS_READ, *CHANGES},
    "listed": {P.USERS_READ},
    "member": {P.USERS_READ},
    "other": {P.USERS_READ},
    "owner, read token": {P.USERS_READ},
    "owner, token of this index": {P.USERS_READ},
    "owner, token of another index": {P.USERS_READ},
    "owner, read token of this index": {P.USERS_READ},
    "root, token of another index": {P.USERS_READ},
}

INDEX_PERMISSIONS = [P.INDEX_MODIFY, P.INDEX_DELETE, P.UPLOAD, P.REMOVE]
CONTENT = {P.UPLOAD, P.REMOVE}
MAY_WITH_THE_INDEX = {
    "nobody": set(),
    "root": {P.INDEX_MODIFY, P.INDEX_DELETE, P.REMOVE},
    "owner": {P.INDEX_MODIFY, P.INDEX_DELETE, *CONTENT},
    "listed": CONTENT,
    "member": CONTENT,
    "other": set(),
    "owner, read token": set(),
    "owner, token of this index": {P.INDEX_MODIFY, P.INDEX_DELETE, *CONTENT},
    "owner, token of another index": set(),
    "owner, read token of this index": set(),
    "root, token of another index": set(),
}


def _grid(permissions):
    return [
        pytest.param(kind, permission, id=f"{kind}: {permission}")
        for kind in IDENTITIES
        for permission in permissions
    ]


def test_the_tables_cover_every_permission():
    assert {P.OPEN, P.READ, *USER_PERMISSIONS, *INDEX_PERMISSIONS} == set(Permission)


@pytest.mark.parametrize(("kind", "permission"), _grid(USER_PERMISSIONS))
def test_what_concerns_a_user(kind, permission):
    verdict = user_verdict(IDENTITIES[kind], permission, DEV, open_signup=False)
    assert bool(verdict) is (permission in MAY_ABOUT_DEV[kind]), verdict.reason
    assert verdict.reason


@pytest.mark.parametrize(("kind", "permission"), _grid(INDEX_PERMISSIONS))
def test_what_concerns_an_index(kind, permission):
    verdict = index_verdict(IDENTITIES[kind], permission, INDEX)
    assert bool(verdict) is (permission in MAY_WITH_THE_INDEX[kind]), verdict.reason
    assert verdict.reason


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (user_verdict(NOBODY, P.USERS_READ, None, open_signup=False), "nobody is logged in"),
        (user_verdict(NOBODY, P.USER_CREATE, OTHER, open_signup=True), "sign-up is open"),
        (user_verdict(IDENTITIES["root"], P.TOKENS, DEV, open_signup=False),
         "root administers users"),
        (user_verdict(IDENTITIES["root"], P.USER_DELETE, ROOT, open_signup=False),
         "root cannot be deleted"),
        (user_verdict(IDENTITIES["other"], P.USER_CREATE, DEV, open_signup=False),
         "only root creates users here"),
        (user_verdict(IDENTITIES["owner"], P.TOKENS, DEV, open_signup=False), "it is their own"),
        (user_verdict(IDENTITIES["other"], P.USER_MODIFY, DEV, open_signup=False),
         "other may not do this for dev"),
        (user_verdict(IDENTITIES["owner, token of this index"], P.TOKENS, DEV, open_signup=False),
         "this token is limited to certain indexes"),
        (user_verdict(IDENTITIES["owner, read token"], P.TOKENS, DEV, open_signup=False),
         "this token may only read"),
        (index_verdict(NOBODY, P.REMOVE, INDEX), "nobody is logged in"),
        (index_verdict(NOBODY, P.UPLOAD, INDEX),
         "an anonymous client is not in acl_upload of dev/base"),
        (index_verdict(IDENTITIES["root"], P.UPLOAD, INDEX),
         "root is not in acl_upload of dev/base"),
        (index_verdict(IDENTITIES["listed"], P.UPLOAD, INDEX),
         "acl_upload of dev/base names them"),
        (index_verdict(IDENTITIES["listed"], P.INDEX_MODIFY, INDEX),
         "ci does not administer dev/base"),
        (index_verdict(IDENTITIES["owner"], P.INDEX_DELETE, INDEX),
         "root and the owner administer an index"),
        (index_verdict(IDENTITIES["owner, token of another index"], P.UPLOAD, INDEX),
         "this token does not cover dev/base"),
    ],
)  # fmt: skip
def test_each_answer_has_its_reason(verdict, reason):
    assert verdict.reason == reason


def test_an_index_may_be_opened_for_uploads_by_everyone_but_not_for_removals():
    open_index = a_stage("dev/open", acl_upload=(":ANONYMOUS:",))
    assert index_verdict(NOBODY, P.UPLOAD, open_index)
    assert not index_verdict(NOBODY, P.REMOVE, open_index)
    assert index_verdict(IDENTITIES["other"], P.UPLOAD, open_index)


ACLS = {
    "closed": (),
    "named": ("other",),
    "group": (":team",),
    "logged in": (":AUTHENTICATED:",),
    "everyone": (":ANONYMOUS:",),
}
READERS = {
    "closed": {"root", "owner"},
    "named": {"root", "owner", "other"},
    "group": {"root", "owner", "member"},
    "logged in": {"root", "owner", "other", "member", "listed"},
    "everyone": {"nobody", "root", "owner", "other", "member", "listed"},
}


@pytest.mark.parametrize("acl", ACLS)
@pytest.mark.parametrize("kind", ["nobody", "root", "owner", "listed", "member", "other"])
def test_who_reads_a_stage(kind, acl):
    lineage = a_lineage(a_stage("dev/base", acl_read=ACLS[acl]))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is (kind in READERS[acl])


@pytest.mark.parametrize("acl", ACLS)
@pytest.mark.parametrize("kind", ["nobody", "root", "owner", "listed", "member", "other"])
def test_who_reads_a_mirror(kind, acl):
    lineage = a_lineage(a_mirror("dev/vendor", acl_read=ACLS[acl]))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is (kind in READERS[acl])


def test_a_mirror_that_may_not_be_read_closes_its_heirs():
    top = a_stage("other/top", "dev/vendor", acl_read=(":ANONYMOUS:",))
    lineage = a_lineage(top, a_mirror("dev/vendor", acl_read=()))
    assert read_verdict(IDENTITIES["owner"], lineage)
    assert read_verdict(NOBODY, lineage).reason.endswith("closed to an anonymous client")


def test_a_base_that_may_not_be_read_closes_the_heir_and_is_named():
    top = a_stage("dev/top", "boss/secret", acl_read=(":ANONYMOUS:",))
    lineage = a_lineage(top, a_stage("boss/secret", acl_read=()))
    refused = read_verdict(IDENTITIES["owner"], lineage)
    assert not refused
    assert refused.reason == "dev/top inherits from boss/secret, closed to dev"
    assert read_verdict(NOBODY, lineage).reason.endswith("closed to an anonymous client")
    assert read_verdict(IDENTITIES["root"], lineage)


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("owner, read token", True),
        ("owner, token of this index", True),
        ("owner, read token of this index", True),
        ("owner, token of another index", False),
        ("root, token of another index", False),
    ],
)
def test_a_token_must_cover_the_index_that_is_asked_and_brings_its_bases(kind, may):
    lineage = a_lineage(a_stage("dev/base", "dev/far"), a_stage("dev/far"))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is may


@pytest.mark.parametrize("permission", sorted(Permission))
@pytest.mark.parametrize("indexes", [None, frozenset({INDEX.name})], ids=["all", "one"])
@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_never_allows_more_than_its_limits(scope, indexes, permission):
    limits = TokenLimits(scope, indexes)
    within_scope = scope is Scope.ALL or permission in READING
    assert bool(limits_verdict(limits, permission, INDEX)) is within_scope
    is_open = permission is P.OPEN
    elsewhere = limits_verdict(limits, permission, a_stage("dev/else"))
    assert bool(elsewhere) is (is_open or (within_scope and indexes is None))
    apart = limits_verdict(limits, permission, None)
    is_visible = permission in {P.OPEN, P.USERS_READ}
    assert bool(apart) is (is_visible or (within_scope and indexes is None))


def test_without_a_token_there_are_no_limits():
    for permission in Permission:
        assert limits_verdict(None, permission, None)


@pytest.mark.parametrize(
    ("mine", "wanted", "covered"),
    [
        (TokenLimits(), TokenLimits(), True),
        (TokenLimits(), TokenLimits(Scope.READ, frozenset({INDEX.name})), True),
        (TokenLimits(Scope.READ), TokenLimits(), False),
        (TokenLimits(Scope.READ), TokenLimits(Scope.READ), True),
        (TokenLimits(indexes=frozenset({INDEX.name})), TokenLimits(), False),
        (TokenLimits(indexes=frozenset({INDEX.name})),
         TokenLimits(indexes=frozenset({INDEX.name})), True),
        (TokenLimits(indexes=frozenset({INDEX.name})),
         TokenLimits(indexes=frozenset({INDEX.name, MIRROR.name})), False),
        (TokenLimits(indexes=frozenset()), TokenLimits(indexes=frozenset()), True),
    ],
)  # fmt: skip
def test_limits_cover_only_what_is_no_wider(mine, wanted, covered):
    assert mine.covers(wanted) is covered


def test_who_an_identity_is_in_access_lists():
    assert NOBODY.principals == {":ANONYMOUS:"}
    member = _identity("ann", groups=frozenset({"team"}))
    assert member.principals == {":ANONYMOUS:", ":AUTHENTICATED:", "ann", ":team"}
