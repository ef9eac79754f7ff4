"""Setting installers up for an index: plan, ask, write, check."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .. import files
from ..addresses import IndexName, login_in, masked
from ..errors import ServerError
from ..session import Session
from .base import Installer, Settings, Target
from .logins import TOKEN_DAYS, Logins


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of the configuration of one installer.

    `content` is what its file says now. `url` is the URL there that works already; None if a
    new one is to be written.
    """

    installer: Installer
    target: Target
    content: str
    url: str | None
    trusted_host: str | None


class Setup:
    """Sets installers up for one index, whose Simple page is at `page`."""

    def __init__(
        self, session: Session, index: IndexName, page: str, installers: Sequence[Installer]
    ) -> None:
        names = " and ".join(installer.name for installer in installers)
        self._output = session.output
        self._session = session
        self._page = page
        self._installers = installers
        self._logins = Logins(session, index, page, note=f"{names} on {session.platform.hostname}")

    def run(self, *, yes: bool, trust_host: bool) -> list[dict[str, str]]:
        """Do it. Returns one row for each file that was written, without any secret.

        Raises LocalTrouble if a file cannot be changed; then none is.
        """
        plans = [self._plan(installer, trust_host=trust_host) for installer in self._installers]
        for plan in plans:
            self._announce(plan)
        if not self._agreed(yes=yes):
            self._output.say("Nothing was written.")
            return []
        return [self._carry_out(plan) for plan in plans]

    def _plan(self, installer: Installer, *, trust_host: bool) -> Plan:
        target = installer.target(self._session.platform, is_personal=self._logins.are_needed)
        content = _read(target.path)
        current = installer.current_url(content)
        url = current if current is not None and self._logins.work(current) else None
        trusted_host = None
        if installer.needs_trust(self._page) and trust_host:
            trusted_host = urlsplit(self._page).netloc
        # Tried before anything is asked or made, to find out whether it can be done at all.
        installer.changed(content, Settings(self._page, trusted_host=trusted_host))
        return Plan(installer, target, content, url, trusted_host)

    def _announce(self, plan: Plan) -> None:
        say = self._output.say
        name = plan.installer.name
        if plan.url is not None:
            say(f"{name}: {plan.target.path} names {masked(plan.url)} already")
        else:
            say(f"{name}: will set the index in {plan.target.path} to {self._page}")
            say(f"  {self._login_to_come()}")
        for note in (*plan.target.notes, *plan.installer.others(plan.content)):
            say(f"  note: {note}")
        if plan.trusted_host is not None:
            say(f"  {name} will trust {plan.trusted_host} without TLS")
        elif plan.installer.needs_trust(self._page):
            say(f"  note: {name} ignores an http:// index on another host unless --trust-host")

    def _login_to_come(self) -> str:
        if not self._logins.are_needed:
            return "everyone may read it, so no login is written"
        if self._logins.use_keyring:
            return "with your user name; the keyring keeps a token that can only read this index"
        who = "" if self._session.platform.system == "windows" else ", which only you can read"
        return (
            f"with a token that can only read this index, for {TOKEN_DAYS} days, in the file{who}"
        )

    def _agreed(self, *, yes: bool) -> bool:
        if yes or not self._session.platform.is_terminal:
            return True
        return self._output.ask("Write this? [Y/n]").lower() in {"", "y", "yes"}

    def _carry_out(self, plan: Plan) -> dict[str, str]:
        url = plan.url or self._logins.url
        user, secret = login_in(url)
        settings = Settings(
            url,
            from_keyring=user is not None and secret is None,
            trusted_host=plan.trusted_host,
        )
        content = plan.installer.changed(plan.content, settings)
        path = plan.target.path
        files.write(path, content.encode("utf-8", "surrogateescape"), private=secret is not None)
        written = plan.installer.current_url(_read(path))
        if written is None or not self._logins.work(written):
            raise ServerError(f"{path} was written, but {self._page} cannot be read with it")
        self._output.say(f"{plan.installer.name}: wrote {path} and checked it: the index answers")
        return {"installer": plan.installer.name, "path": str(path), "url": masked(url)}


def _read(path: Path) -> str:
    return (files.read(path) or b"").decode("utf-8", "surrogateescape")
