"""When tokens were last used: noted in memory by the minute, written now and then, all at once."""

import threading
from datetime import datetime, timedelta

from stillroom_server.domain.identity import Token

from .ports import Database

MINUTE = timedelta(minutes=1)

MAX_NOTED = 10_000
"""Tokens in memory. Uses of more within half a minute are let go: they only inform people."""


class TokenUses:
    """Notes uses of tokens, so that people see which ones nobody needs any more.

    It is asked on every request with a token. A use within the minute that is known already
    costs one look into a dict, without a lock.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known_until: dict[str, datetime] = {}
        self._noted: dict[str, datetime] = {}

    def note(self, token: Token, now: datetime) -> None:
        """Somebody has just used this token, whose `used` may be out of date. Writes nothing."""
        known_until = self._known_until.get(token.id)
        if known_until is None or now >= known_until:
            self._note(token, now.replace(second=0, microsecond=0))

    def _note(self, token: Token, minute: datetime) -> None:
        with self._lock:
            if len(self._known_until) >= MAX_NOTED:
                self._known_until.clear()
            self._known_until[token.id] = minute + MINUTE
            is_stored = token.used is not None and token.used >= minute
            if not is_stored and (token.id in self._noted or len(self._noted) < MAX_NOTED):
                self._noted[token.id] = minute

    def flush(self) -> int:
        """Write down what was noted, in a unit of its own that takes no serial; how many.

        Raises StorageBusy; then what was noted waits for the next time.
        """
        with self._lock:
            noted = dict(self._noted)
        if not noted:
            return 0
        with self._database.writing() as unit:
            unit.tokens.note_uses(noted)
        with self._lock:
            for token_id, minute in noted.items():
                if self._noted.get(token_id) == minute:
                    del self._noted[token_id]
        return len(noted)
