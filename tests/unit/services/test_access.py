"""The verdict on requests, and what is told to whom."""

from dataclasses import replace

import pytest

from stillroom_server.domain.access import Permission
from stillroom_server.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.access import REFUSED, Access
from support.fake_repositories import FakeIndexes
from support.use_cases import DEV, NOBODY, ROOT, UseCases

OTHER = Identity(user=UserName("other"))


@pytest.fixture(autouse=True)
def _indexes(cases: UseCases):
    cases.index("dev/secret", acl_read=[])
    cases.index("dev/top", "dev/secret", acl_read=[":ANONYMOUS:"])


@pytest.mark.parametrize(
    ("user", "index"),
    [("dev", "secret"), ("dev", "top"), ("dev", "nope"), ("nobody", "x"), ("a b", "c d")],
)
@pytest.mark.parametrize("permission", [Permission.READ, Permission.UPLOAD, Permission.REMOVE])
def test_strangers_get_one_sentence_whatever_is_there(cases: UseCases, user, index, permission):
    with pytest.raises(NotAuthenticated) as caught:
        cases.access.check_index(NOBODY, permission, user, index)
    assert caught.value.message == REFUSED


@pytest.mark.parametrize(("user", "index"), [("dev", "nope"), ("nobody", "x"), ("a b", "c d")])
def test_who_is_logged_in_learns_that_an_index_does_not_exist(cases: UseCases, user, index):
    with pytest.raises(NotFound, match=f"There is no index {user}/{index}"):
        cases.access.check_index(OTHER, Permission.READ, user, index)


def test_who_is_logged_in_learns_which_base_is_closed(cases: UseCases):
    with pytest.raises(Forbidden, match="dev/top inherits from dev/secret, and other may"):
        cases.access.check_index(OTHER, Permission.READ, "dev", "top")


def test_a_check_that_is_passed_gives_the_lineage(cases: UseCases):
    lineage = cases.access.check_index(DEV, Permission.READ, "dev", "top")
    assert [str(index.name) for index in lineage] == ["dev/top", "dev/secret"]


def test_nobody_uploads_to_a_mirror_and_is_told_why(cases: UseCases):
    with pytest.raises(Forbidden, match="root/pypi is a mirror and takes no uploads; use a stage"):
        cases.access.check_index(ROOT, Permission.UPLOAD, "root", "pypi")
    with pytest.raises(NotAuthenticated):
        cases.access.check_index(NOBODY, Permission.UPLOAD, "root", "pypi")


def test_everyone_reads_a_mirror(cases: UseCases):
    assert cases.access.check_index(NOBODY, Permission.READ, "root", "pypi")


def test_lists_are_told_to_who_may_read_the_index_and_its_bases(cases: UseCases):
    cases.index("dev/open", acl_upload=["ci", ":release"])
    with pytest.raises(Forbidden) as caught:
        cases.access.check_index(OTHER, Permission.UPLOAD, "dev", "open")
    assert caught.value.message == (
        "Not allowed: other may not upload to dev/open: acl_upload names :release and ci. "
        "Its owner dev, root, or who is in acl_admin can change that."
    )
    cases.index("dev/mixed", "dev/secret", acl_upload=["ci"], acl_read=[":ANONYMOUS:"])
    for index in ("secret", "mixed"):
        for permission in (Permission.UPLOAD, Permission.REMOVE, Permission.INDEX_MODIFY):
            with pytest.raises(Forbidden) as caught:
                cases.access.check_index(OTHER, permission, "dev", index)
            assert "names" not in caught.value.message
            assert "ci" not in caught.value.message


def test_a_token_for_a_project_is_held_to_it(cases: UseCases):
    grant = Grant(frozenset(Action), projects=frozenset({ProjectName("demo")}))
    token = replace(DEV, limits=TokenLimits((grant,)), token="t1")
    for permission in (Permission.READ, Permission.REMOVE, Permission.INDEX_MODIFY):
        assert cases.access.check_index(token, permission, "dev", "top", ProjectName("demo"))
        for project in (ProjectName("other"), None):
            with pytest.raises(Forbidden, match="limited to the project demo"):
                cases.access.check_index(token, permission, "dev", "top", project)


def test_what_concerns_nobody_and_no_index(cases: UseCases):
    cases.access.check_open(NOBODY, Permission.OPEN)
    cases.access.check_open(OTHER, Permission.USERS_READ)
    with pytest.raises(NotAuthenticated):
        cases.access.check_open(NOBODY, Permission.USERS_READ)
    cases.access.check_open(ROOT, Permission.SERVER_ADMIN)
    with pytest.raises(Forbidden, match="only root administers the server, and you are other"):
        cases.access.check_open(OTHER, Permission.SERVER_ADMIN)
    with pytest.raises(NotAuthenticated):
        cases.access.check_open(NOBODY, Permission.SERVER_ADMIN)


def test_what_concerns_a_user(cases: UseCases):
    assert cases.access.check_user(DEV, Permission.USER_MODIFY, "dev") == "dev"
    with pytest.raises(Forbidden, match="other may not do this for dev"):
        cases.access.check_user(OTHER, Permission.USER_MODIFY, "dev")
    for user in ("dev", "nope", "a b"):
        with pytest.raises(NotAuthenticated) as caught:
            cases.access.check_user(NOBODY, Permission.USER_MODIFY, user)
        assert caught.value.message == REFUSED
    with pytest.raises(InvalidRequest, match="'a b' is not a user name"):
        cases.access.check_user(ROOT, Permission.USER_CREATE, "a b")


def test_sign_up_may_be_open(cases: UseCases):
    access = Access(cases.database, open_signup=True)
    assert access.check_user(NOBODY, Permission.USER_CREATE, "ann") == "ann"
    with pytest.raises(NotAuthenticated):
        access.check_user(NOBODY, Permission.USER_MODIFY, "ann")


def test_a_change_of_any_index_of_a_lineage_counts_at_once(cases: UseCases):
    with pytest.raises(Forbidden):
        cases.access.check_index(OTHER, Permission.READ, "dev", "top")
    cases.indexes.change(DEV, IndexName.parse("dev/secret"), ["acl_read=other"])
    assert cases.access.check_index(OTHER, Permission.READ, "dev", "top")


def test_a_lineage_is_read_once_while_nothing_changes(cases: UseCases, monkeypatch):
    first = cases.lineage("dev/top")
    monkeypatch.setattr(cases.database, "reading", lambda: pytest.fail("it is read again"))
    assert cases.lineage("dev/top") is first


@pytest.mark.parametrize("permission", [Permission.READ, Permission.UPLOAD, Permission.REMOVE])
@pytest.mark.parametrize("index", ["secret", "top", "nope"])
def test_of_what_is_not_open_to_strangers_no_more_is_read(
    cases: UseCases, monkeypatch: pytest.MonkeyPatch, permission: Permission, index: str
):
    """How long it takes to read a lineage would tell them that there is one."""
    cases.access.check_index(DEV, Permission.READ, "dev", "top")
    cases.access.check_index(DEV, Permission.READ, "dev", "secret")
    read: list[object] = []
    monkeypatch.setattr(FakeIndexes, "with_bases", lambda _self, name: read.append(name))
    monkeypatch.setattr(FakeIndexes, "get", lambda _self, name: read.append(name))
    monkeypatch.setattr(FakeIndexes, "lists", lambda *_arguments, **_how: False)
    monkeypatch.setattr(Access, "verdict", lambda *_arguments: read.append("a verdict"))
    with pytest.raises(NotAuthenticated):
        cases.access.check_index(NOBODY, permission, "dev", index)
    assert read == []


def test_what_is_open_to_strangers_is_asked_once_while_nothing_changes(
    cases: UseCases, monkeypatch: pytest.MonkeyPatch
):
    cases.index("dev/open", acl_read=[":ANONYMOUS:"])
    lineage = cases.access.check_index(NOBODY, Permission.READ, "dev", "open")
    with monkeypatch.context() as patched:
        patched.setattr(FakeIndexes, "lists", None)
        assert cases.access.check_index(NOBODY, Permission.READ, "dev", "open") is lineage
    # What is open for one thing is not open for another, nor once it is closed.
    with pytest.raises(NotAuthenticated):
        cases.access.check_index(NOBODY, Permission.REMOVE, "dev", "open")
    cases.indexes.change(DEV, IndexName.parse("dev/open"), ["acl_read=dev"])
    with pytest.raises(NotAuthenticated):
        cases.access.check_index(NOBODY, Permission.READ, "dev", "open")
