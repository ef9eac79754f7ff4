"""How installers log in to an index: not at all, by the keyring, or by a token in the URL."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ..addresses import IndexName, login_in, with_login, without_login
from ..session import Session
from .keyring_command import KeyringCommand

TOKEN_DAYS = 90


class Logins:
    """The logins of installers to one index, whose Simple page is at `page`.

    At most one token is made, however many installers need one. It can only read, and only this
    index; `note` is what the list of tokens will say of it.
    """

    def __init__(self, session: Session, index: IndexName, page: str, *, note: str) -> None:
        self._session = session
        self._index = index
        self._page = page
        self._note = note
        self._keyring = KeyringCommand(session.platform)

    @cached_property
    def are_needed(self) -> bool:
        """Whether the index is not open to everyone.

        Raises NothingChosen if it is not and nobody is logged in, Refused if whoever is may not
        read it either.
        """
        if self._session.server.is_open(self._page):
            return False
        self._session.server.check_readable(self._page, self._session.user)
        return True

    @cached_property
    def use_keyring(self) -> bool:
        """Whether a token goes into the keyring: where the command `keyring` can find it."""
        return self.are_needed and self._keyring.is_usable()

    def work(self, url: str) -> bool:
        """Whether an installer with this URL in its configuration gets in."""
        if without_login(url) != self._page:
            return False
        user, secret = login_in(url)
        if user is None:
            return self._session.server.is_open(self._page)
        secret = secret or self._keyring.find(self._page, user)
        return secret is not None and self._session.server.opens_to(self._page, user, secret)

    @cached_property
    def url(self) -> str:
        """The URL to configure. What it needs is made now: a token, an entry in the keyring."""
        if not self.are_needed:
            return self._page
        user = self._session.user
        by_keyring = with_login(self._page, user)
        if self.use_keyring and self.work(by_keyring):
            return by_keyring
        token = self._session.server.create_token(user, self._reading()).secret
        if self.use_keyring and self._keyring.keep(self._page, user, token):
            return by_keyring
        if self.use_keyring:
            self._session.output.say(
                "The command `keyring` does not find what was just kept: "
                "the token goes into the file instead."
            )
        return with_login(self._page, user, token)

    def _reading(self) -> Mapping[str, Any]:
        return {
            "allow": ["read"],
            "indexes": [str(self._index)],
            "expires_in": TOKEN_DAYS * 86_400,
            "note": self._note,
        }
