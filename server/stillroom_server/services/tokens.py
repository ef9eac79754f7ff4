"""Tokens: rows that are random, hashed, limited, expiring and revocable."""

import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Credentials, Identity, Token, TokenLimits
from stillroom_server.domain.names import UserName

from .accounts import TOKEN_PREFIX, Authenticator, token_digest
from .ports import Clock, Database

log = logging.getLogger(__name__)

MAX_LIFETIME = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token, with the secret that is told this once. `seconds` is its lifetime."""

    token: Token
    secret: str = field(repr=False)
    seconds: int


class TokenService:
    """Login, and the tokens that a user holds."""

    def __init__(
        self, database: Database, authenticator: Authenticator, clock: Clock, *, login_seconds: int
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._clock = clock
        self.login_seconds = login_seconds

    def login(self, user: str, password: str) -> IssuedToken:
        """Exchange a password for a token.

        Raises NotAuthenticated for a wrong password and an unknown user alike. A token does not
        log in: it would prolong itself for ever.
        """
        if password.startswith(TOKEN_PREFIX):
            raise NotAuthenticated("Log in with a password, not with a token.")
        try:
            identity = self._authenticator.identify(Credentials(user=user, secret=password))
        except NotAuthenticated:
            log.warning("login refused for %r", user[:80])
            raise
        assert identity.user is not None
        return self.issue(identity.user, TokenLimits(), self.login_seconds, "login")

    def create(
        self, identity: Identity, user: UserName, limits: TokenLimits, seconds: int, note: str
    ) -> IssuedToken:
        """Make a token for oneself, with no more rights than one has now.

        Raises Forbidden for another's token, or for limits wider than those of the token that
        asks; InvalidRequest for a lifetime under a second or over 366 days; NotFound for an
        index that does not exist.
        """
        if identity.user != user:
            raise Forbidden("Not allowed: a token can only be made by its own user.")
        if not 0 < seconds <= MAX_LIFETIME.total_seconds():
            raise InvalidRequest.one("expires_in", "use 1 second to 366 days, in seconds")
        if identity.limits is not None and not identity.limits.covers(limits):
            raise Forbidden("Not allowed: the new token would reach further than the one in use.")
        return self.issue(user, limits, seconds, note)

    def issue(self, user: UserName, limits: TokenLimits, seconds: int, note: str) -> IssuedToken:
        """Make a token without asking who wants it.

        Raises NotFound for a missing index, Forbidden for somebody whom only a plugin knows.
        """
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self._clock()
        token = Token(
            id=secrets.token_hex(6),
            user=user,
            digest=token_digest(secret),
            limits=limits,
            created=now,
            expires=now + timedelta(seconds=seconds),
            note=note,
        )
        with self._database.writing() as unit:
            if unit.users.get(user) is None:
                raise Forbidden(
                    f"Not allowed: {user} has no account here, and only accounts have tokens; "
                    "root creates it."
                )
            missing = [str(i) for i in sorted(limits.indexes or ()) if unit.indexes.get(i) is None]
            if missing:
                raise NotFound(f"There is no index {', '.join(missing)}.")
            unit.tokens.delete_expired(now)
            unit.tokens.add(token)
            event = Event(EventKind.TOKEN_CREATED, user, user=user, details={"id": token.id})
            unit.journal.record(event)
        return IssuedToken(token, secret, seconds)

    def of_user(self, user: UserName) -> list[Token]:
        """The tokens of a user that have not expired."""
        now = self._clock()
        with self._database.reading() as unit:
            return [token for token in unit.tokens.of_user(user) if token.expires > now]

    def revoke(self, identity: Identity, user: UserName, token_id: str) -> None:
        """End a token now; raises NotFound if the user has none of that id."""
        with self._database.writing() as unit:
            if not unit.tokens.delete(user, token_id):
                raise NotFound(f"{user} has no token {token_id!r}.")
            unit.journal.record(
                Event(EventKind.TOKEN_REVOKED, identity.user, user=user, details={"id": token_id})
            )

    def revoke_current(self, identity: Identity, user: str) -> None:
        """End the token that the request is made with; Forbidden if that is none of the user."""
        if identity.user is None or identity.user != user or identity.token is None:
            raise Forbidden(f"Not allowed: this request is not made with a token of {user}.")
        self.revoke(identity, identity.user, identity.token)
