"""Options of an index: reading values, and changing them by operations."""

import pytest

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.options import (
    Option,
    apply_operations,
    check_base,
    check_pattern,
    check_principal,
    check_project_or_all,
    check_upstream_url,
    read_options,
)
from support.values import MIRROR, STAGE

FLAG = Option("flag", "boolean", None, "")
SECONDS = Option("expiry", "seconds", 600, "")
TEXT = Option("title", "text", None, "")
LIST = Option("names", "list", (), "")
BASES = Option("bases", "list", (), "", check_base)
SOME = (FLAG, SECONDS, TEXT, LIST, BASES)


@pytest.mark.parametrize(
    ("option", "raw", "value"),
    [
        (FLAG, True, True),
        (FLAG, "True", True),
        (FLAG, "yes", True),
        (FLAG, "1", True),
        (FLAG, "FALSE", False),
        (FLAG, "no", False),
        (FLAG, "0", False),
        (SECONDS, 5, 5),
        (SECONDS, "0", 0),
        (SECONDS, "999999999", 999_999_999),
        (TEXT, "", ""),
        (TEXT, " kept as it is ", " kept as it is "),
        (LIST, "a,b", ("a", "b")),
        (LIST, " a , ,b,", ("a", "b")),
        (LIST, ["a", "b", "a"], ("a", "b")),
        (LIST, ("b", "a"), ("b", "a")),
        (LIST, "", ()),
        (LIST, [], ()),
        (BASES, "/dev/base/, root/pypi", ("dev/base", "root/pypi")),
    ],
)
def test_strings_and_json_values_are_read_alike(option, raw, value):
    assert option.read(raw) == value


@pytest.mark.parametrize(
    ("option", "raw", "rule"),
    [
        (FLAG, "maybe", "neither true nor false"),
        (FLAG, 1, "neither true nor false"),
        (FLAG, None, "neither true nor false"),
        (SECONDS, "ten", "not a whole number"),
        (SECONDS, "-1", "not a whole number"),
        (SECONDS, -1, "not a whole number"),
        (SECONDS, 1.5, "not a whole number"),
        (SECONDS, True, "not a whole number"),
        (SECONDS, "1" * 10, "not a whole number"),
        (SECONDS, "٣", "not a whole number"),
        (TEXT, 5, "is not text"),
        (TEXT, None, "is not text"),
        (TEXT, "a\0b", "no NUL"),
        (TEXT, "x" * 10_001, "under 10,000"),
        (LIST, 5, "not a list of strings"),
        (LIST, {"a": 1}, "not a list of strings"),
        (LIST, ["a", 5], "not a list of strings"),
        (BASES, ["base"], "user/index"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_the_rule(option, raw, rule):
    with pytest.raises(ValueError, match=rule):
        option.read(raw)


def test_a_long_wrong_value_is_not_repeated_in_full():
    with pytest.raises(ValueError, match="…") as caught:
        FLAG.read("x" * 100_000)
    assert len(str(caught.value)) < 200


CHECKS = [
    (check_base, "dev/base", "dev/base"),
    (check_principal, "dev", "dev"),
    (check_principal, ":group", ":group"),
    (check_principal, ":anonymous:", ":ANONYMOUS:"),
    (check_principal, ":Authenticated:", ":AUTHENTICATED:"),
    (check_project_or_all, "*", "*"),
    (check_project_or_all, "Foo.Bar", "foo-bar"),
    (check_pattern, "Acme.*", "acme-*"),
    (check_pattern, "*", "*"),
    (check_pattern, "one", "one"),
    (check_upstream_url, "https://index.test/simple", "https://index.test/simple/"),
    (check_upstream_url, "https://bücher.test/..a/b.", "https://bücher.test/..a/b./"),
    (check_upstream_url, " http://[::1]:8080// ", "http://[::1]:8080/"),
]


@pytest.mark.parametrize(("check", "text", "canonical"), CHECKS)
def test_single_values_are_kept_in_their_canonical_form(check, text, canonical):
    assert check(text) == canonical


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (check_base, "dev"),
        (check_base, "dev/base/x"),
        (check_principal, ""),
        (check_principal, ":"),
        (check_principal, ":OWNER:"),
        (check_principal, "a b"),
        (check_principal, "dev\n"),
        (check_project_or_all, "foo*"),
        (check_project_or_all, "-foo"),
        (check_project_or_all, "foo\n"),
        (check_pattern, "[a-z]"),
        (check_pattern, "acme-?"),
        (check_pattern, "-acme*"),
        (check_upstream_url, "index.test/simple"),
        (check_upstream_url, "ftp://index.test/"),
        (check_upstream_url, "file:///etc"),
        (check_upstream_url, "https://"),
        (check_upstream_url, "https://user:secret@index.test/"),
        (check_upstream_url, "https://index.test/?page=1"),
        (check_upstream_url, "https://index.test/simple?"),
        (check_upstream_url, "https://index.test/simple#"),
        (check_upstream_url, "https://index.test/a b"),
        (check_upstream_url, "https://index.test/\nX: y"),
        (check_upstream_url, "https://index.test:port/"),
        (check_upstream_url, "https://[::1"),
        (check_upstream_url, "http://xn--/"),
        (check_upstream_url, "http://index.xn--a/"),
        (check_upstream_url, "http://index..test/"),
        (check_upstream_url, f"http://{'x' * 64}.test/"),
        (check_upstream_url, "https://index.test/a/../b/"),
        (check_upstream_url, "https://index.test/a/.."),
        (check_upstream_url, "https://index.test/./a/"),
        (check_upstream_url, "https://index.test/a/%2e%2E/b/"),
        (check_upstream_url, "https://index.test/a/%252e%252e/b/"),
        (check_upstream_url, "https://index.test/a/x%2F..%2Fb/"),
        (check_upstream_url, "https://index.test/a/..\\b/"),
        (check_upstream_url, "https://index.test/a/..;x/b/"),
        (check_upstream_url, "gitlab:index.test/%2e%2e"),
        (check_upstream_url, "gitlab:index.test/1%2f..%2f2"),
    ],
)
def test_single_values_that_break_a_rule_are_refused(check, text):
    with pytest.raises(ValueError, match=r"."):
        check(text)


@pytest.mark.parametrize("url", ["ftp://u:s3cret@h.test/", "https://u:s3cret@[::1", "u:s3cret@h"])
def test_a_url_that_is_refused_is_not_repeated(url):
    with pytest.raises(ValueError, match=r"^it ") as caught:
        check_upstream_url(url)
    assert "s3cret" not in str(caught.value)


def test_reading_keeps_only_what_was_given():
    assert read_options(SOME, {"title": "A"}) == {"title": "A"}


def test_reading_names_every_unknown_option_and_every_wrong_value():
    with pytest.raises(InvalidRequest) as caught:
        read_options(SOME, {"titel": "A", "flag": "maybe", "expiry": -1, "title": "fine"})
    assert [fault.field for fault in caught.value.faults] == ["titel", "flag", "expiry"]
    assert "there are bases, expiry, flag, names, title" in caught.value.message


CURRENT = {"expiry": 600, "title": "A", "names": ("a", "b"), "bases": ()}


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        (["title=B"], {"title": "B"}),
        (["title="], {"title": ""}),
        (["title=a=b"], {"title": "a=b"}),
        (["title=two\nlines"], {"title": "two\nlines"}),
        (["expiry=5"], {"expiry": 5}),
        (["names=c"], {"names": ("c",)}),
        (["names="], {"names": ()}),
        (["names+=c,a"], {"names": ("a", "b", "c")}),
        (["names+="], {}),
        (["names-=a"], {"names": ("b",)}),
        (["names-=a,b"], {"names": ()}),
        (["names-=a", "names+=a"], {"names": ("b", "a")}),
        (["title=B", "title=C"], {"title": "C"}),
        ([], {}),
    ],
)
def test_operations_change_a_copy_in_order(operations, changed):
    before = dict(CURRENT)
    assert apply_operations(SOME, CURRENT, operations) == CURRENT | changed
    assert before == CURRENT


def test_an_operation_without_a_value_removes_an_option_that_has_no_default():
    after = apply_operations(SOME, CURRENT, ["title-=", "flag-="])
    assert "title" not in after


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("title", "operation: 'title' is not key=value"),
        ("=value", "operation: '=value' is not key=value"),
        ("ti tle=x", "operation: "),
        ("title*=x", "operation: "),
        (5, "operation: 5 is not key=value"),
        (None, "operation: None is not key=value"),
        ("titel=B", "titel: unknown option; there are"),
        ("title+=B", r"title: \+= works on lists only; set it with title=value"),
        ("title-=B", "title: -= works on lists only; set it with title=value"),
        ("expiry-=", "expiry: an option with a default cannot be removed"),
        ("names-=", "names: an option with a default cannot be removed"),
        ("names-=z", "names: it does not hold z"),
        ("flag=maybe", "flag: 'maybe' is neither true nor false"),
        ("bases+=base", "bases: 'base' is not of the form user/index"),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused_with_the_rule(operation, fault):
    with pytest.raises(InvalidRequest, match=fault):
        apply_operations(SOME, CURRENT, [operation])


def test_all_operations_that_cannot_be_done_are_named_and_none_is_done():
    with pytest.raises(InvalidRequest) as caught:
        apply_operations(SOME, CURRENT, ["title=B", "nope=1", "expiry=x", "names-=z"])
    assert [fault.field for fault in caught.value.faults] == ["nope", "expiry", "names"]
    assert CURRENT["title"] == "A"


def test_there_are_at_most_a_hundred_operations_at_once():
    assert apply_operations(SOME, CURRENT, ["title=B"] * 100)["title"] == "B"
    with pytest.raises(InvalidRequest, match="at most 100 operations"):
        apply_operations(SOME, CURRENT, ["title=B"] * 101)


@pytest.mark.parametrize("index_type", [STAGE, MIRROR], ids=lambda t: t.name)
def test_every_default_of_a_built_in_type_is_one_that_could_be_given(index_type):
    owner_is_filled_in = {"acl_upload"}
    for option in index_type.options:
        assert option.help
        if option.default is not None and option.name not in owner_is_filled_in:
            assert option.read(option.default) == option.default
