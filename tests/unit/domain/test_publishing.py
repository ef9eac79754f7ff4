"""Rules for claims, and the URLs of issuers."""

import time
from typing import Any

import pytest

from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.identity import Action, Grant
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.domain.publishing import (
    Publisher,
    check_issuer_url,
    claim_rules,
    insecure,
    matches_pattern,
)
from support.rows import NOW


def a_publisher(**claims: str) -> Publisher:
    return Publisher(
        id="p1",
        issuer="https://issuer.example.com",
        index=IndexName.parse("dev/stage"),
        user=UserName("dev"),
        claims=claims,
        actions=frozenset({Action.UPLOAD}),
        projects=frozenset({ProjectName("app")}),
        note="",
        created=NOW,
    )


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("repo:team/app", "repo:team/app"),
        ("*", ""), ("*", "anything"), ("a*", "a"), ("a*", "abc"), ("*c", "abc"), ("*c", "c"),
        ("a*c", "ac"), ("a*c", "abcc"), ("a*b*c", "abbc"), ("a**c", "ac"), ("*b*", "abc"),
        ("ab*ab", "abab"), ("*ab*ab*", "xabyabz"), ("a*b", "a\nb"), ("[a]?.+", "[a]?.+"),
    ],
)  # fmt: skip
def test_a_pattern_says_the_whole_text(pattern: str, text: str) -> None:
    assert matches_pattern(text, pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("repo:team/app", "repo:team/app2"), ("repo:team/app", "xrepo:team/app"),
        ("repo:team/app", "repo:Team/app"), ("a", ""), ("a*", "ba"), ("*c", "cb"), ("a*a", "a"),
        ("ab*ab", "ab"), ("ab*ba", "aba"), ("*ab*ab*", "xabyb"), ("a*b*c", "acb"), ("a?c", "abc"),
        ("[ab]", "a"), (".*", "ab"),
    ],
)  # fmt: skip
def test_a_pattern_says_no_more_than_it_holds(pattern: str, text: str) -> None:
    assert not matches_pattern(text, pattern)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    started = time.monotonic()
    assert not matches_pattern("a" * 16_000, "*a" * 200 + "*b*")
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(
    ("value", "pattern"),
    [("main", "main"), (42, "42"), (-1, "-*"), (True, "true"), (False, "false"), ("", "*")],
)
def test_texts_numbers_and_booleans_are_compared_as_text(value: object, pattern: str) -> None:
    assert a_publisher(ref=pattern).matches({"ref": value})


@pytest.mark.parametrize("value", [None, [], ["main"], {"main": "main"}, 1.5, float("nan")])
@pytest.mark.parametrize("pattern", ["*", "main", "*main*", "1*", "None", "nan"])
def test_anything_else_matches_nothing(value: object, pattern: str) -> None:
    assert not a_publisher(ref=pattern).matches({"ref": value})


@pytest.mark.parametrize("value", ["True", "1", 1])
def test_a_boolean_is_told_from_what_looks_like_one(value: object) -> None:
    assert not a_publisher(ref="true").matches({"ref": value})


def test_a_claim_that_is_missing_matches_nothing() -> None:
    assert not a_publisher(ref="*").matches({"sub": "main"})


def test_all_rules_must_match() -> None:
    publisher = a_publisher(sub="repo:team/*", ref="main")
    assert publisher.matches({"sub": "repo:team/app", "ref": "main", "more": []})
    assert not publisher.matches({"sub": "repo:team/app", "ref": "other"})
    assert not publisher.matches({"sub": "repo:other/app", "ref": "main"})


def test_a_grant_is_for_the_one_index() -> None:
    grant = a_publisher(sub="x").grant
    assert grant == Grant(
        frozenset({Action.UPLOAD}),
        frozenset({IndexName.parse("dev/stage")}),
        frozenset({ProjectName("app")}),
    )


def test_rules_are_read_as_they_are() -> None:
    rules = {"sub": "repo:team/*", "ref": "*"}
    assert claim_rules(rules) == rules


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "nbf", "iat", "jti"])
def test_a_claim_that_every_token_has_is_no_rule(name: str) -> None:
    with pytest.raises(InvalidRequest, match=name):
        claim_rules({name: "x"})


@pytest.mark.parametrize("raw", [None, [], "sub=x", {}, {"sub": "*"}, {"sub": None}, {"a": ""}])
def test_rules_that_identify_nobody_are_refused(raw: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^claims:"):
        claim_rules(raw)


PRIVATE = PrivateUpstreams.parse(["ci.internal", "10.1.0.0/16", "10.9.9.9:8443", "localhost"])


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example.com",
        "https://issuer.example.com/",
        "https://issuer.example.com/a/b",
        "https://10.1.2.3",
        "http://10.1.2.3:8080/x",
        "http://ci.internal/x",
        "http://localhost:9",
        "https://10.9.9.9:8443",
        "http://10.9.9.9:8443",
    ],
)
def test_an_issuer_keeps_its_url_to_the_letter(url: str) -> None:
    assert check_issuer_url(url, PRIVATE) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example.com",
        "http://8.8.8.8",
        "http://10.2.0.1",
        "https://10.2.0.1",
        "https://127.0.0.1",
        "https://[::1]",
        "https://2130706433",
        "http://xci.internal",
        "http://ci.internal.example.com",
        "http://10.9.9.9:8444",
        "https://issuer.example.com#x",
        "https://issuer.example.com\n",
        "file:///etc/passwd",
    ],
)
def test_an_issuer_is_asked_only_where_that_is_safe(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^url:"):
        check_issuer_url(url, PRIVATE)


def test_plain_http_is_insecure_to_hosts_that_are_not_named() -> None:
    assert insecure("https://keys.example.com/", PRIVATE) is None
    assert insecure("http://ci.internal/keys", PRIVATE) is None
    refusal = insecure("http://keys.example.com/", PRIVATE)
    assert refusal is not None
    assert "private_upstreams" in refusal
