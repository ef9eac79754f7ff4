"""Who asks: passwords and tokens checked, identities remembered while nothing changes."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict

from stillroom_server.domain.errors import InvalidRequest, NotAuthenticated
from stillroom_server.domain.identity import Credentials, Identity, Token, User
from stillroom_server.domain.names import UserName, user_name

from .caching import SerialCache, SingleFlight
from .ports import Authentication, Clock, Database, PasswordHasher

TOKEN_PREFIX = "stillroom_"  # noqa: S105 - the prefix of every token, so that scanners find leaks
MAX_SECRET = 4_096
"""Bytes. A longer secret is refused before anything is computed from it."""


def token_digest(secret: str) -> bytes:
    """What is stored of a token. It is random and long, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


class PasswordMemory:
    """Remembers verified passwords for a while, under a key that never leaves the process.

    The hash on record is part of what is remembered: a changed password is unknown at once.
    Equal checks in flight are joined, because installers send the password with every request.
    """

    def __init__(
        self, hasher: PasswordHasher, *, lifetime: float = 300.0, size: int = 10_000
    ) -> None:
        self._hasher = hasher
        self._lifetime = lifetime
        self._size = size
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._checks: SingleFlight[bytes, bool] = SingleFlight()

    def verify(self, name: str, password_hash: str | None, password: str) -> bool:
        """Whether the password matches the hash; None stands for a user that does not exist."""
        # `repr` keeps the three apart, whatever they hold.
        key = hmac.digest(self._key, repr((name, password_hash, password)).encode(), "sha256")
        if self._is_remembered(key):
            return True
        matches = self._checks.run(key, lambda: self._hasher.verify(password_hash, password))
        if matches:
            self._remember(key)
        return matches

    def _is_remembered(self, key: bytes) -> bool:
        with self._lock:
            until = self._verified.get(key)
            return until is not None and time.monotonic() < until

    def _remember(self, key: bytes) -> None:
        with self._lock:
            self._verified[key] = time.monotonic() + self._lifetime
            self._verified.move_to_end(key)
            while len(self._verified) > self._size:
                self._verified.popitem(last=False)


class AccountChecks:
    """Answers the authentication plugins: whose token, whose password (the port `Accounts`)."""

    def __init__(self, database: Database, memory: PasswordMemory, clock: Clock) -> None:
        self._database = database
        self._memory = memory
        self._clock = clock
        self._tokens: SerialCache[bytes, Token] = SerialCache(10_000)
        self._users: SerialCache[UserName, User] = SerialCache(10_000)

    def by_token(self, credentials: Credentials) -> Identity | None:
        """Who holds the token; None if it is none of ours, expired, or another user's."""
        if not credentials.secret.startswith(TOKEN_PREFIX):
            return None
        token = self._token(token_digest(credentials.secret))
        if token is None or token.expires <= self._clock():
            return None
        if credentials.user is not None and credentials.user != token.user:
            return None
        return Identity(
            user=token.user,
            groups=token.groups,
            limits=token.limits,
            token=token.id,
            expires=token.expires,
        )

    def by_password(self, credentials: Credentials) -> Identity | None:
        """Who has this name and password; None if nobody. As slow for unknown names."""
        if credentials.user is None or credentials.secret.startswith(TOKEN_PREFIX):
            return None
        user = self._user(credentials.user)
        password_hash = user.password_hash if user else None
        if not self._memory.verify(credentials.user, password_hash, credentials.secret):
            return None
        assert user is not None
        return Identity(user=user.name)

    def _token(self, digest: bytes) -> Token | None:
        serial = self._database.serial()
        token = self._tokens.get(serial, digest)
        if token is None:
            with self._database.reading() as unit:
                token = unit.tokens.by_digest(digest)
            if token is not None:
                self._tokens.put(serial, digest, token)
        return token

    def _user(self, text: str) -> User | None:
        try:
            name = user_name(text)
        except InvalidRequest:
            return None
        serial = self._database.serial()
        user = self._users.get(serial, name)
        if user is None:
            with self._database.reading() as unit:
                user = unit.users.get(name)
            if user is not None:
                self._users.put(serial, name, user)
        return user


class Authenticator:
    """Turns the credentials of a request into an identity, by asking the plugins."""

    def __init__(self, authentication: Authentication, accounts: AccountChecks) -> None:
        self._authentication = authentication
        self._accounts = accounts

    def identify(self, credentials: Credentials | None) -> Identity:
        """Who asks; the anonymous identity where nothing was sent.

        Raises NotAuthenticated if something was sent and it is wrong, with no hint at what.
        """
        if credentials is None:
            return Identity()
        if len(credentials.secret.encode(errors="surrogatepass")) > MAX_SECRET:
            raise NotAuthenticated("The password or token is longer than any that is given out.")
        identity = self._authentication.authenticate(credentials, self._accounts)
        if identity is None:
            raise NotAuthenticated(
                "Wrong user name, password or token, or the token has expired or was revoked."
            )
        return identity
