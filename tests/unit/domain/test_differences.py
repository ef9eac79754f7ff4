"""What a change made of values, as the audit tells it."""

import pytest

from stillroom_server.domain.differences import MAX_TEXT, beyond, differences

LONG = "x" * (MAX_TEXT + 1)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (("a", "b"), ("b", "c"), {"added": ["c"], "removed": ["a"]}),
        (("a",), ("a", "c", "b"), {"added": ["c", "b"]}),
        (("a",), (), {"removed": ["a"]}),
        (None, ("a",), {"added": ["a"]}),
        (("a", "b"), ("b", "a"), {"from": ["a", "b"], "to": ["b", "a"]}),
        (True, False, {"from": True, "to": False}),
        (600, 0, {"from": 600, "to": 0}),
        (None, "new", {"from": None, "to": "new"}),
        ("old", None, {"from": "old", "to": None}),
        ("x" * MAX_TEXT, LONG, {"from": "x" * MAX_TEXT, "to": "x" * (MAX_TEXT - 1) + "…"}),
    ],
)
def test_a_difference_tells_what_came_and_went(before, after, told):
    one, other = {"same": 1, "name": before}, {"same": 1, "name": after}
    assert differences(one, other) == {"name": told}


def test_what_is_missing_differs_from_what_is_there_and_from_nothing_else():
    assert differences({"gone": 1}, {"came": 2}) == {
        "came": {"from": None, "to": 2},
        "gone": {"from": 1, "to": None},
    }
    assert differences({"same": ("a",), "none": None}, {"same": ("a",)}) == {}


def test_values_beyond_the_defaults_are_told_as_json():
    defaults = {"flag": True, "list": (), "text": "a"}
    values = {"flag": True, "list": ("b", "a"), "text": LONG, "more": 5}
    assert beyond(defaults, values) == {"list": ["b", "a"], "more": 5, "text": LONG[:-2] + "…"}
