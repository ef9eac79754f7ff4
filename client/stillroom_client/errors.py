"""What can go wrong, as sentences: what happened and what to do next.

`main.run` is the one place that prints them and turns them into an exit status.
"""


class ClientError(Exception):
    """The root of all errors that the client raises on purpose; the exit status is 1."""

    exit_status = 1


class WrongUsage(ClientError):
    """The command line asks for something that makes no sense; the exit status is 2."""

    exit_status = 2


class NothingChosen(ClientError):
    """A command needs a server, an index or a user, and none was chosen."""

    @classmethod
    def server(cls) -> "NothingChosen":
        """No server is in use."""
        return cls(
            "no server is in use: choose one with `stillroom use URL`, or set STILLROOM_URL"
        )

    @classmethod
    def index(cls, how: str) -> "NothingChosen":
        """No index is in use; `how` says how the command takes one."""
        return cls(f"no index is in use: choose one with `stillroom use USER/INDEX`, or {how}")

    @classmethod
    def user(cls) -> "NothingChosen":
        """Nobody is logged in."""
        return cls("nobody is logged in: log in with `stillroom login USER`")


class LocalTrouble(ClientError):
    """Something on this machine is in the way: a file, the keyring, an archive, a build."""


class ServerError(ClientError):
    """What the server said, or did not say."""


class Unreachable(ServerError):
    """No answer came: nobody listens, the name is unknown, time ran out, TLS failed."""


class NotStillroom(ServerError):
    """Something answers, but not as a Stillroom server does."""


class Refused(ServerError):
    """The server refuses the request; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotLoggedIn(Refused):
    """The server does not know who asks, or no longer."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 401)


class ServerTrouble(ServerError):
    """The server has trouble of its own; the same request may succeed later."""
