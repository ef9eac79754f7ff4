"""What somebody outside can tell two requests apart by: the answers, and what they cost us."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from .servers import QuickHasher
from .site import Site

UNLIKE_BY_CHANCE = frozenset({b"date", b"x-request-id"})
"""Headers that differ between two answers to the same request."""


@dataclass(frozen=True)
class Seen:
    """An answer as its reader sees it: status, reason phrase, all headers in order, and body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def of(cls, answer: httpx.Response, names: Mapping[str, str] | None = None) -> "Seen":
        """What was seen, where what the request itself named is replaced: `names` by what.

        With names the length of the body is not looked at, as a longer name makes it longer.
        """

        def plain(text: bytes) -> str:
            said = text.decode("latin-1")
            for name in sorted(names or (), key=len, reverse=True):
                said = said.replace(name, names[name])
            return said

        unlike = UNLIKE_BY_CHANCE | (set() if names is None else {b"content-length"})
        return cls(
            answer.status_code,
            plain(answer.extensions["reason_phrase"]),
            tuple(
                (key.decode(), plain(value))
                for key, value in answer.headers.raw
                if key.lower() not in unlike
            ),
            plain(answer.content),
        )


@dataclass
class Cost:
    """What one request made the server do, which its reader can tell by the time it takes."""

    statements: list[str] = field(default_factory=list)
    serials: int = 0
    hashes: int = 0

    @property
    def counted(self) -> Mapping[str, int]:
        """The number of SQL statements, of serials that were read, and of password checks."""
        return {
            "statements": len(self.statements),
            "serials": self.serials,
            "hashes": self.hashes,
        }


class Observer:
    """Counts what the requests of this thread cost a site."""

    def __init__(self, site: Site, patch: pytest.MonkeyPatch) -> None:
        self._site = site
        self._thread = threading.get_ident()
        self._cost = Cost()
        self._moves = 0
        self._count_serials(patch)
        self._count_hashes(patch)

    @contextmanager
    def counting(self) -> Iterator[Cost]:
        """What happens in the block."""
        engine = self._site.database._engine
        event.listen(engine, "before_cursor_execute", self._note)
        self._cost = cost = Cost()
        try:
            yield cost
        finally:
            self._cost = Cost()
            event.remove(engine, "before_cursor_execute", self._note)

    def make_cold(self) -> None:
        """Move the serial: what was remembered of the database holds no longer."""
        self._moves += 1
        answer = self._site.root.patch("/root", json={"title": f"move {self._moves}"})
        assert answer.status_code == 200, answer.text

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == self._thread:
            self._cost.statements.append(statement)

    def _count_serials(self, patch: pytest.MonkeyPatch) -> None:
        read = self._site.database.serial

        def counted() -> int:
            if threading.get_ident() == self._thread:
                self._cost.serials += 1
            return read()

        patch.setattr(self._site.database, "serial", counted)

    def _count_hashes(self, patch: pytest.MonkeyPatch) -> None:
        verify = QuickHasher.verify

        def counted(hasher: QuickHasher, password_hash: str | None, password: str) -> bool:
            if threading.get_ident() == self._thread:
                self._cost.hashes += 1
            return verify(hasher, password_hash, password)

        patch.setattr(QuickHasher, "verify", counted)
