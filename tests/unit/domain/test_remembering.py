"""What is remembered of texts that clients send."""

import sys
from collections.abc import Callable

import pytest

from stillroom_server.domain.hosts import host_name, read_address, read_outside_url
from stillroom_server.domain.remembering import SHORT, remembers_short
from stillroom_server.web.negotiation import content_coding, error_type, simple_type


def test_the_answer_for_a_short_text_is_remembered_and_for_a_long_one_found_anew() -> None:
    asked: list[str] = []

    @remembers_short(2)
    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    short, long = "a" * SHORT, "a" * (SHORT + 1)
    for _ in range(3):
        assert (length(short), length(long)) == (SHORT, SHORT + 1)
    assert asked == [short, long, long, long]


@pytest.mark.parametrize(
    "function",
    [host_name, read_address, read_outside_url, simple_type, error_type, content_coding],
    ids=lambda function: function.__name__,
)
def test_no_long_header_is_kept(function: Callable[[str], object]) -> None:
    long, short = "x" * 64_000, f"{SHORT}.example"
    for text, kept in ((long, False), (short, True)):
        before = sys.getrefcount(text)
        function(text)
        assert (sys.getrefcount(text) > before) == kept
