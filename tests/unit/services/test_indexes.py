"""Indexes: created, changed, deleted."""

import pytest

from stillroom_server.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound
from stillroom_server.domain.identity import Action, Grant, Identity, TokenLimits
from stillroom_server.domain.names import IndexName, UserName
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

URL = "https://index.test/simple/"
ANN = Identity(user=UserName("ann"))


def _name(text):
    return IndexName.parse(text)


@pytest.fixture
def ann(cases: UseCases) -> Identity:
    cases.users.create(ROOT, UserName("ann"), {"password": PASSWORD})
    return ANN


def test_a_stage_gets_what_was_given_and_defaults_for_the_rest(cases: UseCases):
    with cases.recorded() as events:
        index = cases.index("dev/base", "root/pypi", title="Base")
    assert index.options == {
        "bases": ("root/pypi",),
        "volatile": True,
        "acl_read": (":AUTHENTICATED:",),
        "acl_upload": ("dev",),
        "acl_delete": (),
        "acl_admin": (),
        "owned_projects": False,
        "first_upload": "open",
        "mirror_whitelist": (),
        "shadow_mirrors": True,
        "reserved": (),
        "title": "Base",
    }
    assert (index.type, index.has_upstream, index.created) == ("stage", False, cases.clock())
    assert events == ["index-created"]


def test_the_audit_of_a_new_index_tells_what_is_not_as_declared(cases: UseCases):
    cases.index("dev/plain")
    assert cases.last_event().details == {"type": "stage", "options": {}}
    cases.index("dev/base", "root/pypi", title="Base", acl_upload=["dev", ":release"])
    told = {"bases": ["root/pypi"], "title": "Base", "acl_upload": ["dev", ":release"]}
    assert cases.last_event().details == {"type": "stage", "options": told}
    cases.indexes.create(ROOT, _name("root/other"), {"type": "mirror", "mirror_url": URL})
    assert cases.last_event().details == {"type": "mirror", "options": {"mirror_url": URL}}


def test_the_audit_of_a_change_tells_from_what_to_what(cases: UseCases):
    cases.index("dev/base", title="Old", acl_upload=["dev", "ci"], volatile=True)
    operations = ["acl_upload+=ann", "acl_upload-=ci", "title=New", "volatile=False"]
    cases.indexes.change(DEV, _name("dev/base"), operations)
    assert cases.last_event().details == {
        "options": {
            "acl_upload": {"added": ["ann"], "removed": ["ci"]},
            "title": {"from": "Old", "to": "New"},
            "volatile": {"from": True, "to": False},
        }
    }
    cases.indexes.create(ROOT, _name("root/other"), {"type": "mirror", "mirror_url": URL})
    cases.indexes.change(ROOT, _name("root/other"), {"mirror_url": "https://new.test/simple/"})
    moved = {"mirror_url": {"from": URL, "to": "https://new.test/simple/"}}
    assert cases.last_event().details == {"options": moved}


def test_a_mirror_gets_its_defaults(cases: UseCases):
    body = {"type": "mirror", "mirror_url": URL}
    index = cases.indexes.create(ROOT, _name("root/other"), body)
    assert index.options == {
        "mirror_url": URL,
        "mirror_fallback_urls": (),
        "mirror_cache_expiry": 600,
        "mirror_no_project_list": False,
        "mirror_keep_delisted": False,
        "mirror_use_external_urls": False,
        "mirror_metadata_only": False,
        "mirror_size_budget": 0,
        "acl_read": (":ANONYMOUS:",),
        "acl_delete": (),
        "acl_admin": (),
        "reserved": (),
    }
    assert index.has_upstream


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"type": "other"}, "type: 'other' is not an index type; there are mirror, stage"),
        ({"type": 5}, "type: 5 is not an index type"),
        ({"bases": ["dev/nope"]}, "bases: index dev/nope does not exist"),
        ({"bases": ["dev/new"]}, "bases: dev/new would inherit from itself"),
        ({"bases": "nope"}, "bases: 'nope' is not of the form user/index"),
        ({"volatile": "maybe"}, "volatile: 'maybe' is neither true nor false"),
        ({"mirror_url": URL}, "mirror_url: unknown option; there are acl_admin"),
        ({"type": "mirror"}, "mirror_url: a mirror needs the URL of its upstream"),
        ({"type": "mirror", "mirror_url": "ftp://x/"}, "mirror_url: it is not an http"),
    ],
)
def test_what_breaks_a_rule_is_refused(cases: UseCases, body, fault):
    with pytest.raises(InvalidRequest) as caught:
        cases.indexes.create(ROOT, _name("dev/new"), body)
    assert caught.value.message.startswith(fault)
    assert "index-created" not in cases.journal()[2:]


def test_all_faults_are_named_at_once(cases: UseCases):
    with pytest.raises(InvalidRequest) as caught:
        cases.index("dev/new", nope=1, volatile="maybe", acl_read=["a b"])
    assert [f.field for f in caught.value.faults] == ["nope", "volatile", "acl_read"]
    with pytest.raises(InvalidRequest) as caught:
        cases.index("dev/new", "dev/x", "dev/y", "dev/new")
    assert len(caught.value.faults) == 3


def test_an_index_is_created_once_and_for_a_user_who_exists(cases: UseCases):
    cases.index("dev/base")
    with pytest.raises(Conflict):
        cases.index("dev/base")
    with pytest.raises(NotFound):
        cases.index("nobody/base", identity=ROOT)


def test_only_root_makes_mirrors_and_changes_their_url(cases: UseCases):
    body = {"type": "mirror", "mirror_url": URL}
    with pytest.raises(Forbidden, match="only root makes mirrors"):
        cases.indexes.create(DEV, _name("dev/mirror"), body)
    cases.indexes.create(ROOT, _name("dev/mirror"), body)
    with pytest.raises(Forbidden):
        cases.indexes.change(DEV, _name("dev/mirror"), {"mirror_url": "https://evil.test/"})
    changed = cases.indexes.change(DEV, _name("dev/mirror"), {"mirror_cache_expiry": 5})
    assert changed.cache_expiry == 5


def test_a_base_that_may_not_be_read_is_refused(cases: UseCases, ann):
    cases.index("dev/secret", acl_read=[])
    cases.index("dev/open", "dev/secret")
    for base in ("dev/secret", "dev/open"):
        with pytest.raises(Forbidden, match=r"Not allowed as a base: .*dev/secret"):
            cases.index("ann/own", base, identity=ann)


def test_a_change_by_a_dict_sets_what_is_named(cases: UseCases):
    cases.index("dev/base", title="Old", acl_read=["ann"])
    with cases.recorded() as events:
        changed = cases.indexes.change(DEV, _name("dev/base"), {"title": "New"})
    assert (changed.options["title"], changed.acl("acl_read")) == ("New", {"ann"})
    assert events == ["index-changed"]


def test_a_change_by_operations(cases: UseCases):
    cases.index("dev/base", acl_upload=["dev", "ci"])
    operations = ["acl_upload+=ann", "acl_upload-=ci", "title=New"]
    changed = cases.indexes.change(DEV, _name("dev/base"), operations)
    assert changed.options["acl_upload"] == ("dev", "ann")
    assert changed.options["title"] == "New"


def test_the_answer_of_a_get_may_be_sent_back(cases: UseCases):
    index = cases.index("dev/base")
    echo = {**index.options, "type": "stage", "projects": ["demo"]}
    with cases.recorded() as events:
        cases.indexes.change(DEV, _name("dev/base"), echo)
    assert events == []


def test_a_change_of_nothing_may_be_refused(cases: UseCases):
    cases.index("dev/base", title="Same")
    assert cases.indexes.change(DEV, _name("dev/base"), {"title": "Same"}).name.index == "base"
    with pytest.raises(InvalidRequest, match="options: they are so already on dev/base"):
        cases.indexes.change(DEV, _name("dev/base"), {"title": "Same"}, refuse_noop=True)


@pytest.mark.parametrize(
    ("patch", "fault"),
    [
        ({"type": "mirror"}, "type: the type of an index cannot be changed"),
        (["bases=dev/top"], "bases: dev/base would inherit from itself"),
        (["bases+=dev/nope"], "bases: index dev/nope does not exist"),
        (["bases=dev/nope,dev/base"], "bases: index dev/nope does not exist; bases: dev/base"),
    ],
)
def test_a_change_keeps_the_rules(cases: UseCases, patch, fault):
    cases.index("dev/base")
    cases.index("dev/middle", "dev/base")
    cases.index("dev/top", "dev/middle")
    with pytest.raises(InvalidRequest) as caught:
        cases.indexes.change(DEV, _name("dev/base"), patch)
    assert caught.value.message.startswith(fault)


def test_the_url_of_a_mirror_cannot_be_removed(cases: UseCases):
    with pytest.raises(InvalidRequest, match="a mirror needs the URL"):
        cases.indexes.change(ROOT, _name("root/pypi"), ["mirror_url-="])


def test_bases_are_judged_when_they_change_and_not_whenever_anything_does(cases: UseCases, ann):
    cases.index("dev/base")
    cases.index("ann/own", "dev/base", identity=ann)
    cases.indexes.change(DEV, _name("dev/base"), {"acl_read": []})
    changed = cases.indexes.change(ann, _name("ann/own"), {"title": "Mine"})
    assert changed.options["title"] == "Mine"
    grant = Grant(frozenset({Action.ADMIN}), frozenset({_name("ann/own")}))
    limited = Identity(user=ann.user, limits=TokenLimits((grant,)))
    cases.indexes.change(limited, _name("ann/own"), {"title": "By token"})


def test_an_index_is_deleted_with_its_event(cases: UseCases):
    cases.index("dev/base")
    with cases.recorded() as events:
        cases.indexes.delete(DEV, _name("dev/base"))
    assert events == ["index-deleted"]
    with pytest.raises(NotFound, match="There is no index dev/base"):
        cases.indexes.delete(DEV, _name("dev/base"))


def test_an_index_that_is_not_volatile_is_not_deleted(cases: UseCases):
    cases.index("dev/base", volatile=False)
    with pytest.raises(Forbidden, match="non-volatile; set volatile=true on it first"):
        cases.indexes.delete(DEV, _name("dev/base"))


def test_a_base_is_not_deleted_from_under_its_heirs(cases: UseCases):
    cases.index("dev/base")
    cases.index("dev/two", "dev/base")
    cases.index("dev/one", "dev/base")
    with pytest.raises(Conflict, match="deleted: dev/one, dev/two inherits from it"):
        cases.indexes.delete(DEV, _name("dev/base"))
