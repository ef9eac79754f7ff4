"""Identity tokens exchanged for tokens of ours, and these ended again when the job is done."""

import logging
from collections.abc import Sequence

from stillroom_server.domain.errors import Conflict, MintRefused, NotFound
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity, TokenKind, TokenLimits
from stillroom_server.domain.identity_tokens import IdentityToken, checked
from stillroom_server.domain.names import shown
from stillroom_server.domain.publishing import Issuer, Publisher

from .accounts import token_digest
from .ports import Clock, Database, IdentityTokens, Unit
from .tokens import FreshSecret, IssuedToken, TokenService, fresh_secret

log = logging.getLogger(__name__)

SECONDS = 900
"""For how long a minted token is good: what publishing takes, and little more."""

_MAX_SHOWN = 200
"""Characters of a claim in the note of a token."""


class Minting:
    """Exchanges identity tokens. Whoever asks is nobody yet: who they are, the token says.

    `audience` is what tokens for this server are made out to; empty for a name that is made from
    the id of the database.
    """

    def __init__(
        self,
        database: Database,
        identity_tokens: IdentityTokens,
        tokens: TokenService,
        clock: Clock,
        *,
        audience: str,
    ) -> None:
        self._database = database
        self._identity_tokens = identity_tokens
        self._tokens = tokens
        self._clock = clock
        self._audience = audience

    def audience(self) -> str:
        """What to ask an identity token for; NotFound while no index has a publisher.

        Publishing tools then look for other credentials.
        """
        with self._database.reading() as unit:
            if not unit.publishers.is_used():
                raise NotFound("There is nothing at this address.")
        return self._audience or f"stillroom-{self._database.instance()}"

    def mint(self, identity: Identity, identity_token: str) -> IssuedToken:
        """A token for the job that an identity token speaks of, which is used up by that.

        Raises MintRefused, and UpstreamFailed, UpstreamTimeout or Overloaded where it could not
        be checked.
        """
        try:
            return self._exchanged(identity, identity_token)
        except Conflict as conflict:
            log.info("no token for an identity token from %s: %s", identity.address, conflict)
            raise MintRefused("try-again", conflict.message) from None
        except MintRefused as refusal:
            log.info("no token for an identity token from %s: %s", identity.address, refusal)
            raise

    def _exchanged(self, identity: Identity, identity_token: str) -> IssuedToken:
        try:
            audience = self.audience()
        except NotFound:
            raise MintRefused(
                "not-enabled", "No index of this server has a trusted publisher."
            ) from None
        issuer = self._issuer(self._identity_tokens.issuer_of(identity_token))
        signed = self._identity_tokens.verified(identity_token, issuer.url)
        token = checked(signed, issuer, audience, self._clock())
        # Refused without a write: who is trusted nowhere must not hold up others.
        with self._database.reading() as unit:
            _matching(unit, issuer, token)
        fresh = fresh_secret()
        # All at once: an identity token is used up by what it is exchanged for, by nothing else.
        with self._database.writing() as unit:
            publishers = _matching(unit, issuer, token)
            unit.publishers.forget_used(self._clock())
            if not unit.publishers.use(issuer, token.id, token.kept):
                raise MintRefused(
                    "invalid-reuse-token",
                    "This identity token was used already; ask for a new one.",
                )
            return self._issued(unit, fresh, identity, token, publishers)

    def _issuer(self, url: str) -> Issuer:
        issuer = None
        # Others are on no list, and some of them no database would take.
        if url.isascii() and url.isprintable():
            with self._database.reading() as unit:
                issuer = unit.publishers.issuer(url)
        if issuer is None:
            raise MintRefused(
                "invalid-publisher",
                f"The issuer {shown(url)} is none that this server believes; root adds it, "
                "spelled as the claim iss has it.",
            )
        return issuer

    def _issued(
        self,
        unit: Unit,
        fresh: FreshSecret,
        identity: Identity,
        token: IdentityToken,
        publishers: Sequence[Publisher],
    ) -> IssuedToken:
        user = publishers[0].user
        grants = dict.fromkeys(publisher.grant for publisher in publishers)
        ids = ",".join(publisher.id for publisher in publishers)
        job = (token.subject or "")[:_MAX_SHOWN]
        return self._tokens.issue_in(
            unit,
            fresh,
            Identity(user=user, address=identity.address, request=identity.request),
            TokenKind.TRUSTED,
            TokenLimits(tuple(grants)),
            SECONDS,
            f"{token.issuer} {job}".rstrip(),
            publisher=ids,
            details={"publisher": ids, "issuer": token.issuer, "sub": token.subject},
        )

    def burn(self, identity: Identity, secret: str) -> None:
        """End a minted token; whatever else it is stays as it is, and nobody learns which."""
        digest = token_digest(secret)
        with self._database.reading() as unit:
            token = unit.tokens.by_digest(digest)
        if token is None or token.kind is not TokenKind.TRUSTED:
            return
        bearer = Identity(
            user=token.user, token=token.id, address=identity.address, request=identity.request
        )
        with self._database.writing() as unit:
            if unit.tokens.delete(token.user, token.id):
                unit.journal.record(
                    Event.by(
                        bearer,
                        EventKind.TOKEN_REVOKED,
                        user=token.user,
                        details={"id": token.id, "kind": token.kind.value},
                    )
                )


def _matching(unit: Unit, issuer: Issuer, token: IdentityToken) -> Sequence[Publisher]:
    """The publishers whose rules the token meets, which all act for one user."""
    known = unit.publishers.of_issuer(issuer)
    found = [publisher for publisher in known if publisher.matches(token.claims)]
    if not found:
        raise MintRefused(
            "invalid-publisher",
            f"No trusted publisher matches the claims of this token, whose iss is "
            f"{shown(issuer.url)} and whose sub is {shown(token.subject)}.",
        )
    if len({publisher.user for publisher in found}) > 1:
        raise MintRefused(
            "invalid-publisher",
            "The claims of this token match publishers of several users, and a token has one; "
            "make their rules tell the jobs apart.",
        )
    return found
