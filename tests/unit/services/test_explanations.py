"""Who may do what in an index, explained."""

import pytest

from stillroom_server.domain.errors import Forbidden, NotAuthenticated
from stillroom_server.domain.explanations import Holder, Kind
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.services.access import REFUSED
from support.use_cases import DEV, NOBODY, PASSWORD, ROOT, UseCases

ANA = Identity(user=UserName("ana"))
READ, UPLOAD, DELETE, ADMIN = Action.READ, Action.UPLOAD, Action.DELETE, Action.ADMIN


@pytest.fixture(autouse=True)
def _world(cases: UseCases):
    cases.users.create(ROOT, UserName("ana"), {"password": PASSWORD})
    cases.groups.create(ROOT, "team", {"members": ["ana"]})
    cases.index("dev/base", acl_read=[":team", "gone"])
    cases.index(
        "dev/top",
        "dev/base",
        acl_read=[":AUTHENTICATED:"],
        acl_upload=["dev", ":team", ":gone"],
        acl_admin=["boss"],
    )


def holders(doors) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(str(one.index), [(h.entry, h.why) for h in one.holders]) for one in doors]


def test_the_overview_names_who_has_each_right_and_why(cases: UseCases):
    overview = cases.explanations.overview(DEV, cases.lineage("dev/top"))
    everybody = [("dev", "owner"), ("root", "root")]
    assert {action: holders(doors) for action, doors in overview.doors.items()} == {
        READ: [
            ("dev/top", [*everybody, (":AUTHENTICATED:", "acl_read")]),
            ("dev/base", [*everybody, (":team", "acl_read"), ("gone", "acl_read")]),
        ],
        UPLOAD: [("dev/top", [*everybody, (":gone", "acl_upload"), (":team", "acl_upload")])],
        DELETE: [("dev/top", everybody)],
        ADMIN: [("dev/top", [*everybody, ("boss", "acl_admin")])],
    }


def test_the_overview_knows_which_entries_match_somebody(cases: UseCases):
    overview = cases.explanations.overview(ROOT, cases.lineage("dev/top"))
    found = {h.entry: overview.known.has(h) for doors in overview.doors.values()
             for one in doors for h in one.holders}  # fmt: skip
    assert found == {
        "dev": True, "root": True, ":AUTHENTICATED:": True, ":team": True,
        ":gone": False, "gone": False, "boss": False,
    }  # fmt: skip
    assert overview.known.groups == {"team": ("ana",)}


def test_kinds_of_entries():
    kinds = {entry: Holder(entry, "").kind for entry in ("ana", ":team", ":ANONYMOUS:")}
    assert kinds == {"ana": Kind.USER, ":team": Kind.GROUP, ":ANONYMOUS:": Kind.EVERYBODY}


def test_root_is_named_once_in_an_index_of_its_own_and_nobody_uploads_to_a_mirror(cases: UseCases):
    overview = cases.explanations.overview(ROOT, cases.lineage("root/pypi"))
    assert holders(overview.doors[ADMIN]) == [("root/pypi", [("root", "owner")])]
    assert holders(overview.doors[UPLOAD]) == [("root/pypi", [])]
    answer = cases.explanations.of_user(ROOT, cases.lineage("root/pypi"), UserName("root"))
    assert "is a mirror and takes no uploads" in answer.verdicts[UPLOAD].reason


def test_what_a_user_may_do_is_what_is_decided(cases: UseCases):
    lineage = cases.lineage("dev/top")
    answer = cases.explanations.of_user(DEV, lineage, UserName("ana"))
    assert answer.is_known
    assert {action: bool(verdict) for action, verdict in answer.verdicts.items()} == {
        READ: True, UPLOAD: True, DELETE: False, ADMIN: False,
    }  # fmt: skip
    assert answer.verdicts[UPLOAD].reason == "acl_upload of dev/top names :team"
    assert answer.verdicts[DELETE].reason.startswith(
        "ana may not delete or yank in dev/top: acl_delete names nobody."
    )
    stranger = cases.explanations.of_user(DEV, lineage, UserName("carl"))
    assert not stranger.is_known
    assert "dev/top inherits from dev/base, and carl may not" in stranger.verdicts[READ].reason


def test_oneself_is_asked_about_with_the_token_in_use(cases: UseCases):
    limits = TokenLimits((Grant(frozenset({READ})),))
    lineage = cases.lineage("dev/top")
    own = Identity(user=DEV.user, limits=limits, token="t1")
    answer = cases.explanations.of_user(own, lineage, UserName("dev"))
    assert answer.verdicts[READ]
    assert "the token in use is limited" in answer.verdicts[UPLOAD].reason
    assert cases.explanations.of_user(ROOT, lineage, UserName("dev")).verdicts[UPLOAD]


def test_what_a_group_gives_to_its_members(cases: UseCases):
    lineage = cases.lineage("dev/top")
    answer = cases.explanations.of_group(DEV, lineage, "team")
    assert answer.is_known
    assert [action for action, verdict in answer.verdicts.items() if verdict] == [READ, UPLOAD]
    assert answer.verdicts[DELETE].reason.startswith(":team may not delete or yank in dev/top")
    gone = cases.explanations.of_group(DEV, lineage, "gone")
    assert not gone.is_known
    assert gone.verdicts[UPLOAD]
    assert not gone.verdicts[READ]
    # A group of the owner's name is not the owner.
    assert not any(
        cases.explanations.of_group(DEV, cases.lineage("dev/base"), "dev").verdicts.values()
    )


def test_others_are_asked_about_by_who_administers_the_index(cases: UseCases):
    lineage = cases.lineage("dev/top")
    member = cases.identify(PASSWORD, "ana")
    assert cases.explanations.of_user(member, lineage, UserName("ana")).verdicts[UPLOAD]
    for ask in (
        lambda: cases.explanations.overview(member, lineage),
        lambda: cases.explanations.of_user(member, lineage, UserName("dev")),
        lambda: cases.explanations.of_group(member, lineage, "team"),
    ):
        with pytest.raises(Forbidden) as caught:
            ask()
        assert caught.value.message == (
            "Not allowed: only who administers dev/top sees the access of others, and ana may not "
            "administer dev/top: acl_admin names boss. Its owner dev, root, or who is in "
            "acl_admin can change that. You may ask about yourself, ana."
        )
    cases.indexes.change(DEV, IndexName.parse("dev/top"), ["acl_admin=:team"])
    assert cases.explanations.overview(member, cases.lineage("dev/top"))


def test_strangers_are_told_nothing_of_an_open_index_either(cases: UseCases):
    lineage = cases.lineage("root/pypi")
    for ask in (
        lambda: cases.explanations.overview(NOBODY, lineage),
        lambda: cases.explanations.of_user(NOBODY, lineage, UserName("dev")),
        lambda: cases.explanations.of_group(NOBODY, lineage, "team"),
    ):
        with pytest.raises(NotAuthenticated) as caught:
            ask()
        assert caught.value.message == REFUSED
