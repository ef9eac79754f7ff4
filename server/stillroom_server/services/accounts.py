"""Who asks: passwords and tokens checked, identities remembered while nothing changes."""

import hashlib
import time
from dataclasses import dataclass, field

from stillroom_server.domain.errors import InvalidRequest, NotAuthenticated
from stillroom_server.domain.identity import Credentials, Identity, Token, User, proof_of
from stillroom_server.domain.names import UserName, user_name

from .caching import SerialCache
from .memberships import Memberships
from .passwords import LIFETIME_SECONDS, Answer, KeyedHash, PasswordGuard
from .ports import Authentication, Clock, Database, PasswordHasher
from .token_uses import TokenUses

TOKEN_PREFIX = "stillroom_"  # noqa: S105 - the prefix of every token, so that scanners find leaks
MAX_SECRET = 4_096
"""Bytes. A longer secret is refused before anything is computed from it."""
WRONG = "Wrong user name, password or token, or the token has expired or was revoked."
"""The one sentence for all credentials that are no good, whatever is wrong with them."""


def token_digest(secret: str) -> bytes:
    """What is stored of a token. It is random and long, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """What the database holds of a name; without a user where nobody has it.

    Names without an account are remembered as others are: or else the time that it takes to look
    one up would tell them apart.
    """

    user: User | None = None

    @property
    def password_hash(self) -> str | None:
        """What a password is compared with; None where none is right."""
        return None if self.user is None else self.user.password_hash


class AccountChecks:
    """Looks up tokens and accounts, and compares passwords with what is on record.

    `serial` is the one that a request began with: what was found at it holds until it moves.
    """

    def __init__(self, database: Database, hasher: PasswordHasher, clock: Clock) -> None:
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._tokens: SerialCache[bytes, Token] = SerialCache(10_000)
        self._records: SerialCache[UserName, AccountRecord] = SerialCache(10_000)

    def serial(self) -> int:
        """The serial now."""
        return self._database.serial()

    def is_live(self, token: Token) -> bool:
        """Whether a token has not expired."""
        return token.expires > self._clock()

    def token(self, credentials: Credentials, serial: int) -> Token | None:
        """The token that was sent; None if it is none of ours, expired, or another user's."""
        if not credentials.secret.startswith(TOKEN_PREFIX):
            return None
        digest = token_digest(credentials.secret)
        token = self._tokens.get(serial, digest)
        if token is None:
            with self._database.reading() as unit:
                token = unit.tokens.by_digest(digest)
            if token is None:
                return None
            self._tokens.put(serial, digest, token)
        if not self.is_live(token):
            return None
        return token if credentials.user in {None, token.user} else None

    def record(self, credentials: Credentials, serial: int) -> AccountRecord:
        """What is on record for the name that was sent."""
        try:
            name = user_name(credentials.user or "")
        except InvalidRequest:
            return AccountRecord()
        record = self._records.get(serial, name)
        if record is None:
            with self._database.reading() as unit:
                record = AccountRecord(unit.users.get(name))
            self._records.put(serial, name, record)
        return record

    def matches(self, record: AccountRecord, password: str) -> bool:
        """Whether a password is the one on record; takes as long where there is none."""
        return self._hasher.verify(record.password_hash, password)


class RequestAccounts:
    """Answers the authentication plugins for one request (the port `Accounts`).

    It notes what it answered about the credentials of the request: `answered`, with the `token`
    where that was one, and whether the hash on record matched. `hash_matches` may be set before,
    where that is remembered.
    """

    def __init__(self, checks: AccountChecks, credentials: Credentials, serial: int) -> None:
        self._checks = checks
        self._credentials = credentials
        self._serial = serial
        self._record: AccountRecord | None = None
        self.hash_matches: bool | None = None
        self.answered: Identity | None = None
        self.token: Token | None = None

    @property
    def record(self) -> AccountRecord:
        """What is on record for the name in the credentials of the request, read once."""
        if self._record is None:
            self._record = self._checks.record(self._credentials, self._serial)
        return self._record

    def by_token(self, credentials: Credentials) -> Identity | None:
        """Who holds the token; None if it is none of ours, expired, or another user's."""
        token = self._checks.token(credentials, self._serial)
        if token is None:
            return None
        identity = Identity(
            user=token.user,
            groups=token.groups,
            limits=token.limits,
            token=token.id,
            expires=token.expires,
        )
        if credentials == self._credentials:
            self.answered, self.token = identity, token
        return identity

    def by_password(self, credentials: Credentials) -> Identity | None:
        """Who has this name and password; None if nobody. As slow for unknown names."""
        if not is_password(credentials):
            return None
        if credentials != self._credentials:
            record = self._checks.record(credentials, self._serial)
            return _owner(record) if self._checks.matches(record, credentials.secret) else None
        if self.hash_matches is None:
            self.hash_matches = self._checks.matches(self.record, credentials.secret)
        self.answered = _owner(self.record) if self.hash_matches else None
        return self.answered


def is_password(credentials: Credentials) -> bool:
    """Whether these are a name and a password, which can be guessed; a token cannot."""
    return credentials.user is not None and not credentials.secret.startswith(TOKEN_PREFIX)


def _owner(record: AccountRecord) -> Identity | None:
    user = record.user
    return None if user is None else Identity(user=user.name, proof=proof_of(user))


@dataclass(frozen=True, slots=True)
class _Known:
    """Whose credentials some are, and until which monotonic time that is remembered."""

    identity: Identity
    until: float
    token: Token | None = field(repr=False)


class Authenticator:
    """Turns the credentials of a request into an identity, by asking the plugins.

    What `Accounts` found is remembered, under a keyed hash of the credentials, for as long as
    nothing changes and for five minutes at most. What plugins know by themselves may change
    without our notice; they are asked each time.
    """

    def __init__(
        self,
        authentication: Authentication,
        checks: AccountChecks,
        guard: PasswordGuard,
        memberships: Memberships,
        uses: TokenUses,
        clock: Clock,
    ) -> None:
        self._authentication = authentication
        self._checks = checks
        self._guard = guard
        self._memberships = memberships
        self._uses = uses
        self._clock = clock
        self._hash = KeyedHash()
        self._known: SerialCache[bytes, _Known] = SerialCache(10_000)

    def identify(self, credentials: Credentials | None, serial: int | None = None) -> Identity:
        """Who asks; the anonymous identity where nothing was sent.

        `serial` is the one that the request began with; it is read where None is given. Raises
        NotAuthenticated if something was sent and it is wrong, with no hint at what,
        TooManyAttempts if too many passwords were wrong for one more to be checked, and Trouble
        if it cannot be told now who this is, or in which groups.
        """
        if credentials is None:
            return Identity()
        if len(credentials.secret.encode(errors="surrogatepass")) > MAX_SECRET:
            raise NotAuthenticated(WRONG)
        if serial is None:
            serial = self._checks.serial()
        key = self._hash(credentials.user, credentials.secret)
        known = self._known.get(serial, key)
        if known is None or not self._holds(known):
            known = self._found(credentials, serial, key)
        if known.token is not None:
            self._uses.note(known.token, self._clock())
        return self._memberships.completed(known.identity, serial)

    def _holds(self, known: _Known) -> bool:
        if time.monotonic() >= known.until:
            return False
        return known.token is None or self._checks.is_live(known.token)

    def _found(self, credentials: Credentials, serial: int, key: bytes) -> _Known:
        accounts = RequestAccounts(self._checks, credentials, serial)
        if is_password(credentials):
            identity, until = self._by_password(accounts, credentials)
        else:
            identity = self._authentication.authenticate(credentials, accounts)
            until = time.monotonic() + LIFETIME_SECONDS
        if identity is None:
            raise NotAuthenticated(WRONG)
        known = _Known(identity, until, accounts.token)
        if identity is accounts.answered:
            self._known.put(serial, key, known)
        return known

    def _by_password(
        self, accounts: RequestAccounts, credentials: Credentials
    ) -> tuple[Identity | None, float]:
        def ask(*, hash_matches: bool) -> Answer:
            accounts.hash_matches = hash_matches or None
            identity = self._authentication.authenticate(credentials, accounts)
            return Answer(identity, hash_matched=bool(accounts.hash_matches))

        checked = self._guard.check(credentials, accounts.record.password_hash, ask)
        return checked.answer.identity, checked.until
