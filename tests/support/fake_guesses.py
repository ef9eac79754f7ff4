"""Guesses of passwords in memory; see `support.fakes`."""

import itertools
from collections.abc import Callable
from datetime import datetime

from stillroom_server.services.ports import GuessCounts

from .fake_repositories import Repository

_ids = itertools.count(1)


class FakePasswordGuesses(Repository):
    def counts(self, user: str, address: str, after: datetime) -> GuessCounts:
        recent = [guess for guess in self._tables.guesses.values() if guess[2] > after]
        of_user = [at for name, _address, at in recent if name == user]
        of_address = [at for _name, source, at in recent if source == address]
        groups = (of_user, of_address, [at for _name, _address, at in recent])
        return GuessCounts(*map(len, groups), *(min(group, default=None) for group in groups))

    def add(self, user: str, address: str, at: datetime) -> int:
        guess_id = next(_ids)
        self._to_write.guesses[guess_id] = (user, address, at)
        return guess_id

    def delete(self, guess_id: int) -> None:
        self._to_write.guesses.pop(guess_id, None)

    def forget(self, user: str) -> int:
        return self._delete(lambda name, _at: name == user)

    def delete_before(self, at: datetime) -> int:
        return self._delete(lambda _name, made: made <= at)

    def _delete(self, matches: Callable[[str, datetime], bool]) -> int:
        guesses = self._to_write.guesses
        gone = [key for key, (name, _address, at) in guesses.items() if matches(name, at)]
        for guess_id in gone:
            del guesses[guess_id]
        return len(gone)
