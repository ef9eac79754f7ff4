"""How many passwords may be wrong: noted before they are checked, counted in the database."""

import hashlib
import ipaddress
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from stillroom_server.domain.errors import InvalidRequest, TooManyAttempts, Trouble
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import COMMAND_LINE
from stillroom_server.domain.names import UserName, user_name

from .ports import Clock, Database, GuessCounts, Unit

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """How many passwords may be wrong within the `window` that ends now.

    For one user name, from one address, and in all.
    """

    per_user: int
    per_address: int
    in_all: int
    window: timedelta


class Guesses:
    """Lets a password be checked, or refuses to.

    A guess is a row before anything is hashed, and is taken back when it was right: so no more
    guesses are under way at the same moment than may be wrong, in all processes together.
    """

    def __init__(self, database: Database, clock: Clock, limits: GuessLimits) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    def begin(self, user: str, address: str | None) -> int:
        """Note that a password is about to be checked; the id of the guess.

        `user` is what the client said, whether there is such a user or not. Raises
        TooManyAttempts if too many were wrong; StorageBusy if that cannot be found out.
        """
        name, source = noted_name(user), noted_source(address)
        now = self._clock()
        # Refused without a write: a flood of guesses must not hold up those who change something.
        with self._database.reading() as unit:
            self._check(unit, name, source, now)
        with self._database.writing() as unit:
            self._check(unit, name, source, now)
            unit.guesses.delete_before(now - self._limits.window)
            return unit.guesses.add(name, source, now)

    def take_back(self, guess: int) -> None:
        """It was right, or could not be checked.

        Where that cannot be written down now, it counts on to the end of the window.
        """
        try:
            with self._database.writing() as unit:
                unit.guesses.delete(guess)
        except Trouble as trouble:
            log.warning("a password that was not wrong counts as a guess: %s", trouble)

    def unlock(self, user: str) -> int:
        """Forget what stands against the name of a user; how many guesses that were.

        Only the command line of the server does so.
        """
        name = noted_name(user)
        with self._database.writing() as unit:
            forgotten = unit.guesses.forget(name)
            if forgotten:
                kind, details = EventKind.USER_UNLOCKED, {"guesses": forgotten}
                event = Event.by(COMMAND_LINE, kind, user=UserName(name), details=details)
                unit.journal.record(event)
        return forgotten

    def _check(self, unit: Unit, name: str, source: str, now: datetime) -> None:
        after = now - self._limits.window
        ends = [
            oldest + self._limits.window
            for oldest in self._too_many(unit.guesses.counts(name, source, after))
        ]
        if ends:
            seconds = max(1, math.ceil((max(ends) - now).total_seconds()))
            raise TooManyAttempts(
                f"Too many wrong passwords were sent; try again in {seconds} seconds, or use a "
                "token, which works meanwhile.",
                retry_after=seconds,
            )

    def _too_many(self, counts: GuessCounts) -> list[datetime]:
        """The oldest guess of each limit that is reached."""
        limits = self._limits
        counted = (
            (counts.user, limits.per_user, counts.oldest_of_user),
            (counts.address, limits.per_address, counts.oldest_of_address),
            (counts.everybody, limits.in_all, counts.oldest),
        )
        return [oldest for number, limit, oldest in counted if oldest and number >= limit]


def noted_name(user: str) -> str:
    """What stands in the rows for a name that a client sent; short, and fit for a database.

    Names that no account can have may yet be known to a plugin.
    """
    try:
        return user_name(user)
    except InvalidRequest:
        digest = hashlib.sha256(user.encode(errors="surrogatepass"))
        return f"sha256:{digest.hexdigest()}"


def noted_source(address: str | None) -> str:
    """Whom an address stands for: itself, or the /64 that an IPv6 client can choose from."""
    if address is None:
        return ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
