"""Owners of projects: who may add, who becomes an owner, and who asks for a name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stillroom_server.domain.errors import (
    Forbidden,
    InvalidRequest,
    NeedsApproval,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.owners import MAX_OWNERS, MAX_REQUESTS
from support.fake_archives import an_archive
from support.fakes import MemoryBlobStore
from support.use_cases import DEV, NOBODY, PASSWORD, ROOT, UseCases

STAGE = IndexName.parse("dev/base")
DEMO = ProjectName("demo")
WHEEL, NEXT = an_archive(wheel=True), an_archive(version="2.0", wheel=True)
ANA, CI = (Identity(user=UserName(name)) for name in ("ana", "ci"))
IN_TEAM = replace(CI, groups=frozenset({"team"}))


class InterruptedStore(MemoryBlobStore):
    """Does something else once, when the first blob is kept."""

    meanwhile: Callable[[], object] | None = None

    def put(self, content: bytes) -> str:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().put(content)


@pytest.fixture
def store() -> InterruptedStore:
    return InterruptedStore()


@pytest.fixture
def cases(store: InterruptedStore) -> UseCases:
    """dev/base takes uploads from dev, ana and ci."""
    cases = UseCases(store=store)
    for identity in (ANA, CI):
        cases.users.create(ROOT, identity.user, {"password": PASSWORD})
    cases.index("dev/base", acl_upload=["dev", "ana", "ci", ":ANONYMOUS:"])
    return cases


def configure(cases: UseCases, **options: object) -> None:
    cases.indexes.change(DEV, STAGE, options)


def add(cases: UseCases, identity: Identity, archive=WHEEL):
    return cases.upload("dev/base", archive, identity=identity)


def own(cases: UseCases, *owners: str, project: ProjectName = DEMO) -> frozenset[str]:
    return cases.owners.change(DEV, STAGE, project, {"owners": list(owners)})


def asked(cases: UseCases) -> list[tuple[str, str]]:
    return [(one.project, one.user) for one in cases.owners.requests(STAGE)]


def last_event(cases: UseCases):
    with cases.reading() as unit:
        return unit.journal.since(0, 10_000)[-1].event


# Owned projects


def test_who_brings_a_project_owns_it(cases: UseCases):
    configure(cases, owned_projects=True)
    with cases.recorded() as events:
        add(cases, ANA)
    assert sorted(events) == ["file-added", "project-owners-changed"]
    assert cases.owners.of_project(STAGE, DEMO) == {"ana"}
    with cases.recorded() as events:
        add(cases, ANA, NEXT)
    assert events == ["file-added"]


def test_others_do_not_add_to_it_and_learn_who_can_change_that(cases: UseCases, store):
    configure(cases, owned_projects=True)
    add(cases, ANA)
    before = list(store.walk())
    with cases.recorded() as events, pytest.raises(Forbidden) as refused:
        add(cases, CI, NEXT)
    assert refused.value.message == (
        "Not allowed: ci may not upload demo to dev/base: owned_projects is on, and ci is not "
        "among its owners; the index's owner dev, root, or who is in acl_admin can change that "
        "with `stillroom owner add demo ci --index dev/base`."
    )
    assert not isinstance(refused.value, NeedsApproval)
    assert (events, list(store.walk())) == ([], before)
    # Not even the very bytes that are there.
    with pytest.raises(Forbidden):
        add(cases, CI)
    for identity in (DEV, ROOT):
        add(cases, identity, NEXT)


def test_owners_are_groups_too(cases: UseCases):
    configure(cases, owned_projects=True)
    own(cases, ":team")
    with pytest.raises(Forbidden):
        add(cases, CI)
    add(cases, IN_TEAM)
    # The name was kept for the team, and stays theirs.
    assert cases.owners.of_project(STAGE, DEMO) == {":team"}


def test_a_stranger_who_may_upload_gets_the_refusal_of_strangers(cases: UseCases):
    configure(cases, owned_projects=True, first_upload="approval")
    own(cases, "ana")
    for archive in (WHEEL, an_archive("new")):
        with cases.recorded() as events, pytest.raises(NotAuthenticated):
            add(cases, NOBODY, archive)
        assert events == []


def test_what_was_there_before_the_option_is_for_administrators(cases: UseCases):
    add(cases, ANA)
    configure(cases, owned_projects=True)
    with pytest.raises(Forbidden, match=r"it has no owners yet; .*`stillroom owner add demo ana"):
        add(cases, ANA, NEXT)
    configure(cases, acl_admin=["ci"])
    add(cases, CI, NEXT)
    assert cases.owners.of_project(STAGE, DEMO) == frozenset()
    own(cases, "ana")
    add(cases, ANA, an_archive(version="3.0"))


def test_without_the_option_nobody_owns_what_they_bring(cases: UseCases):
    add(cases, ANA)
    assert cases.owners.all(STAGE) == {}
    own(cases, "ci")
    add(cases, ANA, NEXT)


def test_owners_are_asked_again_when_the_file_is_linked(cases: UseCases, store):
    configure(cases, owned_projects=True)
    store.meanwhile = lambda: own(cases, "ci")
    with pytest.raises(Forbidden, match="not among its owners"):
        add(cases, ANA)
    with cases.reading() as unit:
        assert unit.projects.get(unit.indexes.get(STAGE), DEMO) is None


# Deleted projects


@pytest.mark.parametrize("identity", [DEV, ROOT, ANA])
def test_a_name_is_free_once_its_owners_or_administrators_delete_it(cases: UseCases, identity):
    configure(cases, owned_projects=True)
    add(cases, ANA)
    with cases.recorded() as events:
        cases.releases.remove_project(identity, STAGE, DEMO, force=False)
    assert sorted(events) == ["project-owners-changed", "project-removed"]
    add(cases, CI)
    assert cases.owners.of_project(STAGE, DEMO) == {"ci"}


def test_who_may_delete_takes_over_no_project(cases: UseCases):
    configure(cases, owned_projects=True, acl_delete=["ci"])
    add(cases, ANA)
    with cases.recorded() as events:
        cases.releases.remove_project(CI, STAGE, DEMO, force=False)
    assert events == ["project-removed"]
    with pytest.raises(Forbidden, match="not among its owners"):
        add(cases, CI)
    add(cases, ANA)


def test_who_may_delete_takes_over_no_project_without_owners(cases: UseCases):
    add(cases, ANA)
    configure(cases, owned_projects=True, acl_delete=["ci", ":ANONYMOUS:"])
    with cases.recorded() as events, pytest.raises(Forbidden) as refused:
        cases.releases.remove_project(CI, STAGE, DEMO, force=False)
    assert refused.value.message == (
        "Not allowed: ci may not delete demo from dev/base: owned_projects is on, and it has no "
        "owners; the index's owner dev, root, or who is in acl_admin can delete it, or name an "
        "owner with `stillroom owner add demo USER --index dev/base`."
    )
    with pytest.raises(NotAuthenticated):
        cases.releases.remove_project(NOBODY, STAGE, DEMO, force=False)
    # Without its releases it is there all the same, and still nobody's.
    cases.releases.remove_release(CI, STAGE, DEMO, "1.0", force=False)
    with pytest.raises(Forbidden, match="it has no owners yet"):
        add(cases, CI)
    with cases.recorded() as events:
        cases.releases.remove_project(DEV, STAGE, DEMO, force=False)
    assert events == ["project-removed"]
    add(cases, CI)
    assert cases.owners.of_project(STAGE, DEMO) == {"ci"}


def test_who_may_delete_takes_over_no_project_whose_owner_is_gone(cases: UseCases):
    configure(cases, owned_projects=True, acl_delete=["ci"])
    add(cases, ANA)
    cases.users.delete(ROOT, ANA.user)
    with pytest.raises(Forbidden, match="it has no owners"):
        cases.releases.remove_project(CI, STAGE, DEMO, force=False)
    configure(cases, owned_projects=False)
    cases.releases.remove_project(CI, STAGE, DEMO, force=False)


# First uploads


def test_restricted_names_are_brought_by_who_was_named(cases: UseCases):
    configure(cases, first_upload="restricted")
    with cases.recorded() as events, pytest.raises(Forbidden) as refused:
        add(cases, ANA)
    assert "demo to dev/base: it is new there, and first_upload is restricted" in str(
        refused.value
    )
    assert events == []
    own(cases, "ana")
    add(cases, ANA)
    # It lives here now: the option is about new names.
    add(cases, CI, NEXT)


def test_what_needs_approval_is_asked_for_once(cases: UseCases):
    configure(cases, first_upload="approval")
    with cases.recorded() as events:
        for _ in range(2):
            with pytest.raises(NeedsApproval) as refused:
                add(cases, ANA)
    assert refused.value.message == (
        "Not allowed: ana may not upload demo to dev/base: it is new there, and first_upload is "
        "approval; it was asked for, and the index's owner dev, root, or who is in acl_admin can "
        "approve it with `stillroom owner approve demo ana --index dev/base`."
    )
    assert events == ["project-requested"]
    event = last_event(cases)
    assert (event.actor, event.index, event.project) == ("ana", STAGE, DEMO)
    with pytest.raises(NeedsApproval):
        add(cases, CI)
    assert asked(cases) == [("demo", "ana"), ("demo", "ci")]


def test_naming_owners_settles_what_was_asked(cases: UseCases):
    configure(cases, first_upload="approval")
    for archive in (WHEEL, an_archive("other")):
        with pytest.raises(NeedsApproval):
            add(cases, ANA, archive)
    with cases.recorded() as events:
        own(cases, "ana")
    assert events == ["project-owners-changed"]
    assert asked(cases) == [("other", "ana")]
    add(cases, ANA)


def test_a_project_that_comes_settles_what_was_asked(cases: UseCases):
    configure(cases, first_upload="approval")
    with pytest.raises(NeedsApproval):
        add(cases, ANA)
    add(cases, DEV)
    assert asked(cases) == []


def test_a_request_can_be_declined_and_made_again(cases: UseCases):
    configure(cases, first_upload="approval")
    with pytest.raises(NotFound, match="Nobody has asked for a project demo"):
        cases.owners.decline(DEV, STAGE, DEMO)
    for identity in (ANA, CI):
        with pytest.raises(NeedsApproval):
            add(cases, identity)
    assert cases.owners.decline(DEV, STAGE, DEMO) == ["ana", "ci"]
    event = last_event(cases)
    assert (event.kind, event.details) == (
        "project-request-declined",
        {"users": ["ana", "ci"]},
    )
    assert asked(cases) == []
    with pytest.raises(NeedsApproval):
        add(cases, ANA)
    assert asked(cases) == [("demo", "ana")]


def test_nobody_has_more_than_so_many_requests(cases: UseCases):
    configure(cases, first_upload="approval")
    names = [f"demo{number}" for number in range(MAX_REQUESTS)]
    for name in names:
        with pytest.raises(NeedsApproval, match="it was asked for"):
            add(cases, ANA, an_archive(name))
    with cases.recorded() as events:
        with pytest.raises(NeedsApproval, match="not asked for, because ana has 100 open requ"):
            add(cases, ANA)
        with pytest.raises(NeedsApproval, match="it was asked for"):
            add(cases, ANA, an_archive(names[0]))
    assert events == []
    with pytest.raises(NeedsApproval, match="it was asked for"):
        add(cases, CI)


def test_a_user_who_goes_takes_their_requests_along(cases: UseCases):
    configure(cases, first_upload="approval")
    with pytest.raises(NeedsApproval):
        add(cases, ANA)
    cases.users.delete(ROOT, ANA.user)
    assert asked(cases) == []


def test_who_is_deleted_while_they_upload_owns_nothing(cases: UseCases, store: InterruptedStore):
    configure(cases, owned_projects=True)
    store.meanwhile = lambda: cases.users.delete(ROOT, ANA.user)
    add(cases, ANA)
    assert cases.owners.all(STAGE) == {}


def test_who_takes_the_name_of_one_who_is_gone_owns_nothing(cases: UseCases):
    configure(cases, owned_projects=True)
    add(cases, ANA)
    own(cases, "ana", "ci", project=ProjectName("other"))
    with cases.recorded() as events:
        cases.users.delete(ROOT, ANA.user)
    assert events.count("project-owners-changed") == 2
    with cases.reading() as unit:
        told = [entry.event for entry in unit.journal.since(0, 10_000)]
    left = {e.project: e.details for e in told if e.kind == "project-owners-changed"}
    assert left == {"demo": {"owners": []}, "other": {"owners": ["ci"]}}
    assert cases.owners.all(STAGE) == {"other": {"ci"}}
    cases.users.create(ROOT, ANA.user, {"password": PASSWORD})
    configure(cases, acl_upload=["ana"])
    with pytest.raises(Forbidden, match="it has no owners yet"):
        add(cases, ANA, NEXT)


# Pushes, and tokens for certain projects


@pytest.fixture
def source(cases: UseCases) -> IndexName:
    """An index with a release that is to be pushed to dev/base."""
    cases.index("dev/source")
    cases.upload("dev/source", WHEEL)
    return IndexName.parse("dev/source")


def push(cases: UseCases, identity: Identity, source: IndexName):
    return cases.releases.push(identity, source, DEMO, "1.0", STAGE)


def test_a_push_is_an_upload(cases: UseCases, source):
    configure(cases, owned_projects=True, first_upload="approval")
    with pytest.raises(NeedsApproval, match="`stillroom owner approve demo ana"):
        push(cases, ANA, source)
    assert asked(cases) == [("demo", "ana")]
    own(cases, "ana")
    push(cases, ANA, source)
    with pytest.raises(Forbidden, match="not among its owners"):
        push(cases, CI, source)


def test_a_push_is_refused_before_anything_is_fetched_for_it(cases: UseCases):
    configure(cases, first_upload="restricted")
    cases.listed(WHEEL)
    before = list(cases.store.walk())
    with pytest.raises(Forbidden, match="first_upload is restricted"):
        push(cases, ANA, IndexName.parse("root/pypi"))
    assert list(cases.store.walk()) == before
    with cases.reading() as unit:
        mirror = unit.indexes.get(IndexName.parse("root/pypi"))
        assert unit.mirror_pages.get(mirror, DEMO) is None


def test_a_token_for_certain_projects_adds_to_no_other(cases: UseCases, source):
    grant = Grant(frozenset(Action), None, frozenset({ProjectName("other")}))
    limited = replace(DEV, limits=TokenLimits((grant,)))
    with cases.recorded() as events:
        for act in (lambda: add(cases, limited), lambda: push(cases, limited, source)):
            with pytest.raises(Forbidden, match="limited to the project other, and this is demo"):
                act()
    assert events == []
    add(cases, limited, an_archive("other"))


# Who owns what


def test_owners_are_set_and_changed(cases: UseCases):
    def changed(patch):
        return cases.owners.change(DEV, STAGE, DEMO, patch)

    assert changed({"owners": "ci, :team"}) == {"ci", ":team"}
    assert changed(["owners+=ana", "owners-=ci"]) == {"ana", ":team"}
    assert last_event(cases).details == {"owners": [":team", "ana"]}
    with cases.recorded() as events:
        assert changed(["owners+=ana"]) == {"ana", ":team"}
    assert events == []
    assert cases.owners.all(STAGE) == {DEMO: {"ana", ":team"}}
    assert changed(["owners="]) == frozenset()
    with pytest.raises(NotFound, match="There is no project demo in dev/base"):
        cases.owners.of_project(STAGE, DEMO)
    add(cases, ANA)
    assert cases.owners.of_project(STAGE, DEMO) == frozenset()


@pytest.mark.parametrize(
    ("patch", "fields"),
    [
        ({}, {"owners"}),
        ({"owners": 1}, {"owners"}),
        ({"owners": ["a b"]}, {"owners"}),
        ({"owners": [":ANONYMOUS:"]}, {"owners"}),
        ({"owners": ["ci"], "title": "x"}, {"body"}),
        (["owners"], {"operation"}),
        ([1], {"operation"}),
        (["owners-=nobody"], {"owners"}),
        (["owners+=a/b"], {"owners"}),
        (["title=x", "owners=ci"], {"body"}),
        ({"owners": [f"u{number}" for number in range(MAX_OWNERS + 1)]}, {"owners"}),
    ],
)
def test_every_fault_of_a_change_is_named(cases: UseCases, patch, fields):
    with cases.recorded() as events, pytest.raises(InvalidRequest) as invalid:
        cases.owners.change(DEV, STAGE, DEMO, patch)
    assert {fault.field for fault in invalid.value.faults} == fields
    assert events == []


def test_the_projects_of_mirrors_have_no_owners_here(cases: UseCases):
    mirror = IndexName.parse("root/pypi")
    for act in (
        lambda: cases.owners.all(mirror),
        lambda: cases.owners.of_project(mirror, DEMO),
        lambda: cases.owners.change(ROOT, mirror, DEMO, {"owners": ["ci"]}),
        lambda: cases.owners.requests(mirror),
        lambda: cases.owners.decline(ROOT, mirror, DEMO),
    ):
        with pytest.raises(Forbidden, match="root/pypi is a mirror"):
            act()
