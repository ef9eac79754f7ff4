"""Tokens: rows that are random, hashed, limited, expiring and revocable."""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from stillroom_server.domain.access import Permission, granters, has_any_right, limits_verdict
from stillroom_server.domain.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import (
    NOBODY,
    Credentials,
    Identity,
    Token,
    TokenKind,
    TokenLimits,
)
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.domain.publishing import Publisher

from .accounts import TOKEN_PREFIX, Authenticator, token_digest
from .changes import changing
from .ports import Clock, Database, Unit

log = logging.getLogger(__name__)

MAX_LIFETIME = timedelta(days=366)
_LIFETIMES = (
    f"use 1 to {MAX_LIFETIME.total_seconds():.0f} seconds, which is {MAX_LIFETIME.days} days"
)
MAX_TOKENS = 500
"""Live tokens of one kind that a user may have."""


@dataclass(frozen=True, slots=True)
class FreshSecret:
    """A secret that no token has yet, and its digest: made before a unit of work begins."""

    text: str = field(repr=False)
    digest: bytes = field(repr=False)


def fresh_secret() -> FreshSecret:
    """A new one, random."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    return FreshSecret(secret, token_digest(secret))


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

    def login(self, user: str, password: str, origin: Identity = NOBODY) -> IssuedToken:
        """Exchange a password for a token; `origin` says from where.

        Raises NotAuthenticated for a wrong password and an unknown user alike. A token does not
        log in: it would prolong itself for ever.
        """
        if password.startswith(TOKEN_PREFIX):
            raise NotAuthenticated("Log in with a password, not with a token.")
        try:
            identity = self._authenticator.identify(Credentials(user, password, origin.address))
        except NotAuthenticated:
            log.warning("login refused for %r", user[:80])
            raise
        return self.issue_login(identity.from_where(origin))

    def issue_login(self, identity: Identity) -> IssuedToken:
        """Make the token of a login, good for all that its user may do; raises as `issue_in`."""
        fresh, seconds = fresh_secret(), self.login_seconds
        with changing(self._database, identity) as unit:
            return self.issue_in(unit, fresh, identity, TokenKind.LOGIN, None, seconds, "login")

    def create(
        self,
        identity: Identity,
        user: UserName,
        limits: TokenLimits | None,
        seconds: int,
        note: str,
    ) -> IssuedToken:
        """Make a token for oneself, with no more rights than one has now.

        Raises Forbidden for another's token, for an index in which its user has no right at all,
        and where the token that asks does not reach as far or as long, or comes from a trusted
        publisher; InvalidRequest for a lifetime under a second or over 366 days; NotFound for an
        index that does not exist; Conflict if there are too many already.
        """
        if identity.user != user:
            raise Forbidden("Not allowed: a token can only be made by its own user.")
        if not 0 < seconds <= MAX_LIFETIME.total_seconds():
            raise InvalidRequest.one("expires_in", _LIFETIMES)
        verdict = limits_verdict(identity.limits, Permission.TOKENS, None)
        if not verdict:
            raise Forbidden(f"Not allowed: {verdict.reason}.")
        if identity.limits is not None and not identity.limits.covers(limits):
            raise Forbidden("Not allowed: the new token would reach further than the one in use.")
        issued = self._new(fresh_secret(), identity, TokenKind.MADE, limits, seconds, note)
        with changing(self._database, identity) as unit:
            _check_maker(unit, identity, issued.token)
            _check_indexes(unit, limits, lambda index: has_any_right(identity, index))
            self._add(unit, identity, issued.token)
        return issued

    def issue_in(
        self,
        unit: Unit,
        fresh: FreshSecret,
        identity: Identity,
        kind: TokenKind,
        limits: TokenLimits | None,
        seconds: int,
        note: str,
        *,
        publisher: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> IssuedToken:
        """Make a token for whom the identity is, without asking whether they may.

        What led to it is recorded among the `details` of the event. Raises NotFound for a missing
        index, Forbidden for somebody whom only a plugin knows, Conflict if there are too many
        already. Of too many logins, the oldest ends.
        """
        issued = self._new(fresh, identity, kind, limits, seconds, note, publisher)
        _check_indexes(unit, limits, lambda _index: True)
        self._add(unit, identity, issued.token, details)
        return issued

    def _new(
        self,
        fresh: FreshSecret,
        identity: Identity,
        kind: TokenKind,
        limits: TokenLimits | None,
        seconds: int,
        note: str,
        publisher: str | None = None,
    ) -> IssuedToken:
        assert identity.user is not None
        now = self._clock()
        token = Token(
            id=secrets.token_hex(6),
            user=identity.user,
            digest=fresh.digest,
            kind=kind,
            limits=limits,
            created=now,
            expires=now + timedelta(seconds=seconds),
            note=note,
            groups=identity.groups if kind is TokenKind.LOGIN else frozenset(),
            publisher=publisher,
        )
        return IssuedToken(token, fresh.text, seconds)

    def _add(
        self,
        unit: Unit,
        identity: Identity,
        token: Token,
        more: Mapping[str, object] | None = None,
    ) -> None:
        if unit.users.get(token.user) is None:
            raise Forbidden(
                f"Not allowed: {token.user} has no account here, and only accounts have tokens; "
                "root creates it."
            )
        unit.tokens.delete_expired(token.created)
        _make_room(unit, identity, token)
        unit.tokens.add(token)
        details = {
            "id": token.id,
            "kind": token.kind.value,
            "limits": told(token.limits),
            "expires": token.expires.isoformat(),
            **(more or {}),
        }
        unit.journal.record(
            Event.by(identity, EventKind.TOKEN_CREATED, user=token.user, details=details)
        )

    def in_use(self, identity: Identity, user: str) -> Token:
        """The token that the request is made with; Forbidden if that is none of the user."""
        if identity.user is None or identity.user != user or identity.token is None:
            raise Forbidden(f"Not allowed: this request is not made with a token of {user}.")
        with self._database.reading() as unit:
            return _existing(unit, identity.user, identity.token)

    def of_user(self, user: UserName) -> list[Token]:
        """The tokens of a user that have not expired; raises NotFound if there is no such user."""
        now = self._clock()
        with self._database.reading() as unit:
            if unit.users.get(user) is None:
                raise NotFound(f"There is no user {user}.")
            return [token for token in unit.tokens.of_user(user) if token.expires > now]

    def revoke(self, identity: Identity, user: UserName, token_id: str) -> None:
        """End a token now; raises NotFound if the user has none of that id."""
        with changing(self._database, identity) as unit:
            _revoke(unit, identity, _existing(unit, user, token_id))

    def revoke_in_use(self, identity: Identity, user: str) -> None:
        """End the token that the request is made with; Forbidden if that is none of the user."""
        token = self.in_use(identity, user)
        self.revoke(identity, token.user, token.id)


def forget_index(unit: Unit, identity: Identity, name: IndexName) -> None:
    """Let no token reach an index that is gone, nor another one that gets its name later.

    A token that is good for nothing else ends. What else one reaches is not told with the index,
    whose audit is not only for its user.
    """
    for token in unit.tokens.naming(name):
        assert token.limits is not None
        left = token.limits.without(name)
        if not left.grants:
            _revoke(unit, identity, token, index=name)
            continue
        unit.tokens.limit(token, left)
        kind, details = EventKind.TOKEN_CHANGED, {"id": token.id}
        unit.journal.record(Event.by(identity, kind, user=token.user, index=name, details=details))


def forget_publisher(unit: Unit, identity: Identity, publisher: Publisher) -> None:
    """End the tokens that were made for a trusted publisher which is gone."""
    for token in unit.tokens.made_for(publisher.id):
        _revoke(unit, identity, token, index=publisher.index)


def told(limits: TokenLimits | None) -> list[dict[str, object]] | None:
    """Limits as JSON values: what each grant allows, in which indexes, on which projects.

    None stands for all: in the place of the whole, and of indexes and projects.
    """
    if limits is None:
        return None
    return [
        {
            "allow": sorted(grant.actions),
            "indexes": None if grant.indexes is None else sorted(map(str, grant.indexes)),
            "projects": None if grant.projects is None else sorted(grant.projects),
        }
        for grant in limits.grants
    ]


def _existing(unit: Unit, user: UserName, token_id: str) -> Token:
    token = unit.tokens.get(user, token_id)
    if token is None:
        raise NotFound(f"{user} has no token {token_id!r}.")
    return token


def _revoke(
    unit: Unit, identity: Identity, token: Token, *, index: IndexName | None = None
) -> None:
    """End a token; `index` is where that happens which ends it."""
    unit.tokens.delete(token.user, token.id)
    kind, details = EventKind.TOKEN_REVOKED, {"id": token.id}
    unit.journal.record(Event.by(identity, kind, user=token.user, index=index, details=details))


def _check_maker(unit: Unit, identity: Identity, new: Token) -> None:
    """Refuse what the token in use may not make, as it is in the database at this moment."""
    if identity.token is None:
        return
    maker = unit.tokens.get(new.user, identity.token)
    if maker is None:
        raise NotAuthenticated("The token in use was revoked.")
    if maker.kind is TokenKind.TRUSTED:
        raise Forbidden("Not allowed: the token of a trusted publisher makes no other tokens.")
    if maker.limits is not None and new.expires > maker.expires:
        raise Forbidden(
            "Not allowed: a limited token makes none that outlives it, and the one in use ends "
            f"at {maker.expires.isoformat()}; ask for less with expires_in."
        )


def _check_indexes(unit: Unit, limits: TokenLimits | None, may: Callable[[Index], bool]) -> None:
    names = frozenset() if limits is None else limits.indexes
    found = {name: unit.indexes.get(name) for name in sorted(names)}
    missing = [str(name) for name, index in found.items() if index is None]
    if missing:
        raise NotFound(f"There is no index {', '.join(missing)}.")
    closed = [index for index in found.values() if index is not None and not may(index)]
    if closed:
        where = ", ".join(str(index.name) for index in closed)
        raise Forbidden(
            f"Not allowed: you have no right in {where}, so a token would have none; the "
            f"{granters(*closed)} can change that."
        )


def _make_room(unit: Unit, identity: Identity, new: Token) -> None:
    """See to it that there is room for one more of its kind."""
    if unit.tokens.count(new.user, new.kind) < MAX_TOKENS:
        return
    if new.kind is not TokenKind.LOGIN:
        raise Conflict(
            f"{new.user} has {MAX_TOKENS} tokens of the kind {new.kind}, the most that there may "
            "be; revoke those that are not needed any more."
        )
    # Whoever cannot log in could not revoke anything either.
    logins = (t for t in unit.tokens.of_user(new.user) if t.kind is TokenKind.LOGIN)
    _revoke(unit, identity, next(logins))
