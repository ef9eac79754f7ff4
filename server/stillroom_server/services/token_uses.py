"""When tokens were last used: noted in memory by the minute, written now and then."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from stillroom_server.domain.identity import Token

from .backlog import Backlog
from .ports import Database

MINUTE = timedelta(minutes=1)

MAX_NOTED = 10_000
"""Tokens in memory. Uses of more within half a minute are let go: they only inform people."""


class TokenUses:
    """Notes uses of tokens, so that people see which ones nobody needs any more.

    It is asked on every request with a token. A use within the minute that is known already
    costs one look into a dict, without a lock.
    """

    def __init__(self, database: Database, *, limit: int = MAX_NOTED) -> None:
        self._database = database
        self._limit = limit
        self._known_until: dict[str, datetime] = {}
        self._noted: Backlog[str, datetime] = Backlog(max, limit)

    def note(self, token: Token, now: datetime) -> None:
        """Somebody has just used this token, whose `used` may be out of date. Writes nothing."""
        known_until = self._known_until.get(token.id)
        if known_until is None or now >= known_until:
            self._note(token, now.replace(second=0, microsecond=0))

    def _note(self, token: Token, minute: datetime) -> None:
        if len(self._known_until) >= self._limit:
            self._known_until.clear()
        self._known_until[token.id] = minute + MINUTE
        if token.used is None or token.used < minute:
            self._noted.add(token.id, minute)

    def flush(self) -> int:
        """Write down what was noted, in units of its own that take no serial; how many.

        Raises StorageBusy; then what was noted waits for the next time.
        """
        return self._noted.flush(self._write)

    def _write(self, noted: Mapping[str, datetime]) -> None:
        with self._database.writing() as unit:
            unit.tokens.note_uses(noted)
