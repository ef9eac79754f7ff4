"""Tokens: rows that are random, hashed, limited, expiring and revocable."""

import logging
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from stillroom_server.domain.errors import Forbidden, InvalidRequest, NotAuthenticated, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Credentials, Identity, Token, TokenKind, TokenLimits
from stillroom_server.domain.names import IndexName, UserName

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
        return self.issue_login(identity)

    def issue_login(self, identity: Identity) -> IssuedToken:
        """Make the token of a login, good for all that its user may do; raises as `issue`."""
        return self.issue(identity, TokenKind.LOGIN, None, self.login_seconds, "login")

    def create(
        self,
        identity: Identity,
        user: UserName,
        limits: TokenLimits | None,
        seconds: int,
        note: str,
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
        return self.issue(identity, TokenKind.MADE, limits, seconds, note)

    def issue(
        self,
        identity: Identity,
        kind: TokenKind,
        limits: TokenLimits | None,
        seconds: int,
        note: str,
        *,
        publisher: str | None = None,
    ) -> IssuedToken:
        """Make a token for whom the identity is, without asking whether they may.

        Raises NotFound for a missing index, Forbidden for somebody whom only a plugin knows.
        """
        user = identity.user
        assert user is not None
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = self._clock()
        token = Token(
            id=secrets.token_hex(6),
            user=user,
            digest=token_digest(secret),
            kind=kind,
            limits=limits,
            created=now,
            expires=now + timedelta(seconds=seconds),
            note=note,
            groups=identity.groups if kind is TokenKind.LOGIN else frozenset(),
            publisher=publisher,
        )
        with self._database.writing() as unit:
            if unit.users.get(user) is None:
                raise Forbidden(
                    f"Not allowed: {user} has no account here, and only accounts have tokens; "
                    "root creates it."
                )
            missing = [str(name) for name in _named(limits) if unit.indexes.get(name) is None]
            if missing:
                raise NotFound(f"There is no index {', '.join(missing)}.")
            unit.tokens.delete_expired(now)
            unit.tokens.add(token)
            details = {"id": token.id, "kind": kind.value}
            unit.journal.record(
                Event.by(identity, EventKind.TOKEN_CREATED, user=user, details=details)
            )
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
                Event.by(identity, EventKind.TOKEN_REVOKED, user=user, details={"id": token_id})
            )

    def revoke_current(self, identity: Identity, user: str) -> None:
        """End the token that the request is made with; Forbidden if that is none of the user."""
        if identity.user is None or identity.user != user or identity.token is None:
            raise Forbidden(f"Not allowed: this request is not made with a token of {user}.")
        self.revoke(identity, identity.user, identity.token)


def _named(limits: TokenLimits | None) -> list[IndexName]:
    """The indexes that limits name, sorted."""
    grants = () if limits is None else limits.grants
    return sorted({name for grant in grants for name in grant.indexes or ()})
