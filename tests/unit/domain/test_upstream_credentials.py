"""Credentials for upstreams: read from URLs, given to one origin, never shown."""

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.upstream_credentials import (
    Origin,
    UpstreamCredential,
    UpstreamCredentials,
)

SECRET = "s3cret"


def authorization_for(base_url, *items):
    found = UpstreamCredentials.parse(items).for_upstream(base_url)
    return None if found is None else found.authorization


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass@h.example/", "Basic dXNlcjpwYXNz"),
        (" https://user:pass@h.example ", "Basic dXNlcjpwYXNz"),
        ("https://user:@h.example/", "Basic dXNlcjo="),
        ("https://user:a%2Fb%40%3A%C3%A9@h.example/", "Basic dXNlcjphL2JAOsOp"),
        ("https://us%40er:p:w@h.example/", "Basic dXNAZXI6cDp3"),
        ("https://:tok.en@h.example/", "Bearer tok.en"),
    ],
)
def test_the_header_is_made_of_name_and_password_or_of_a_token(text, expected):
    assert UpstreamCredential.parse(text).authorization == expected


@pytest.mark.parametrize(
    ("item", "base_url", "given"),
    [
        ("https://u:p@h.example/", "https://h.example/simple/", True),
        ("https://u:p@h.example", "https://h.example/", True),
        ("https://u:p@H.Example:443/", "https://h.example/simple/", True),
        ("http://u:p@h.example:80/", "http://h.example/", True),
        ("https://u:p@h.example/a", "https://h.example/a/b/", True),
        ("https://u:p@h.example/a/", "https://h.example/a/", True),
        ("https://u:p@h.example/a/", "https://h.example/a", True),
        ("https://u:p@h.example/a", "https://h.example/ab/", False),
        ("https://u:p@h.example/a/", "https://h.example/", False),
        ("https://u:p@h.example/", "http://h.example/", False),
        ("https://u:p@h.example/", "https://h.example:8443/", False),
        ("https://u:p@h.example/", "https://h.example.evil.example/", False),
        ("https://u:p@h.example/", "https://evil.example/h.example/", False),
        ("https://u:p@h.example/", "https://x.h.example/", False),
        ("https://u:p@h.example/a/", "https://h.example/a/../b/", False),
        ("https://u:p@h.example/a/", "https://h.example/a/%2e%2e/b/", False),
        ("https://u:p@h.example/a/", "https://h.example/a/x%2f..%2f..%2fb/", False),
        ("https://u:p@h.example/a/", "https://h.example/a/group%2Fproject/", True),
        ("https://u:p@h.example/", "nonsense", False),
        ("https://u:p@h.example/", "https://[::1", False),
    ],
)
def test_they_are_for_upstreams_below_their_url(item, base_url, given):
    assert (authorization_for(base_url, item) is not None) is given


def test_the_longest_path_decides_and_of_equal_ones_the_first():
    items = ["https://u:1@h.example/", "https://u:2@h.example/a/b/", "https://u:3@h.example/a/"]
    items += ["https://u:4@h.example/a/b/", "https://u:5@other.example/a/b/c/"]
    chosen = UpstreamCredentials.parse(items).for_upstream("https://h.example/a/b/c/")
    assert chosen == UpstreamCredential.parse(items[1])


@pytest.mark.parametrize(
    "rest",
    [
        "h.example/",
        f"https://{SECRET}@h.example/",
        f"ftp://u:{SECRET}@h.example/",
        f"https://u:{SECRET}@/",
        f"https://u:{SECRET}@h.example:port/",
        f"https://u:{SECRET}@[::1",
        f"https://u:{SECRET}@h.example/?x",
        f"https://u:{SECRET}@h.example/#x",
        f"https://u:{SECRET}@h.example/a/../b/",
        f"https://u:{SECRET}@h.example/a/%2e%2e/b/",
        f"https://:{SECRET}%20x@h.example/",
        "https://:@h.example/",
        f"https://u:{SECRET}%0D%0AX: y@h.example/",
        f"https://u%3Ax:{SECRET}@h.example/",
        f"{SECRET}",
        "",
    ],
)
def test_what_breaks_a_rule_is_refused_without_being_repeated(rest):
    good = f"https://u:{SECRET}@h.example/"
    with pytest.raises(ValueError, match=r"\Aitem 2: ") as caught:
        UpstreamCredentials.parse([good, rest])
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_has_comments_and_a_url_on_each_line():
    content = "# team\n\n  https://u:p@h.example/\r\nhttps://:t@i.example/#x".replace("#x", "")
    entries = UpstreamCredentials.read(content).entries
    assert [entry.origin.host for entry in entries] == ["h.example", "i.example"]


def test_a_line_of_a_file_that_breaks_a_rule_is_named_by_its_number():
    with pytest.raises(ValueError, match=r"\Aline 3: ") as caught:
        UpstreamCredentials.read(f"https://u:p@h.example/\n# x\nuser:{SECRET}\n")
    assert SECRET not in str(caught.value)


@given(st.text(), st.text())
def test_any_text_is_read_or_refused(user, rest):
    for text in (user, f"https://{user}:{rest}@h.example/", f"https://u:p@{rest}"):
        with contextlib.suppress(ValueError):
            assert UpstreamCredential.parse(text).authorization.isascii()


def test_a_secret_is_never_part_of_what_is_shown():
    credentials = UpstreamCredentials.parse([f"https://dev:{SECRET}@h.example/"])
    (entry,) = credentials.entries
    for value in (credentials, entry):
        assert SECRET not in f"{value} {value!r} {value:}"
        assert entry.authorization not in f"{value!r}"
    assert "h.example" in repr(entry)
    assert pickle.loads(pickle.dumps(entry)) == entry


def test_an_origin_has_the_port_of_its_scheme():
    assert Origin.of("https://h.example/x") == Origin("https", "h.example", 443)
    assert Origin.of("http://[::1]:8080/x") == Origin("http", "::1", 8080)
