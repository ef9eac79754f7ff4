"""Who may add to a project of a stage: each rule by itself, and what holds for all of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.indexes import FirstUpload
from stillroom_server.domain.names import UserName
from stillroom_server.domain.ownership import (
    Holding,
    Standing,
    check_owner,
    may_delete,
    owners_after_upload,
    standing_of,
)
from support.values import a_stage

ANA = Identity(user=UserName("ana"))
IN_TEAM = replace(ANA, groups=frozenset({"team"}))
OWNER, ROOT, NOBODY = Identity(user=UserName("dev")), Identity(user=UserName("root")), Identity()
NEW, FREE = Holding(lives_here=False, owners=frozenset()), Holding(True, frozenset())


def stage(first: str = "open", *, owned: bool = False, admins: tuple[str, ...] = ()):
    options = {"owned_projects": owned, "first_upload": first, "acl_admin": admins}
    return a_stage("dev/base", **options)


@pytest.mark.parametrize("lives_here", [True, False])
@pytest.mark.parametrize(
    ("owners", "identity", "standing"),
    [
        ({"ana"}, ANA, Standing.ALLOWED),
        ({"ci", ":team"}, IN_TEAM, Standing.ALLOWED),
        ({"ci", ":team"}, ANA, Standing.NOT_AN_OWNER),
        # A user is no group of that name, and a group no user.
        ({":ana"}, ANA, Standing.NOT_AN_OWNER),
        ({"team"}, IN_TEAM, Standing.NOT_AN_OWNER),
        ({"ci"}, OWNER, Standing.ALLOWED),
        ({"ci"}, ROOT, Standing.ALLOWED),
        ({"ci"}, NOBODY, Standing.NOT_AN_OWNER),
    ],
)
def test_an_owned_project_is_for_its_owners(owners, identity, standing, lives_here):
    holding = Holding(lives_here, frozenset(owners))
    assert standing_of(identity, stage(owned=True), holding) is standing


def test_what_nobody_owns_yet_is_for_administrators():
    assert standing_of(ANA, stage(owned=True), FREE) is Standing.NO_OWNERS
    assert standing_of(OWNER, stage(owned=True), FREE) is Standing.ALLOWED
    assert standing_of(ANA, stage(owned=True, admins=("ana",)), FREE) is Standing.ALLOWED
    assert standing_of(ANA, stage(), FREE) is Standing.ALLOWED


def test_what_nobody_owns_is_deleted_by_administrators():
    nobody, ana = frozenset[str](), frozenset({"ana"})
    for identity in (ANA, NOBODY):
        assert not may_delete(identity, stage(owned=True), nobody)
        assert may_delete(identity, stage(owned=True), ana)
        assert may_delete(identity, stage(), nobody)
    for identity in (OWNER, ROOT, ANA):
        assert may_delete(identity, stage(owned=True, admins=("ana",)), nobody)


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize(
    ("first", "standing"),
    [
        ("open", Standing.ALLOWED),
        ("restricted", Standing.NOT_FIRST),
        ("approval", Standing.NEEDS_APPROVAL),
    ],
)
def test_a_new_project_is_brought_as_first_upload_says(first, standing, owned):
    index = stage(first, owned=owned)
    assert standing_of(ANA, index, NEW) is standing
    assert standing_of(ANA, index, Holding(False, frozenset({"ana"}))) is Standing.ALLOWED
    for identity in (OWNER, ROOT):
        assert standing_of(identity, index, NEW) is Standing.ALLOWED
    admins = stage(first, owned=owned, admins=(":team",))
    assert standing_of(IN_TEAM, admins, NEW) is Standing.ALLOWED


def test_a_project_that_is_there_is_brought_no_more():
    for first in FirstUpload:
        assert standing_of(ANA, stage(first.value), FREE) is Standing.ALLOWED


def test_an_administrator_stays_one_with_a_token_that_only_uploads():
    limits = TokenLimits((Grant(frozenset({Action.UPLOAD})),))
    holding = Holding(True, frozenset({"ci"}))
    identity = replace(OWNER, limits=limits)
    assert standing_of(identity, stage(owned=True), holding) is Standing.ALLOWED


def test_who_brings_a_project_becomes_its_owner():
    index = stage(owned=True)
    assert owners_after_upload(ANA, index, NEW) == {"ana"}
    # A name that was kept for others stays theirs, also where an administrator brings it.
    kept = Holding(False, frozenset({":team"}))
    assert owners_after_upload(OWNER, index, kept) == {":team"}
    assert owners_after_upload(ANA, index, FREE) == frozenset()
    assert owners_after_upload(ANA, stage(), NEW) == frozenset()
    assert owners_after_upload(NOBODY, index, NEW) == frozenset()


principals = st.frozensets(st.sampled_from(["ana", "ci", ":team", ":other"]))


@given(
    owned=st.booleans(),
    first=st.sampled_from(list(FirstUpload)),
    lives_here=st.booleans(),
    owners=principals,
    identity=st.sampled_from([ANA, IN_TEAM, NOBODY]),
)
def test_who_owns_a_project_may_always_add_to_it(owned, first, lives_here, owners, identity):
    index = stage(first.value, owned=owned)
    holding = Holding(lives_here, owners)
    is_owner = bool(owners & identity.principals)
    standing = standing_of(identity, index, holding)
    assert not is_owner or standing is Standing.ALLOWED
    # Whoever may bring a project may go on uploading to it.
    if standing is Standing.ALLOWED and identity.user is not None:
        after = Holding(True, owners_after_upload(identity, index, holding))
        assert standing_of(identity, index, after) is Standing.ALLOWED


@pytest.mark.parametrize("text", ["ana", ":team", "a@example.com", "A.b-c_d", "x"])
def test_owners_are_users_and_groups(text):
    assert check_owner(text) == text


@pytest.mark.parametrize(
    "text", ["", ":", ":ANONYMOUS:", ":AUTHENTICATED:", "a b", "-a", "a/b", "ä", "::a", "a" * 128]
)
def test_everybody_is_no_owner(text):
    with pytest.raises(ValueError, match="is not a user or a :group"):
        check_owner(text)
