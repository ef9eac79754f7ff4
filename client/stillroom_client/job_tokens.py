"""Identity tokens of CI jobs, and the exchange of one for a token of the server.

The exchange is at the root of the server's host, `/_/oidc/`, where all publishing tools look.
"""

from urllib.parse import urlencode

from .addresses import origin
from .connection import Answer, Connection, Login
from .errors import NotStillroom, Refused, WrongUsage
from .platform import Platform
from .secret import Secret

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
"""Where a job on GitHub Actions that has `id-token: write` asks for identity tokens."""


class JobTokens:
    """What a CI job does to get a token from a server with this root."""

    def __init__(self, connection: Connection, root: str) -> None:
        self._connection = connection
        self._place = f"{origin(root)}/_/oidc"

    def identity(self, platform: Platform, variable: str | None) -> Secret:
        """The identity token of this job: from a variable that is named, else asked for.

        Raises WrongUsage where there is none to be had, and what `Connection.send` raises.
        """
        if variable is not None:
            value = (platform.variable(variable) or "").strip()
            if not value:
                raise WrongUsage(f"the variable {variable} is not set: it holds no identity token")
            return Secret(value)
        url, token = platform.variable(REQUEST_URL), platform.variable(REQUEST_TOKEN)
        if url is None or token is None:
            raise WrongUsage(
                "this is no job that can ask for an identity token (on GitHub Actions it needs "
                "the permission `id-token: write`): name the variable that holds one with "
                "--from-env"
            )
        query = urlencode({"audience": self.audience()})
        asked = f"{url}{'&' if '?' in url else '?'}{query}"
        given = self._connection.read_other(asked, Login.bearer(Secret(token))).get("value")
        if not isinstance(given, str) or not given:
            raise NotStillroom(f"{origin(url)} answers without an identity token")
        return Secret(given)

    def audience(self) -> str:
        """For whom identity tokens must be made out; raises Refused where they are of no use."""
        try:
            answer = self._connection.send("GET", f"{self._place}/audience")
        except Refused as error:
            if error.status != 404:
                raise
            raise Refused(
                "no index of this server trusts a publisher: who administers one adds it with "
                "`stillroom publisher add`",
                404,
            ) from None
        return str(answer.body.get("audience", ""))

    def mint(self, identity: Secret) -> tuple[Secret, int]:
        """A token for an identity token, and when it expires, in seconds since 1970."""
        answer = self._connection.send(
            "POST", f"{self._place}/mint-token", json={"token": identity.reveal()}
        )
        return _minted(answer)


def _minted(answer: Answer) -> tuple[Secret, int]:
    token, expires = answer.body.get("token"), answer.body.get("expires")
    if not isinstance(token, str) or not isinstance(expires, int):
        raise NotStillroom(f"{answer.url} answers without the token that was asked for")
    return Secret(token), expires
