import pytest

from stillroom_client.addresses import IndexName, Release, is_below, origin, path_of, server_url
from stillroom_client.errors import WrongUsage


def test_index_names() -> None:
    assert str(IndexName.parse("/dev/sandbox/")) == "dev/sandbox"
    assert IndexName.parse("sandbox", owner="dev") == IndexName("dev", "sandbox")
    for text in ("", "/", "dev", "dev/", "a/b/c", "dev//sandbox"):
        with pytest.raises(WrongUsage):
            IndexName.parse(text)


def test_releases() -> None:
    assert str(Release.parse("My.Demo")) == "my-demo"
    assert str(Release.parse("demo == 1.0.0-rc1")) == "demo==1.0.0rc1"


def test_server_urls_lose_their_last_slash() -> None:
    assert server_url("https://example.com/tools/") == "https://example.com/tools"
    for text in ("", "example.com", "http:///path", "http://a b/", "http://[::1", "http://a/#b"):
        with pytest.raises(WrongUsage):
            server_url(text)


def test_what_is_below_a_root() -> None:
    assert is_below("http://a/b", "http://a/b")
    assert is_below("http://a/b", "http://a/b/c")
    assert not is_below("http://a/b", "http://a/bc")
    assert not is_below("http://a", "http://a.example")


def test_parts_of_urls() -> None:
    assert origin("http://dev:x@localhost:3141/a?b") == "http://localhost:3141"
    assert path_of("dev", "+tokens", "a/b") == "/dev/+tokens/a%2Fb"
