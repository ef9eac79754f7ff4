"""What a run of `stillroom` in the process of a test left behind."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """The exit status and the two streams."""

    status: int
    out: str
    err: str


Stillroom = Callable[..., Result]
"""`stillroom("use", URL, typed="y\\n", environ={"NAME": "added"}, is_terminal=True)`."""
