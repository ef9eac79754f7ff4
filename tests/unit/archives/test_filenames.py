"""File names that no index should hold are refused before anything is opened."""

import time

import pytest

from stillroom_server.domain.distributions import parse_filename


@pytest.mark.parametrize(
    "name",
    [
        "a/b-1.0-py3-none-any.whl",
        "..\\b-1.0-py3-none-any.whl",
        "b\n-1.0-py3-none-any.whl",
        "b\x00-1.0.tar.gz",
        ".b-1.0.tar.gz",
        "%2e%2e-1.0.tar.gz",
        "b-1.0.tar.gz ",
        "b-1.0.tar.gz.",
        "b-1.0.TAR.GZ",
        "b-1.0.whl",
        "b-1.0.zip",
        "b\u202e-1.0.tar.gz",
        "b" * 250 + "-1.0.tar.gz",
        "nul",
        "",
    ],
    ids=ascii,
)
def test_u20_unsafe_names_are_refused(name):
    with pytest.raises(ValueError):
        parse_filename(name)


def test_u21_tags_that_nobody_knows_are_accepted():
    assert parse_filename("b-1.0-zz99-none-linux_x86_64.whl").python_tag == "zz99"


def test_u21_a_build_tag_must_begin_with_a_digit():
    with pytest.raises(ValueError, match="build"):
        parse_filename("b-1.0-a1-py3-none-any.whl")


def test_u21_an_explosion_of_compressed_tags_is_refused_at_once():
    tags = "-".join(".".join(f"{kind}{number}" for number in range(22)) for kind in "abc")
    start = time.process_time()
    with pytest.raises(ValueError, match="combinations"):
        parse_filename(f"b-1.0-{tags}.whl")
    assert time.process_time() - start < 0.1
