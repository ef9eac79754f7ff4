"""Identity tokens: who signed one, and whether that is true."""

from typing import Protocol

from stillroom_server.domain.identity_tokens import SignedClaims


class IdentityTokens(Protocol):
    """Reads identity tokens (JWT, RFC 7519), and asks their issuers for keys.

    Never called while a unit of work is open.
    """

    def issuer_of(self, token: str) -> str:
        """Who signed it by its own words, which anybody may have written.

        Raises MintRefused for what is no JWT.
        """

    def verified(self, token: str, issuer: str) -> SignedClaims:
        """What that issuer has signed; only its claims, and no times, are looked at by others.

        `issuer` must be one that root named: it is asked for its keys over the network. Raises
        MintRefused where none of them signed the token, UpstreamFailed and UpstreamTimeout where
        they cannot be had, Overloaded where too many tokens are being looked at.
        """

    def close(self) -> None:
        """Let go of all connections."""
