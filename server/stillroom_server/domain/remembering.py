"""Remembering what came of texts that clients send, without keeping long ones."""

import functools
from collections.abc import Callable
from typing import TypeVar

V = TypeVar("V")
T = TypeVar("T", str, str | None)

SHORT = 300
"""Characters of a text that is worth remembering: what installers and browsers send has fewer."""


def remembers_short(size: int) -> Callable[[Callable[[T], V]], Callable[[T], V]]:
    """Have a function of one text remember the last `size` answers.

    A longer text is looked at each time: clients choose it, and it would be kept as a key.
    """

    def decorate(function: Callable[[T], V]) -> Callable[[T], V]:
        remembering = functools.lru_cache(maxsize=size)(function)

        @functools.wraps(function)
        def answer(text: T) -> V:
            if len(text or "") > SHORT:
                return function(text)
            return remembering(text)

        return answer

    return decorate
