"""Passwords and tokens, which never print themselves."""

from dataclasses import dataclass, field

MASK = "****"


@dataclass(frozen=True, slots=True)
class Secret:
    """A password or token. Only `reveal` gives it away; text and repr show a mask."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The secret itself, for the one place that sends or stores it."""
        return self._value

    def __str__(self) -> str:
        return MASK
