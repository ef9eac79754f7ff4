"""What is remembered of passwords, and the guard that stands before each check of one."""

import enum
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from stillroom_server.domain.errors import NotAuthenticated
from stillroom_server.domain.identity import Credentials, Identity

from .caching import SingleFlight
from .guesses import Guesses
from .ports import PasswordHasher

LIFETIME_SECONDS = 300.0
"""For how long it is remembered whether a password was right."""


class Outcome(enum.Enum):
    """What came of the check of a password."""

    WRONG = enum.auto()
    HASH_MATCHED = enum.auto()
    """It is the one whose hash is on record."""
    VOUCHED = enum.auto()
    """A plugin said who it is, by what it knows itself."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """An outcome, and the monotonic time until which it is remembered."""

    outcome: Outcome
    until: float


class KeyedHash:
    """Hashes texts under a key that never leaves the process, so that they need not be kept."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __call__(self, *texts: str | None) -> bytes:
        """What stands for these texts in this order."""
        # `repr` keeps them apart, whatever they hold.
        return hmac.digest(self._key, repr(texts).encode(), "sha256")


class PasswordMemory:
    """Remembers for a while what came of checks."""

    def __init__(self, *, lifetime: float = LIFETIME_SECONDS, size: int = 10_000) -> None:
        self._lifetime = lifetime
        self._size = size
        self._lock = threading.Lock()
        self._outcomes: OrderedDict[bytes, Remembered] = OrderedDict()

    def recall(self, key: bytes) -> Remembered | None:
        """What came of it, if that is not too long ago."""
        with self._lock:
            remembered = self._outcomes.get(key)
        if remembered is None or time.monotonic() >= remembered.until:
            return None
        return remembered

    def remember(self, key: bytes, outcome: Outcome) -> Remembered:
        """Note what came of it just now."""
        remembered = Remembered(outcome, time.monotonic() + self._lifetime)
        with self._lock:
            self._outcomes[key] = remembered
            self._outcomes.move_to_end(key)
            while len(self._outcomes) > self._size:
                self._outcomes.popitem(last=False)
        return remembered

    def forget(self, key: bytes) -> None:
        """It holds no longer."""
        with self._lock:
            self._outcomes.pop(key, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the plugins say of a password: who it is, and whether the hash on record matched."""

    identity: Identity | None
    hash_matched: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer, and until when it is remembered; the time means nothing for a wrong password."""

    answer: Answer
    until: float = 0.0


class Question(Protocol):
    """Asks the plugins; `hash_matches` tells that the hash on record is known to match."""

    def __call__(self, *, hash_matches: bool) -> Answer:
        """Who it is, and what was found out on the way."""


class PasswordGuard:
    """Stands before every check of a password, whichever plugin makes it.

    A check that was made is remembered for five minutes. What is right goes on then, whatever
    the limits of guesses say; what is wrong is refused and is no new guess. The hash on record is
    part of what is remembered, so that a changed password is unknown at once. Equal checks in
    flight are joined, because installers send the password with every request.
    """

    def __init__(self, memory: PasswordMemory, guesses: Guesses, hasher: PasswordHasher) -> None:
        self._memory = memory
        self._guesses = guesses
        self._hasher = hasher
        self._hash = KeyedHash()
        self._checks: SingleFlight[bytes, Checked] = SingleFlight()

    def check(self, credentials: Credentials, password_hash: str | None, ask: Question) -> Checked:
        """Ask whose name and password these are, unless that is remembered.

        `password_hash` is the one on record, None where there is none. Raises TooManyAttempts in
        place of asking, Overloaded where too many are asked already, and what `ask` raises.
        """
        assert credentials.user is not None
        key = self._hash(credentials.user, password_hash, credentials.secret)
        known = self._memory.recall(key)
        if known is None:
            return self._checks.run(key, lambda: self._placed(key, credentials, ask))
        if known.outcome is Outcome.WRONG:
            return Checked(Answer(None))
        answer = ask(hash_matches=known.outcome is Outcome.HASH_MATCHED)
        if answer.identity is None:
            self._memory.forget(key)
        return Checked(answer, known.until)

    def _placed(self, key: bytes, credentials: Credentials, ask: Question) -> Checked:
        # Whoever is sent away for want of a place must not have cost a write.
        with self._hasher.place():
            return self._first(key, credentials, ask)

    def _first(self, key: bytes, credentials: Credentials, ask: Question) -> Checked:
        assert credentials.user is not None
        guess = self._guesses.begin(credentials.user, credentials.address)
        try:
            answer = ask(hash_matches=False)
        except NotAuthenticated:
            self._memory.remember(key, Outcome.WRONG)
            raise
        except BaseException:
            self._guesses.take_back(guess)
            raise
        if answer.identity is None:
            return Checked(answer, self._memory.remember(key, Outcome.WRONG).until)
        self._guesses.take_back(guess)
        outcome = Outcome.HASH_MATCHED if answer.hash_matched else Outcome.VOUCHED
        return Checked(answer, self._memory.remember(key, outcome).until)
