"""Values of a file mean to the client what they mean to the server."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_client.declarative import values
from stillroom_client.declarative.values import DEFAULTS, OPTIONS, is_access_list, same
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import group_name, project_name, user_name
from stillroom_server.domain.options import (
    Option,
    check_base,
    check_pattern,
    check_principal,
    check_project_or_all,
)
from stillroom_server.domain.ownership import check_owner
from support.values import INDEX_TYPES

SPELLINGS: dict[str, list[Any]] = {
    "boolean": [True, False, "True", "FALSE", "yes", "No", "1", "0", 1, None, "maybe", ["true"]],
    "seconds": [0, 600, "600", "007", 10**9, -1, 1.5, True, "", "٣"],
    "bytes": [0, "1000000", 10**17, 10**18, False, "1e3"],
    "text": ["", "a title", " with blanks ", "x" * 10_000, "x" * 10_001, "\0", 1, ["a"]],
    "url": [
        "https://example.com/simple",
        " https://example.com/simple// ",
        "http://example.com/a/",
        "ftp://example.com",
        "example.com",
        7,
    ],
    "list": ["", [], " , ", [""], 1, {"a": 1}, [1], None],
}
ENTRIES: dict[str, list[str]] = {
    "bases": ["root/pypi", "/root/pypi/", "dev/a,dev/b", "dev/a, dev/a", "root", "a/b/c", "a b/c"],
    "mirror_fallback_urls": ["https://example.com/a", "https://example.com/a/,http://example.com"],
    "mirror_whitelist": ["*", "My.Project, other_one", "a--b", "-a", "a b"],
    "reserved": ["acme-*", "Acme_*,*", "-x", "a b"],
}
PRINCIPALS = [
    "dev",
    "dev, :team,dev",
    ":anonymous:",
    ":Authenticated:,x",
    "a@example.com",
    "-a",
    ":",
]


def options() -> list[Any]:
    return [
        pytest.param(kind.name, option, id=f"{kind.name}-{option.name}")
        for kind in INDEX_TYPES.values()
        for option in kind.options
    ]


def of_server(option: Option, value: Any) -> Any:
    """What the server stores, as its JSON answer has it; an error where it refuses."""
    try:
        read = option.read(value)
    except ValueError:
        return ValueError
    return list(read) if isinstance(read, tuple) else read


def of_client(kind: str, option: Option, value: Any) -> Any:
    try:
        return OPTIONS[kind][option.name](value)
    except ValueError:
        return ValueError


def test_the_client_knows_the_options_of_every_type_that_each_server_has() -> None:
    of_types = {kind.name: {o.name for o in kind.options} for kind in INDEX_TYPES.values()}
    assert {kind: set(readers) for kind, readers in OPTIONS.items()} == of_types


def test_the_client_knows_what_options_are_unless_they_are_said() -> None:
    of_types = {
        kind.name: {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in kind.defaults().items()
            if not is_access_list(key)
        }
        for kind in INDEX_TYPES.values()
    }
    assert of_types == DEFAULTS


@pytest.mark.parametrize(("kind", "option"), options())
def test_each_spelling_of_a_value_means_to_both_the_same(kind: str, option: Option) -> None:
    spellings = list(SPELLINGS[option.kind])
    if option.name == "first_upload":
        spellings += ["open", "Restricted", "APPROVAL", "closed"]
    if option.kind == "list":
        texts = ENTRIES.get(option.name, PRINCIPALS)
        spellings += [*texts, *(text.split(",") for text in texts)]
    for spelling in spellings:
        # What one of them takes, both take, and make the same of it.
        wanted = of_server(option, spelling)
        got = of_client(kind, option, spelling)
        assert got == wanted, spelling
        assert type(got) is type(wanted), spelling
    assert any(of_server(option, spelling) is not ValueError for spelling in spellings)
    # What a server shows is no difference from itself.
    for spelling in spellings:
        shown = of_server(option, spelling)
        if shown is not ValueError:
            assert same(option.name, of_client(kind, option, shown), shown)


names = st.text(st.sampled_from("aB9.-_@: /ä"), max_size=5)
entries = st.one_of(
    names, names.map(lambda name: f":{name}"), st.just("a" * 127), st.just(":Anonymous:")
)


@pytest.mark.parametrize(
    ("of_client", "of_server"),
    [
        (values.principal, check_principal),
        (values.owner, check_owner),
        (values.user_name, user_name),
        (values.group_name, group_name),
        (values.project_name, project_name),
        (values.index_name, check_base),
        (values.pattern, check_pattern),
        (values.project_or_all, check_project_or_all),
    ],
)
@given(entry=st.one_of(entries, st.sampled_from(["anonymous", "Authenticated", "*", "a*", "a/b"])))
def test_names_are_to_the_client_what_they_are_to_the_server(
    of_client: Callable[[str], str], of_server: Callable[[str], str], entry: str
) -> None:
    entry = entry.strip()
    assert _read(of_client, entry) == _read(of_server, entry)


def _read(reader: Callable[[str], str], entry: str) -> str | None:
    try:
        return reader(entry)
    except (ValueError, InvalidRequest):
        return None


def test_a_vendors_short_form_is_refused_because_the_server_makes_another_url_of_it() -> None:
    with pytest.raises(ValueError, match="whole http or https URL"):
        OPTIONS["mirror"]["mirror_url"]("gitlab:example.com/42")


@given(st.permutations(["ci", "dev", ":team"]))
def test_the_order_of_an_access_list_means_nothing(entries: list[str]) -> None:
    assert same("acl_upload", entries, ["ci", "dev", ":team"])
    assert not same("acl_upload", entries[1:], ["ci", "dev", ":team"])
    assert same("bases", entries, ["ci", "dev", ":team"]) is (entries == ["ci", "dev", ":team"])


def test_true_is_not_one() -> None:
    assert not same("volatile", True, 1)
    assert not same("mirror_cache_expiry", 0, False)
