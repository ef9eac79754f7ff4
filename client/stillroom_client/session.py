"""What one command works with. Each part is made when it is first asked for."""

import sys
from contextlib import ExitStack
from functools import cached_property
from getpass import getpass
from typing import TYPE_CHECKING

from . import state as states
from .addresses import IndexName, is_below, server_url
from .credentials import Credentials
from .errors import NothingChosen, NotLoggedIn, WrongUsage
from .output import Output
from .platform import SERVER_URL, TOKEN, Platform
from .plugins import Plugins
from .secret import Secret
from .state import State

if TYPE_CHECKING:
    from .connection import Connection
    from .server import Entrance, Server


class Session:
    """One run of `stillroom`: the platform, the output, and what was chosen and logged in.

    The environment goes before the files: STILLROOM_URL names the server (or index) and
    STILLROOM_TOKEN the token, for this run only.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        colour = platform.is_terminal and platform.variable("NO_COLOR") is None
        self.output = Output(colour=colour)
        self._resources = ExitStack()

    def close(self) -> None:
        """Close what the run opened."""
        self._resources.close()

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins of this installation."""
        return Plugins(self.output.say)

    @cached_property
    def credentials(self) -> Credentials:
        """Where tokens are kept."""
        return Credentials(self.plugins.credential_stores(self.platform.client_folder))

    @cached_property
    def connection(self) -> "Connection":
        """HTTP, to any server."""
        # Here and below: httpx takes longer to import than all that `stillroom --help` needs.
        from .connection import Connection

        connection = Connection(self.output.debug)
        self._resources.callback(connection.close)
        return connection

    @cached_property
    def state(self) -> State:
        """The server, user and index in use. Raises NothingChosen if there is no server."""
        url = self.platform.variable(SERVER_URL)
        if url is not None:
            return self.state_at(url)
        stored = states.load(self.platform.client_folder)
        if stored.url is None:
            raise NothingChosen.server()
        return stored

    def state_at(self, url: str) -> State:
        """The state with another server or index; raises what `server.enter` raises."""
        entrance = self.enter(url)
        here = states.load(self.platform.client_folder).at(entrance.root)
        return State(here.url, here.user, entrance.index or here.index)

    def remember(self, state: State) -> None:
        """Make this the state, for this run and those that follow."""
        states.save(self.platform.client_folder, state)
        self.state = state

    @property
    def root(self) -> str:
        """The root URL of the server in use."""
        assert self.state.url is not None
        return self.state.url

    @property
    def token_from_environment(self) -> Secret | None:
        """STILLROOM_TOKEN, if it is set."""
        value = (self.platform.variable(TOKEN) or "").strip()
        return Secret(value) if value else None

    @cached_property
    def token(self) -> Secret | None:
        """The token that requests are made with; None while nobody is logged in."""
        if self.token_from_environment is not None:
            return self.token_from_environment
        user = self.state.user
        return self.credentials.get(self.root, user) if user else None

    @cached_property
    def server(self) -> "Server":
        """The server in use, as whoever is logged in sees it."""
        from .server import Server

        return Server(self.connection, self.root, token=self.token, login_hint=self._login_hint)

    @property
    def _login_hint(self) -> str:
        if self.token_from_environment is not None:
            return f"{TOKEN} may be wrong, expired or revoked"
        if self.token is not None:
            return f"log in again: stillroom login {self.state.user}"
        return f"log in: stillroom login {self.state.user or 'USER'}"

    def enter(self, url: str) -> "Entrance":
        """Ask a server or index what it is; raises what `server.enter` raises."""
        from .connection import Login
        from .server import enter

        token = self._token_for(server_url(url))
        return enter(self.connection, server_url(url), Login.bearer(token) if token else None)

    def _token_for(self, url: str) -> Secret | None:
        # A stored token is shown to the server that gave it, and to no other.
        if self.token_from_environment is not None:
            return self.token_from_environment
        stored = states.load(self.platform.client_folder)
        if stored.url is None or stored.user is None or not is_below(stored.url, url):
            return None
        return self.credentials.get(stored.url, stored.user)

    @cached_property
    def identity(self) -> "Entrance":
        """Who is logged in, as the server says.

        Raises NothingChosen if nobody is, and NotLoggedIn if the token is none that it takes.
        """
        entrance = self.server.entrance()
        if entrance.user:
            return entrance
        if self.token is None:
            raise NothingChosen.user()
        raise NotLoggedIn(f"the server does not take the token; {self._login_hint}")

    @property
    def user(self) -> str:
        """The name of who is logged in, as the server says; raises as `identity` does."""
        return self.identity.user

    def index(self, named: str | None, *, how: str = "--index") -> IndexName:
        """The index that is named, else the one in use; raises NothingChosen.

        `how` says how the command takes a name.
        """
        if named is not None:
            return IndexName.parse(named, owner=self.state.user)
        if self.state.index is None:
            raise NothingChosen.index(how)
        return self.state.index

    # Asking

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something is destroyed; raises WrongUsage where nobody can be asked."""
        if yes:
            return True
        if not self.platform.is_terminal:
            raise WrongUsage("there is no terminal to ask on: add --yes")
        return self.output.ask(f"{question} [y/N]").lower() in {"y", "yes"}

    def password(self, prompt: str, *, from_stdin: bool, repeat: bool = False) -> Secret:
        """Read a password, unseen on a terminal; raises WrongUsage where there is none."""
        if from_stdin:
            text = sys.stdin.readline().rstrip("\r\n")
        elif not self.platform.is_terminal:
            raise WrongUsage("there is no terminal to ask on: add --password-stdin")
        else:
            text = getpass(f"{prompt}: ", stream=sys.stderr)
            if repeat and getpass(f"{prompt}, again: ", stream=sys.stderr) != text:
                raise WrongUsage("the two passwords are not the same")
        if not text:
            raise WrongUsage("the password is empty")
        return Secret(text)
