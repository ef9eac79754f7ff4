"""Groups: created, changed, deleted; and what goes with a name that is gone."""

import pytest

from stillroom_server.domain.access import LISTS, Permission
from stillroom_server.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName, ProjectName, UserName, group_name
from support.rows import DAY, a_token
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

ANA, BOB = UserName("ana"), UserName("bob")
ADMIN = Identity(user=UserName("root"), token="t1", address="192.0.2.7", request="r1")


@pytest.fixture(autouse=True)
def _users(cases: UseCases):
    for name in (ANA, BOB):
        cases.users.create(ROOT, name, {"password": PASSWORD})
    with cases.database.writing() as unit:
        unit.tokens.add(a_token("t1", user=ADMIN.user, expires=cases.clock() + DAY))


def events(cases: UseCases, *kinds: EventKind) -> list[Event]:
    with cases.reading() as unit:
        entries = unit.journal.since(0, 10_000)
    return [entry.event for entry in entries if entry.event.kind in kinds]


def lists_of(cases: UseCases, name: str) -> dict[str, frozenset[str]]:
    index = cases.lineage(name).asked
    return {option: index.acl(option) for option in sorted(set(LISTS.values()))}


# Created, changed, deleted


def test_a_group_is_created_and_shown(cases: UseCases):
    group = cases.groups.create(
        ADMIN, "team", {"members": ["bob", "ana", "bob"], "description": "all of us"}
    )
    assert (group.members, group.description) == ((ANA, BOB), "all of us")
    assert group.created == cases.clock()
    assert cases.groups.get("team") == group
    assert cases.groups.all() == [group]
    [event] = events(cases, EventKind.GROUP_CREATED)
    assert event.details == {"group": "team", "members": ["ana", "bob"]}
    assert (event.actor, event.token, event.address, event.request) == (
        "root", "t1", "192.0.2.7", "r1",
    )  # fmt: skip


def test_a_group_may_be_created_empty(cases: UseCases):
    group = cases.groups.create(ROOT, "team", {})
    assert (group.members, group.description) == ((), None)


def test_a_name_is_given_once(cases: UseCases):
    cases.groups.create(ROOT, "team", {})
    with pytest.raises(Conflict, match="Group team exists already"):
        cases.groups.create(ROOT, "team", {})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"members": ["nobody", "ana"]}, "members: there is no user nobody; root creates users"),
        ({"members": ["a b"]}, "members: 'a b' is not a user name"),
        ({"members": [":team"]}, "members: ':team' is not a user name"),
        ({"members": 7}, "members: 7 is not a list of strings"),
        ({"description": 7}, "description: 7 is not text"),
        ({"owner": "ana"}, "owner: unknown option; there are description, members"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(cases: UseCases, body, message):
    with cases.recorded() as recorded, pytest.raises(InvalidRequest) as caught:
        cases.groups.create(ROOT, "team", body)
    assert message in caught.value.message
    cases.groups.create(ROOT, "team", {})
    with cases.recorded() as more, pytest.raises(InvalidRequest) as caught:
        cases.groups.change(ROOT, "team", body)
    assert message in caught.value.message
    assert recorded == more == []


def test_members_come_and_go(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["ana"]})
    assert cases.groups.change(ADMIN, "team", ["members+=bob"]).members == (ANA, BOB)
    assert cases.groups.change(ADMIN, "team", ["members-=ana"]).members == (BOB,)
    assert cases.groups.change(ADMIN, "team", {"members": []}).members == ()
    assert cases.groups.get("team").members == ()
    changes = [event.details for event in events(cases, EventKind.GROUP_CHANGED)]
    assert [(change["added"], change["removed"]) for change in changes] == [
        (["bob"], []), ([], ["ana"]), ([], ["bob"]),
    ]  # fmt: skip
    assert all(change["group"] == "team" for change in changes)


def test_a_description_is_set_and_removed(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["ana"], "description": "old"})
    assert cases.groups.change(ROOT, "team", ["description=new=er"]).description == "new=er"
    assert cases.groups.change(ROOT, "team", {"description": ""}).description is None
    cases.groups.change(ROOT, "team", {"description": "again"})
    assert cases.groups.change(ROOT, "team", ["description-="]).description is None
    assert cases.groups.get("team").members == (ANA,)
    changes = [event.details for event in events(cases, EventKind.GROUP_CHANGED)]
    assert [change["fields"] for change in changes] == [["description"]] * 4


@pytest.mark.parametrize(
    "patch",
    [{}, [], {"members": ["ana"]}, ["members+=ana"], ["description=us"], {"description": "us"}],
)
def test_what_changes_nothing_is_no_event(cases: UseCases, patch):
    cases.groups.create(ROOT, "team", {"members": ["ana"], "description": "us"})
    with cases.recorded() as recorded:
        cases.groups.change(ROOT, "team", patch)
    assert recorded == []


def test_who_is_not_in_it_cannot_be_taken_out(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["ana"]})
    with pytest.raises(InvalidRequest, match="members: it does not hold bob"):
        cases.groups.change(ROOT, "team", ["members-=bob"])


def test_a_group_that_is_not_there_is_not_found(cases: UseCases):
    for ask in (
        lambda: cases.groups.get("team"),
        lambda: cases.groups.change(ROOT, "team", {}),
        lambda: cases.groups.delete(ROOT, "team"),
    ):
        with pytest.raises(NotFound, match="There is no group team"):
            ask()


@pytest.mark.parametrize("name", ["team", "a", "A.b_c-1", "x" * 64])
def test_names_that_groups_have(name):
    assert group_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ":team", "te am", "-team", "team.", "a@b", "é", "x" * 65, "Anonymous", "a\n"]
)
def test_names_that_groups_have_not(name):
    with pytest.raises(InvalidRequest, match="is not a group's name"):
        group_name(name)


# Rights by groups


def test_a_membership_counts_at_the_next_request_and_ends_at_the_next(cases: UseCases):
    cases.index("dev/private", acl_read=[":team"], acl_upload=[":team"])
    cases.groups.create(ROOT, "team", {})
    secret = cases.login("ana").secret
    asked = [("ana", PASSWORD), (None, secret)]

    def may(permission: Permission) -> set[bool]:
        lineage = cases.lineage("dev/private")
        identities = [cases.identify(secret, user) for user, secret in asked]
        return {bool(cases.access.verdict(who, permission, lineage)) for who in identities}

    assert may(Permission.READ) == {False}
    cases.groups.change(ROOT, "team", ["members+=ana"])
    assert may(Permission.READ) == may(Permission.UPLOAD) == {True}
    assert may(Permission.REMOVE) == {False}
    cases.groups.change(ROOT, "team", ["members-=ana"])
    assert may(Permission.READ) == may(Permission.UPLOAD) == {False}


# Nothing is inherited by a name


EVERYWHERE = {option: ["keep", "ana", ":team", ":ana"] for option in sorted(set(LISTS.values()))}


def test_a_deleted_group_is_taken_out_of_all_lists_and_owners(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["ana"]})
    cases.index("dev/one", **EVERYWHERE)
    cases.index("dev/two", "dev/one", acl_upload=[":team"])
    cases.index("dev/three", acl_read=["team", ":teams"])
    project = ProjectName("demo")
    name = IndexName.parse("dev/one")
    cases.owners.change(ROOT, name, project, {"owners": [":team", "bob"]})
    with cases.recorded() as recorded:
        cases.groups.delete(ADMIN, "team")
    assert set(lists_of(cases, "dev/one").values()) == {frozenset({"keep", "ana", ":ana"})}
    assert lists_of(cases, "dev/two")["acl_upload"] == frozenset()
    assert [str(index.name) for index in cases.lineage("dev/two")] == ["dev/two", "dev/one"]
    assert lists_of(cases, "dev/three")["acl_read"] == {"team", ":teams"}
    assert cases.owners.of_project(name, project) == {"bob"}
    assert recorded.count("index-changed") == 2
    assert recorded[-1] == "group-deleted"
    one, two = events(cases, EventKind.INDEX_CHANGED)[-2:]
    assert (one.index, two.index) == (name, IndexName.parse("dev/two"))
    gone = {"removed": [":team"]}
    assert one.details == {"options": dict.fromkeys(EVERYWHERE, gone)}
    assert two.details == {"options": {"acl_upload": gone}}
    assert (one.actor, one.address) == ("root", "192.0.2.7")
    # Whoever makes a group of that name gives nobody what the old one had.
    cases.groups.create(ROOT, "team", {"members": ["bob"]})
    member = cases.identify(PASSWORD, "bob")
    with pytest.raises(Forbidden):
        cases.access.check_index(member, Permission.UPLOAD, "dev", "two")


def test_a_user_who_is_made_anew_inherits_nothing(cases: UseCases):
    cases.groups.create(ROOT, "team", {"members": ["ana", "bob"]})
    cases.groups.create(ROOT, "idle", {"members": ["bob"]})
    cases.index("dev/one", **EVERYWHERE)
    cases.index("ana/own", identity=Identity(user=ANA), **EVERYWHERE)
    name, project = IndexName.parse("dev/one"), ProjectName("demo")
    cases.owners.change(ROOT, name, project, {"owners": ["ana", ":ana"]})
    with cases.recorded() as recorded:
        cases.users.delete(ADMIN, ANA)
    assert recorded.count("index-changed") == recorded.count("group-changed") == 1
    assert set(lists_of(cases, "dev/one").values()) == {frozenset({"keep", ":team", ":ana"})}
    assert cases.owners.of_project(name, project) == {":ana"}
    [change] = [event.details for event in events(cases, EventKind.GROUP_CHANGED)]
    assert (change["group"], change["removed"]) == ("team", ["ana"])
    cases.users.create(ROOT, ANA, {"password": PASSWORD})
    anew = cases.identify(PASSWORD, "ana")
    assert anew.all_groups == frozenset()
    for permission in (Permission.READ, Permission.UPLOAD, Permission.REMOVE):
        with pytest.raises(Forbidden):
            cases.access.check_index(anew, permission, "dev", "one")
    assert cases.groups.get("team").members == (BOB,)


def test_a_user_who_stands_in_no_list_is_deleted_without_a_word_about_indexes(cases: UseCases):
    cases.index("dev/one", acl_read=["anas", "Ana"])
    with cases.recorded() as recorded:
        cases.users.delete(ROOT, ANA)
    assert recorded == ["user-deleted"]
    assert lists_of(cases, "dev/one")["acl_read"] == {"anas", "Ana"}
    assert cases.lineage("dev/one").asked.name.user == DEV.user
