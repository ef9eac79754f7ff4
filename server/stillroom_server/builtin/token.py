"""Authentication by token."""

from stillroom_server.plugin.api import Accounts, Credentials, Identity, hookimpl


@hookimpl
def stillroom_authenticate(credentials: Credentials, accounts: Accounts) -> Identity | None:
    """Accept Stillroom's own tokens."""
    return accounts.by_token(credentials)
