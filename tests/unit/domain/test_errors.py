"""What errors carry."""

import copy
import inspect

import pytest

from stillroom_server.domain import errors
from stillroom_server.domain.errors import (
    Fault,
    InvalidRequest,
    Refusal,
    StillroomError,
    Trouble,
    UpstreamFailed,
)

ALL = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass)
       if issubclass(kind, StillroomError)]  # fmt: skip


def test_every_error_is_either_a_refusal_or_trouble():
    for kind in ALL:
        if kind not in {StillroomError, Refusal, Trouble}:
            assert issubclass(kind, Refusal) != issubclass(kind, Trouble)


def test_the_tree_in_the_documentation_names_every_error():
    for kind in ALL:
        assert f"{kind.__name__}  " in errors.__doc__ or f"{kind.__name__}\n" in errors.__doc__


def test_an_invalid_request_carries_every_fault():
    error = InvalidRequest([Fault("name", "too long"), Fault("version", "is none")])
    assert error.message == str(error) == "name: too long; version: is none"
    assert [fault.field for fault in error.faults] == ["name", "version"]


def test_of_very_many_faults_a_hundred_are_told():
    error = InvalidRequest([Fault(str(number), "unknown") for number in range(1_234)])
    assert len(error.faults) == 100
    assert error.message.endswith("; 99: unknown; and 1,134 more")
    assert len(InvalidRequest([Fault("a", "b")] * 100).message.split("; ")) == 100


def test_an_invalid_request_without_a_fault_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="at least one fault"):
        InvalidRequest([])


def test_a_single_fault_is_quickly_written():
    assert InvalidRequest.one("name", "too long").faults == (Fault("name", "too long"),)


def test_trouble_says_when_to_try_again():
    ours, theirs = Trouble("busy"), UpstreamFailed("down", retry_after=3)
    assert (ours.retry_after, ours.wait) == (10, 0)
    assert (theirs.retry_after, theirs.wait) == (3, 3)


def test_a_copy_of_trouble_is_the_same_trouble():
    # Each thread that waits for a failed fetch raises a copy.
    original = UpstreamFailed("down", retry_after=3)
    again = copy.copy(original)
    assert (type(again), again.message, again.retry_after) == (UpstreamFailed, "down", 3)
