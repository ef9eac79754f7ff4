"""Adapters under watch: what they are asked to do while a unit of work is open is noted."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from stillroom_server.storage.database import unit_is_open


class Watch:
    """Notes each call of a watched adapter, and separately those inside a unit of work."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.inside: list[str] = []

    def note(self, call: str) -> None:
        self.seen.add(call)
        if unit_is_open():
            self.inside.append(call)

    def over(self, name: str, target: Any) -> Any:
        """The target, watched; so is what it hands out to be used later."""
        return _Watched(self, name, target)

    def calling(self, name: str, function: Any) -> Any:
        """The function, watched."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.note(name)
            return self.result(name, function(*args, **kwargs))

        return watched

    def result(self, name: str, result: Any) -> Any:
        """What a call or an attribute gave: watched if it does its work only when it is used."""
        if isinstance(result, AbstractContextManager) and not hasattr(result, "read"):
            return _WatchedBlock(self, name, result)
        if isinstance(result, Iterator) and not hasattr(result, "read"):
            return self._steps(name, result)
        return result

    def _steps(self, name: str, steps: Iterator[Any]) -> Iterator[Any]:
        for step in steps:
            self.note(f"{name}: next")
            yield step


class _Watched:
    def __init__(self, watch: Watch, name: str, target: Any) -> None:
        self._watch = watch
        self._name = name
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        full = f"{self._name}.{name}"
        if callable(value):
            return self._watch.calling(full, value)
        return self._watch.result(full, value)


class _WatchedBlock(AbstractContextManager[Any]):
    def __init__(self, watch: Watch, name: str, block: AbstractContextManager[Any]) -> None:
        self._watch = watch
        self._name = name
        self._block = block

    def __enter__(self) -> Any:
        self._watch.note(f"{self._name}: begin")
        return self._watch.over(self._name, self._block.__enter__())

    def __exit__(self, *error: Any) -> bool | None:
        self._watch.note(f"{self._name}: end")
        return self._block.__exit__(*error)
