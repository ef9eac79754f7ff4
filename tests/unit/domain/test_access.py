"""Who may do what, and why: every permission for every kind of identity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.access import (
    ACTIONS,
    LISTS,
    Permission,
    granters,
    index_verdict,
    limits_verdict,
    listed,
    read_verdict,
    user_verdict,
)
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import ROOT, IndexName, ProjectName, UserName
from support.values import a_lineage, a_mirror, a_stage

P, A = Permission, Action
DEV, OTHER = UserName("dev"), UserName("other")
DEMO, EXTRA = ProjectName("demo"), ProjectName("extra")
INDEX = a_stage(
    "dev/base",
    acl_read=("reader", ":readers"),
    acl_upload=("ci", ":team"),
    acl_delete=("remover",),
    acl_admin=("admin",),
)
ELSE = a_stage("dev/else")


def _identity(user, **values):
    return Identity(user=UserName(user), **values)


def _grant(*actions, indexes=None, projects=None):
    return Grant(
        frozenset(actions or Action),
        None if indexes is None else frozenset(map(IndexName.parse, indexes)),
        None if projects is None else frozenset(map(ProjectName, projects)),
    )


def _limited(user, *grants, **values):
    return _identity(user, limits=TokenLimits(grants), token="t1", **values)


NOBODY = Identity()
IDENTITIES = {
    "nobody": NOBODY,
    "root": _identity("root"),
    "owner": _identity("dev"),
    "reader": _identity("reader"),
    "uploader": _identity("ci"),
    "member": _identity("ann", groups=frozenset({"team"})),
    "remover": _identity("remover"),
    "admin": _identity("admin"),
    "other": _identity("other"),
    "owner, read token": _limited("dev", _grant(A.READ)),
    "owner, upload token": _limited("dev", _grant(A.UPLOAD)),
    "owner, token of this index": _limited("dev", _grant(indexes=["dev/base"])),
    "owner, token of another index": _limited("dev", _grant(indexes=["dev/else"])),
    "owner, token of a project": _limited("dev", _grant(projects=["demo"])),
    "owner, token of two grants": _limited(
        "dev", _grant(A.READ, A.UPLOAD, indexes=["dev/base"]), _grant(A.DELETE, indexes=["dev/x"])
    ),
    "root, token of another index": _limited("root", _grant(indexes=["dev/else"])),
    "other, token of this index": _limited("other", _grant(indexes=["dev/base"])),
}

OF_EVERYBODY = {P.USERS_READ, P.TOKEN_IN_USE}
OF_ONESELF = {P.USER_MODIFY, P.USER_DELETE, P.TOKENS, P.INDEX_CREATE}
USER_PERMISSIONS = [*OF_EVERYBODY, *OF_ONESELF, P.USER_CREATE, P.SERVER_ADMIN]
MAY_ABOUT_DEV = {
    "nobody": set(),
    "root": set(USER_PERMISSIONS),
    "owner": {*OF_EVERYBODY, *OF_ONESELF},
    "reader": OF_EVERYBODY,
    "uploader": OF_EVERYBODY,
    "member": OF_EVERYBODY,
    "remover": OF_EVERYBODY,
    "admin": OF_EVERYBODY,
    "other": OF_EVERYBODY,
    "owner, read token": OF_EVERYBODY,
    "owner, upload token": {P.TOKEN_IN_USE},
    "owner, token of this index": OF_EVERYBODY,
    "owner, token of another index": OF_EVERYBODY,
    "owner, token of a project": OF_EVERYBODY,
    "owner, token of two grants": OF_EVERYBODY,
    "root, token of another index": OF_EVERYBODY,
    "other, token of this index": OF_EVERYBODY,
}

ADMINISTER = {P.INDEX_MODIFY, P.INDEX_DELETE}
INDEX_PERMISSIONS = [P.UPLOAD, P.REMOVE, *ADMINISTER]
MAY_WITH_THE_INDEX = {
    "nobody": set(),
    "root": set(INDEX_PERMISSIONS),
    "owner": set(INDEX_PERMISSIONS),
    "reader": set(),
    "uploader": {P.UPLOAD},
    "member": {P.UPLOAD},
    "remover": {P.REMOVE},
    "admin": ADMINISTER,
    "other": set(),
    "owner, read token": set(),
    "owner, upload token": {P.UPLOAD},
    "owner, token of this index": set(INDEX_PERMISSIONS),
    "owner, token of another index": set(),
    # Of which project an upload is, is known when it is here.
    "owner, token of a project": {P.UPLOAD},
    "owner, token of two grants": {P.UPLOAD},
    "root, token of another index": set(),
    "other, token of this index": set(),
}


def _grid(permissions):
    return [
        pytest.param(kind, permission, id=f"{kind}: {permission}")
        for kind in IDENTITIES
        for permission in sorted(permissions)
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["dev/a"], "owner dev, root, or who is in acl_admin"),
        (["dev/a", "ann/b"], "owners ann and dev, root, or who is in acl_admin"),
        (["root/a", "dev/b"], "owner dev, root, or who is in acl_admin"),
        (["root/a", "root/b"], "owner root, or who is in acl_admin"),
    ],
)
def test_who_can_give_rights_is_said_by_name(names, told):
    assert granters(*(a_stage(name) for name in names)) == told


def test_the_tables_cover_every_permission():
    assert {P.OPEN, P.FRONT, P.READ, *USER_PERMISSIONS, *INDEX_PERMISSIONS} == set(Permission)


def test_every_action_is_needed_for_something_and_every_list_gives_something():
    assert set(ACTIONS.values()) == set(Action)
    assert set(LISTS) == {P.READ, *INDEX_PERMISSIONS}
    assert set(LISTS.values()) == {"acl_read", "acl_upload", "acl_delete", "acl_admin"}


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


CAN = "Its owner dev, root, or who is in acl_admin can change that"
AGAIN = "make another token for this"


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (user_verdict(NOBODY, P.USERS_READ, None, open_signup=False), "nobody is logged in"),
        (user_verdict(NOBODY, P.USER_CREATE, OTHER, open_signup=True), "sign-up is open"),
        (user_verdict(IDENTITIES["root"], P.TOKENS, DEV, open_signup=False),
         "root administers the server and its users"),
        (user_verdict(IDENTITIES["root"], P.USER_DELETE, ROOT, open_signup=False),
         "root cannot be deleted"),
        (user_verdict(IDENTITIES["other"], P.USER_CREATE, DEV, open_signup=False),
         "only root creates users here"),
        (user_verdict(IDENTITIES["other"], P.SERVER_ADMIN, None, open_signup=False),
         "only root administers the server, and you are other"),
        (user_verdict(IDENTITIES["owner"], P.TOKENS, DEV, open_signup=False), "it is their own"),
        (user_verdict(IDENTITIES["other"], P.USER_MODIFY, DEV, open_signup=False),
         "other may not do this for dev; dev and root may"),
        (user_verdict(IDENTITIES["other"], P.TOKENS, ROOT, open_signup=False),
         "other may not do this for root; only root may"),
        (user_verdict(IDENTITIES["owner, token of this index"], P.TOKENS, DEV, open_signup=False),
         "the token in use is limited to certain indexes or projects, and this is about neither; "
         + AGAIN),
        (user_verdict(IDENTITIES["owner, read token"], P.TOKENS, DEV, open_signup=False),
         f"the token in use is limited to the action read, and this is account; {AGAIN}"),
        (index_verdict(NOBODY, P.UPLOAD, INDEX),
         f"an anonymous client may not upload to dev/base: {CAN.replace('Its', 'its')}"),
        (index_verdict(IDENTITIES["other"], P.UPLOAD, INDEX),
         f"other may not upload to dev/base: {CAN.replace('Its', 'its')}"),
        (index_verdict(IDENTITIES["other"], P.UPLOAD, INDEX, is_reader=True),
         f"other may not upload to dev/base: acl_upload names :team and ci. {CAN}"),
        (index_verdict(IDENTITIES["uploader"], P.REMOVE, INDEX, is_reader=True),
         f"ci may not delete or yank in dev/base: acl_delete names remover. {CAN}"),
        (index_verdict(IDENTITIES["uploader"], P.INDEX_MODIFY, INDEX, is_reader=True),
         f"ci may not administer dev/base: acl_admin names admin. {CAN}"),
        (index_verdict(IDENTITIES["uploader"], P.INDEX_DELETE, ELSE, is_reader=True),
         f"ci may not delete dev/else: acl_admin names nobody. {CAN}"),
        (index_verdict(IDENTITIES["uploader"], P.INDEX_MODIFY, a_mirror("root/pypi")),
         ("ci may not administer root/pypi: "
          "its owner root, or who is in acl_admin can change that")),
        (index_verdict(IDENTITIES["member"], P.UPLOAD, INDEX),
         "acl_upload of dev/base names :team"),
        (index_verdict(IDENTITIES["owner"], P.INDEX_DELETE, INDEX),
         "the owner may do everything in dev/base"),
        (index_verdict(IDENTITIES["root"], P.UPLOAD, INDEX),
         "root may do everything in every index"),
        (index_verdict(IDENTITIES["owner, token of another index"], P.UPLOAD, INDEX),
         f"the token in use is limited to dev/else, and this is dev/base; {AGAIN}"),
        (index_verdict(IDENTITIES["owner, token of a project"], P.REMOVE, INDEX),
         f"the token in use is limited to the project demo, and this is all of dev/base; {AGAIN}"),
        (index_verdict(IDENTITIES["owner, token of a project"], P.UPLOAD, INDEX, EXTRA),
         f"the token in use is limited to the project demo, and this is extra; {AGAIN}"),
    ],
)  # fmt: skip
def test_each_answer_has_its_reason(verdict, reason):
    assert verdict.reason == reason


def test_who_may_not_read_an_index_is_not_told_who_stands_in_its_lists():
    for permission in INDEX_PERMISSIONS:
        reason = index_verdict(IDENTITIES["other"], permission, INDEX).reason
        for entry in ("reader", "ci", "team", "remover", "admin "):
            assert entry not in reason.replace("administer", "").replace("acl_admin", "")
    reason = read_verdict(IDENTITIES["other"], a_lineage(INDEX)).reason
    assert reason == f"other may not read dev/base: {CAN.replace('Its', 'its')}"


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ((), "nobody"),
        (("b",), "b"),
        (("b", "a"), "a and b"),
        (("c", "b", ":a"), ":a, b and c"),
        (tuple("edcba"), "a, b, c, d and e"),
        (tuple("gfedcba"), "a, b, c, d, e and 2 more"),
    ],
)
def test_a_list_is_told_sorted_and_cut_where_it_is_long(entries, text):
    assert listed(entries) == text


@pytest.mark.parametrize("permission", sorted(INDEX_PERMISSIONS))
def test_an_index_may_be_opened_to_everyone(permission):
    option = {LISTS[permission]: (":ANONYMOUS:",)}
    assert index_verdict(NOBODY, permission, a_stage("dev/open", **option))
    option = {LISTS[permission]: (":AUTHENTICATED:",)}
    assert not index_verdict(NOBODY, permission, a_stage("dev/open", **option))
    assert index_verdict(IDENTITIES["other"], permission, a_stage("dev/open", **option))


def test_a_group_is_no_user_of_its_name():
    by_user = a_stage("dev/base", acl_upload=("team",))
    assert not index_verdict(IDENTITIES["member"], P.UPLOAD, by_user)
    assert not index_verdict(_identity("team"), P.UPLOAD, INDEX)


ACLS = {
    "closed": (),
    "named": ("other",),
    "group": (":team",),
    "logged in": (":AUTHENTICATED:",),
    "everyone": (":ANONYMOUS:",),
}
LOGGED_IN = {"root", "owner", "uploader", "member", "other"}
READERS = {
    "closed": {"root", "owner"},
    "named": {"root", "owner", "other"},
    "group": {"root", "owner", "member"},
    "logged in": LOGGED_IN,
    "everyone": {"nobody", *LOGGED_IN},
}


@pytest.mark.parametrize("acl", ACLS)
@pytest.mark.parametrize("kind", ["nobody", *sorted(LOGGED_IN)])
def test_who_reads_a_stage(kind, acl):
    lineage = a_lineage(a_stage("dev/base", acl_read=ACLS[acl]))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is (kind in READERS[acl])


@pytest.mark.parametrize("acl", ACLS)
@pytest.mark.parametrize("kind", ["nobody", *sorted(LOGGED_IN)])
def test_who_reads_a_mirror(kind, acl):
    lineage = a_lineage(a_mirror("dev/vendor", acl_read=ACLS[acl]))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is (kind in READERS[acl])


def test_a_mirror_that_may_not_be_read_closes_its_heirs():
    top = a_stage("other/top", "dev/vendor", acl_read=(":ANONYMOUS:",))
    lineage = a_lineage(top, a_mirror("dev/vendor", acl_read=()))
    assert read_verdict(IDENTITIES["owner"], lineage)
    assert not read_verdict(NOBODY, lineage)


def test_a_base_that_may_not_be_read_closes_the_heir_and_is_named():
    top = a_stage("dev/top", "boss/secret", acl_read=(":ANONYMOUS:",))
    lineage = a_lineage(top, a_stage("boss/secret", acl_read=("friend",)))
    refused = read_verdict(IDENTITIES["owner"], lineage)
    assert not refused
    assert refused.reason == (
        "dev/top inherits from boss/secret, and dev may not read boss/secret: "
        "its owner boss, root, or who is in acl_admin can change that"
    )
    assert not read_verdict(NOBODY, lineage)
    assert read_verdict(IDENTITIES["root"], lineage)


def test_no_other_list_lets_read():
    lineage = a_lineage(INDEX)
    may = {kind for kind in LOGGED_IN | {"reader", "remover", "admin"}
           if read_verdict(IDENTITIES[kind], lineage)}  # fmt: skip
    assert may == {"root", "owner", "reader"}


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("owner, read token", True),
        ("owner, upload token", False),
        ("owner, token of this index", True),
        ("owner, token of another index", False),
        ("owner, token of two grants", True),
        ("root, token of another index", False),
        ("other, token of this index", False),
    ],
)
def test_a_token_must_cover_the_index_that_is_asked_and_brings_its_bases(kind, may):
    lineage = a_lineage(a_stage("dev/base", "dev/far"), a_stage("dev/far"))
    assert bool(read_verdict(IDENTITIES[kind], lineage)) is may


@pytest.mark.parametrize(
    ("project", "may"), [(DEMO, True), (EXTRA, False), (None, False)], ids=str
)
def test_a_token_for_a_project_reads_that_project_only(project, may):
    token = IDENTITIES["owner, token of a project"]
    assert bool(read_verdict(token, a_lineage(INDEX), project)) is may
    assert bool(index_verdict(token, P.REMOVE, INDEX, project)) is may
    assert bool(index_verdict(token, P.INDEX_MODIFY, INDEX, project)) is may


def test_grants_are_not_mixed():
    limits = TokenLimits((
        _grant(A.READ, indexes=["dev/base"], projects=["demo"]),
        _grant(A.UPLOAD, indexes=["dev/else"], projects=["extra"]),
    ))  # fmt: skip
    assert limits_verdict(limits, P.READ, INDEX, DEMO)
    assert limits_verdict(limits, P.UPLOAD, ELSE, EXTRA)
    for permission, index, project in [
        (P.READ, INDEX, EXTRA), (P.READ, ELSE, EXTRA), (P.UPLOAD, INDEX, DEMO),
        (P.UPLOAD, INDEX, None), (P.UPLOAD, ELSE, DEMO), (P.REMOVE, INDEX, DEMO),
    ]:  # fmt: skip
        assert not limits_verdict(limits, permission, index, project)


def test_without_a_token_there_are_no_limits():
    for permission in Permission:
        assert limits_verdict(None, permission, None)


def test_a_token_without_grants_is_good_for_nothing_but_its_own_end():
    may = {permission for permission in Permission
           if limits_verdict(TokenLimits(()), permission, INDEX, DEMO)}  # fmt: skip
    assert may == {P.OPEN, P.FRONT, P.TOKEN_IN_USE}


# What must hold for all lists, tokens and people

USERS = ["root", "dev", "ann", "ci"]
GROUPS = ["team", "release"]
ENTRIES = [*USERS, *(f":{group}" for group in GROUPS), ":AUTHENTICATED:", ":ANONYMOUS:"]
OPTIONS = sorted(set(LISTS.values()))
entries = st.lists(st.sampled_from(ENTRIES), unique=True).map(tuple)
indexes = st.builds(
    lambda name, lists: a_stage(name, **dict(zip(OPTIONS, lists, strict=True))),
    st.sampled_from(["dev/base", "ann/other", "root/top"]),
    st.tuples(entries, entries, entries, entries),
)
projects = st.sampled_from([None, DEMO, EXTRA])
grants = st.builds(
    Grant,
    st.frozensets(st.sampled_from(Action)),
    st.none() | st.frozensets(st.sampled_from([INDEX.name, IndexName.parse("ann/other")])),
    st.none() | st.frozensets(st.sampled_from([DEMO, EXTRA])),
)
limits_of_tokens = st.builds(TokenLimits, st.lists(grants, max_size=3).map(tuple))
people = st.builds(
    Identity, st.sampled_from([None, *USERS]), st.frozensets(st.sampled_from(GROUPS))
)
on_indexes = st.sampled_from(sorted(LISTS))


def _verdict(identity, permission, index, project):
    if permission is P.READ:
        return read_verdict(identity, a_lineage(index), project)
    return index_verdict(identity, permission, index, project)


def _with(identity, limits):
    return Identity(identity.user, identity.groups, limits)


@given(people, limits_of_tokens, on_indexes, indexes, projects)
def test_a_token_never_widens_and_narrows_to_exactly_its_limits(
    person, limits, permission, index, project
):
    without = _verdict(person, permission, index, project)
    with_token = _verdict(_with(person, limits), permission, index, project)
    within = limits_verdict(limits, permission, index, project)
    assert bool(with_token) is (bool(without) and bool(within))


@given(people, limits_of_tokens, st.sampled_from(USER_PERMISSIONS))
def test_a_token_never_widens_what_concerns_users(person, limits, permission):
    if user_verdict(_with(person, limits), permission, DEV, open_signup=False):
        assert user_verdict(person, permission, DEV, open_signup=False)


@given(people, on_indexes, indexes, st.sampled_from(sorted(LISTS)), st.sampled_from(ENTRIES))
def test_an_entry_more_never_takes_away_and_gives_only_what_its_list_gives(
    person, permission, index, widened, entry
):
    option = LISTS[widened]
    held = index.options[option]
    wider = a_stage(str(index.name), **{**index.options, option: (*held, entry)})
    before = bool(_verdict(person, permission, index, None))
    after = bool(_verdict(person, permission, wider, None))
    gains = LISTS[permission] == option and entry in person.principals
    assert after is (before or gains)


@given(people, st.sampled_from(GROUPS), on_indexes, indexes)
def test_a_group_more_never_takes_away(person, group, permission, index):
    member = Identity(person.user, person.groups | {group})
    if _verdict(person, permission, index, None):
        assert _verdict(member, permission, index, None)


@given(limits_of_tokens, limits_of_tokens, st.sampled_from(Permission), indexes, projects)
def test_what_covers_other_limits_allows_all_that_they_allow(
    mine, theirs, permission, index, project
):
    if mine.covers(theirs) and limits_verdict(theirs, permission, index, project):
        assert limits_verdict(mine, permission, index, project)


@given(people, on_indexes, indexes, projects)
def test_root_and_the_owner_may_do_everything(person, permission, index, project):
    owner = Identity(index.name.user, person.groups)
    for identity in (owner, Identity(ROOT, person.groups)):
        assert _verdict(identity, permission, index, project)


@pytest.mark.parametrize(
    ("mine", "wanted", "covered"),
    [
        ([_grant()], [_grant(A.READ, indexes=["dev/base"])], True),
        ([_grant(A.READ)], [_grant()], False),
        ([_grant(A.READ)], [_grant(A.READ, projects=["demo"])], True),
        ([_grant(indexes=["dev/base"])], [_grant()], False),
        ([_grant(indexes=["dev/base"])], [_grant(indexes=["dev/base", "dev/else"])], False),
        ([_grant(projects=["demo"])], [_grant(indexes=["dev/base"])], False),
        ([_grant(A.READ), _grant(A.UPLOAD)], [_grant(A.UPLOAD), _grant(A.READ)], True),
        ([_grant(A.READ), _grant(A.UPLOAD)], [_grant(A.UPLOAD, A.READ)], False),
        ([], [], True),
    ],
)
def test_limits_cover_only_what_is_no_wider(mine, wanted, covered):
    assert TokenLimits(tuple(mine)).covers(TokenLimits(tuple(wanted))) is covered


def test_no_limits_cover_a_token_without_limits():
    assert not TokenLimits((_grant(),)).covers(None)


def test_who_an_identity_is_in_access_lists():
    assert NOBODY.principals == {":ANONYMOUS:"}
    member = _identity("ann", groups=frozenset({"team"}))
    assert member.principals == {":ANONYMOUS:", ":AUTHENTICATED:", "ann", ":team"}
