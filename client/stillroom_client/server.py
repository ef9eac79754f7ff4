"""What the server offers, one method for each request that the client makes.

This is the client's side of the written HTTP contract. Every method raises what
`Connection.send` raises.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import unquote, urljoin

from .addresses import IndexName, Release, origin, path_of
from .connection import JSON, PAGE_ACCEPT, Answer, Connection, Login
from .errors import NotLoggedIn, NotStillroom, Refused, WrongUsage
from .secret import Secret

LOGIN_PATH = "/+login"
AUDIT_PAGE = 1_000
"""Entries that one answer may have."""
TOKEN_IN_USE = "current"  # noqa: S105 - in the place of a token's id


@dataclass(frozen=True, slots=True)
class Entrance:
    """What `+api` says: where the server's root is, who asks, and what the index offers.

    `user` is empty if nobody is logged in. `simple` is the URL that installers are given;
    `takes_uploads` is false for mirrors.
    """

    root: str
    user: str
    groups: tuple[str, ...]
    index: IndexName | None
    simple: str | None
    takes_uploads: bool


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token fresh from the server; `seconds` says for how long it is good."""

    secret: Secret
    seconds: int


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token that was made for a purpose; `fields` is what the server says of it."""

    secret: Secret
    fields: Mapping[str, Any]


def enter(connection: Connection, url: str, login: Login | None) -> Entrance:
    """Ask the server or index at a URL where the root is; raises also NotStillroom.

    The root is the directory of the login URL, since the URL may hold a path prefix. A password
    will be sent there, so it must be the host that was asked.
    """
    answer = connection.send("GET", f"{url}/+api", login=login)
    result = answer.mapping()
    login_url = urljoin(answer.url, str(result.get("login", "")))
    if not login_url.endswith(LOGIN_PATH):
        raise NotStillroom(f"{url} does not say where to log in: check the address")
    root = login_url.removesuffix(LOGIN_PATH)
    if origin(root) != origin(answer.url):
        raise NotStillroom(f"the server at {url} says that its address is {root}: use that")
    status, user, groups = _authentication(result)
    index = result.get("index")
    simple = result.get("simpleindex")
    return Entrance(
        root=root,
        user=user if status == "ok" else "",
        groups=groups,
        index=_index_name(root, str(index)) if index else None,
        simple=urljoin(f"{root}/", str(simple)) if simple else None,
        takes_uploads="pypisubmit" in result,
    )


def _authentication(result: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...]]:
    match result.get("authstatus"):
        case [str(status), str(user), list(groups)]:
            return status, user, tuple(map(str, groups))
    raise NotStillroom("the server does not say who is logged in: check the address")


def _index_name(root: str, value: str) -> IndexName:
    # The value is the URL of the index, absolute or relative to the root.
    path = urljoin(f"{root}/", value).removeprefix(root)
    try:
        return IndexName.parse(unquote(path))
    except WrongUsage as error:
        raise NotStillroom(f"{root} names an index that is none: {error}") from None


class Server:
    """A server, as one user (or nobody) sees it.

    `login_hint` is the sentence that goes with every answer that asks for a login.
    """

    def __init__(
        self, connection: Connection, root: str, *, token: Secret | None, login_hint: str
    ) -> None:
        self.root = root
        self._connection = connection
        self._token = token
        self._login_hint = login_hint

    def entrance(self, index: IndexName | None = None) -> Entrance:
        """What `+api` says about the server, or about one of its indexes."""
        url = self.root if index is None else self._url(index)
        with self._hinting():
            return enter(self._connection, url, self._login)

    # Logging in

    def log_in(self, user: str, password: Secret) -> NewToken:
        """Exchange a password for a token."""
        answer = self._connection.send(
            "POST",
            self.root + LOGIN_PATH,
            json={"user": user, "password": password.reveal()},
        )
        return _new_token(answer.mapping(), "password", "expiration")

    # Tokens

    def tokens(self, user: str) -> Sequence[Mapping[str, Any]]:
        """The tokens of a user that have not expired."""
        answer = self._send("GET", path_of(user, "+tokens"))
        if not isinstance(answer.result, list):
            raise NotStillroom(f"{answer.url} answers without the tokens")
        return answer.result

    def token_in_use(self, user: str) -> Mapping[str, Any]:
        """The token that requests are made with."""
        return self._send("GET", path_of(user, "+tokens", TOKEN_IN_USE)).mapping()

    def create_token(self, user: str, wanted: Mapping[str, Any]) -> MadeToken:
        """Make a token from `allow`, `indexes`, `projects`, `expires_in` (seconds) and `note`."""
        fields = dict(self._send("POST", path_of(user, "+tokens"), json=dict(wanted)).mapping())
        secret = _secret(fields, "token")
        del fields["token"]
        return MadeToken(secret, fields)

    def revoke_token(self, user: str, token_id: str = TOKEN_IN_USE) -> None:
        """End a token by its id, or the one that is in use."""
        self._send("DELETE", path_of(user, "+tokens", token_id))

    # Trusted publishing

    def issuers(self) -> Sequence[Mapping[str, Any]]:
        """The issuers of identity tokens that are believed."""
        return _rows(self._send("GET", "/+issuers"))

    def add_issuer(self, url: str) -> Mapping[str, Any]:
        """Believe an issuer from now on."""
        return self._send("POST", "/+issuers", json={"url": url}).mapping()

    def remove_issuer(self, issuer_id: str) -> Answer:
        """Believe an issuer no more, by its id."""
        return self._send("DELETE", path_of("+issuers", issuer_id))

    def publishers(self, index: IndexName | None) -> Sequence[Mapping[str, Any]]:
        """The trusted publishers of an index; without one, of all."""
        return _rows(self._send("GET", self._path(index, "+publishers")))

    def add_publisher(self, index: IndexName, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        """Trust a publisher from `issuer`, `claims`, `projects`, `allow`, `user` and `note`."""
        path = path_of(index.user, index.index, "+publishers")
        return self._send("POST", path, json=dict(wanted)).mapping()

    def remove_publisher(self, index: IndexName, publisher_id: str) -> Answer:
        """Trust a publisher no more, by its id."""
        return self._send("DELETE", path_of(index.user, index.index, "+publishers", publisher_id))

    # Pages, as installers read them

    def is_open(self, url: str) -> bool:
        """Whether everyone may read a page."""
        return self._connection.status(url) == 200

    def opens_to(self, url: str, user: str, secret: Secret) -> bool:
        """Whether a page can be read with a user and a token, as pip and uv send them."""
        return self._connection.status(url, Login.basic(user, secret)) == 200

    def check_readable(self, url: str, user: str) -> None:
        """Raise Refused if the user, who is logged in, may not read a page."""
        status = self._connection.status(url, self._login)
        if status != 200:
            raise Refused(f"{user} may not read {url}: the server answers {status}", status)

    # Users

    def users(self) -> Mapping[str, Any]:
        """All users by name, each with the indexes that may be seen."""
        return self._send("GET", "/").mapping()

    def user(self, name: str) -> Mapping[str, Any]:
        """One user."""
        return self._send("GET", path_of(name)).mapping()

    def create_user(
        self, name: str, fields: Mapping[str, str], password: Secret | None
    ) -> Mapping[str, Any]:
        """Add a user; with None, one who has no password."""
        secret = None if password is None else password.reveal()
        answer = self._send("PUT", path_of(name), json={**fields, "password": secret})
        return answer.mapping()

    def change_user(
        self, name: str, fields: Mapping[str, str], password: Secret | None
    ) -> NewToken | None:
        """Change fields of a user, and the password if one is given.

        A new password ends all tokens of the user. The server may answer with a new one.
        """
        changes = dict(fields) if password is None else {**fields, "password": password.reveal()}
        answer = self._send("PATCH", path_of(name), json=changes)
        if answer.body.get("type") == "userpassword":
            return _new_token(answer.mapping(), "password", "expiration")
        return None

    def take_password(self, name: str, fields: Mapping[str, str]) -> Answer:
        """Change fields of a user, and take the password away, which ends all tokens."""
        return self._send("PATCH", path_of(name), json={**fields, "password": None})

    def delete_user(self, name: str) -> Answer:
        """Delete a user and the indexes of that user."""
        return self._send("DELETE", path_of(name))

    # Groups

    def groups(self) -> Mapping[str, Any]:
        """All groups by name, each with its members."""
        return self._send("GET", "/+groups").mapping()

    def group(self, name: str) -> Mapping[str, Any]:
        """One group."""
        return self._send("GET", path_of("+groups", name)).mapping()

    def create_group(self, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add a group with `description` and `members`, both of which may be left out."""
        return self._send("PUT", path_of("+groups", name), json=dict(fields)).mapping()

    def change_group(
        self, name: str, patch: Mapping[str, Any] | Sequence[str]
    ) -> Mapping[str, Any]:
        """Give fields new values, or apply `members+=…`, `members-=…`; the group after that."""
        body = dict(patch) if isinstance(patch, Mapping) else list(patch)
        return self._send("PATCH", path_of("+groups", name), json=body).mapping()

    def delete_group(self, name: str) -> Answer:
        """Delete a group; the server takes it out of all access lists."""
        return self._send("DELETE", path_of("+groups", name))

    # Indexes

    def access(self, name: IndexName, about: Mapping[str, str]) -> Mapping[str, Any]:
        """Who may do what in an index; `about` is empty, or one `user` or `group`."""
        path = path_of(name.user, name.index, "+access")
        return self._send("GET", path, params=about).mapping()

    def index(self, name: IndexName, *, with_projects: bool) -> Mapping[str, Any]:
        """The options of an index, and the names of its projects if they are wanted."""
        params = None if with_projects else {"no_projects": ""}
        return self._send("GET", path_of(name.user, name.index), params=params).mapping()

    def create_index(self, name: IndexName, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add an index; its options as the server understood them."""
        return self._send("PUT", path_of(name.user, name.index), json=dict(options)).mapping()

    def change_index(self, name: IndexName, operations: Sequence[str]) -> Mapping[str, Any]:
        """Apply `key=value`, `key+=value`, `key-=value` and `key-=`; the options after that."""
        answer = self._send("PATCH", path_of(name.user, name.index), json=list(operations))
        return answer.mapping()

    def set_options(self, name: IndexName, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give options of an index new values; all of them after that."""
        path = path_of(name.user, name.index)
        return self._send("PATCH", path, json=dict(options)).mapping()

    def delete_index(self, name: IndexName) -> Answer:
        """Delete an index and all that it holds."""
        return self._send("DELETE", path_of(name.user, name.index))

    # Owners of projects

    def owners(self, index: IndexName) -> Mapping[str, Sequence[str]]:
        """The owners of each project that has some."""
        return self._send("GET", path_of(index.user, index.index, "+owners")).mapping()

    def owners_of(self, index: IndexName, project: str) -> Sequence[str]:
        """The owners of one project."""
        path = path_of(index.user, index.index, "+owners", project)
        return _owners(self._send("GET", path))

    def change_owners(
        self, index: IndexName, project: str, operations: Sequence[str]
    ) -> Sequence[str]:
        """Apply `owners=…`, `owners+=…` and `owners-=…`; the owners after that."""
        path = path_of(index.user, index.index, "+owners", project)
        return _owners(self._send("PATCH", path, json=list(operations)))

    def set_owners(self, index: IndexName, project: str, owners: Sequence[str]) -> None:
        """Say who owns a project, instead of who did."""
        path = path_of(index.user, index.index, "+owners", project)
        self._send("PATCH", path, json={"owners": list(owners)})

    def requests(self, index: IndexName) -> Sequence[Mapping[str, Any]]:
        """Who asks to bring which project, oldest first."""
        answer = self._send("GET", path_of(index.user, index.index, "+requests"))
        if not isinstance(answer.result, list):
            raise NotStillroom(f"{answer.url} answers without the requests")
        return answer.result

    def decline(self, index: IndexName, project: str, user: str | None) -> Answer:
        """Drop what was asked for a project, by one user or by all."""
        path = path_of(index.user, index.index, "+requests", project)
        return self._send("DELETE", path, params=None if user is None else {"user": user})

    # Projects, releases and files

    def project(self, index: IndexName, project: str, *, own: bool) -> Mapping[str, Any]:
        """The versions of a project with their files; `own` leaves out what is inherited."""
        params = {"ignore_bases": ""} if own else None
        path = path_of(index.user, index.index, project)
        return self._send("GET", path, params=params).mapping()

    def remove(self, index: IndexName, release: Release, *, force: bool) -> Answer:
        """Delete a project, or one version of it."""
        segments = [index.user, index.index, release.project]
        if release.version is not None:
            segments.append(str(release.version))
        return self._send("DELETE", path_of(*segments), params={"force": ""} if force else None)

    def yank(
        self, index: IndexName, release: Release, value: str | bool, filename: str | None
    ) -> Answer:
        """Yank (with a reason, or True) or unyank (False) a release, or one file of it."""
        body: dict[str, Any] = {"yanked": value}
        if filename is not None:
            body["filename"] = filename
        path = path_of(index.user, index.index, release.project, str(release.version))
        return self._send("PATCH", path, json=body)

    def status(self, index: IndexName, project: str) -> Mapping[str, Any]:
        """The `status` of a project and the `reason` for it, as its page says them (PEP 792)."""
        path = f"{path_of(index.user, index.index, 'simple', project)}/"
        answer = self._send("GET", path, accept=PAGE_ACCEPT)
        status = answer.body.get("project-status")
        return status if isinstance(status, dict) else {"status": "active"}

    def set_status(
        self, index: IndexName, project: str, status: str, reason: str | None
    ) -> Answer:
        """Set the status of a project (PEP 792)."""
        body = {"status": status} if reason is None else {"status": status, "reason": reason}
        return self._send("PATCH", path_of(index.user, index.index, project), json=body)

    def push(self, index: IndexName, release: Release, target: IndexName) -> Sequence[Any]:
        """Copy a release to another index; one row of a status and words for each step."""
        body = {
            "name": release.project,
            "version": str(release.version),
            "targetindex": str(target),
        }
        answer = self._send("POST", path_of(index.user, index.index), json=body)
        if not isinstance(answer.result, list):
            raise NotStillroom(f"{answer.url} answers without the steps that were done")
        return answer.result

    def upload(
        self, index: IndexName, fields: Mapping[str, str], name: str, file: BinaryIO
    ) -> Answer:
        """Add a file by the legacy upload form."""
        with self._hinting():
            return self._connection.upload(f"{self._url(index)}/", fields, name, file, self._login)

    # Audit

    def audit(
        self, index: IndexName | None, filters: Mapping[str, str], limit: int
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Who changed what, newest first; and whether that is all there is.

        Without an index: of the whole server.
        """
        entries: list[Mapping[str, Any]] = []
        following: str | None = ""
        while following is not None and len(entries) < limit:
            wanted = {**filters, "limit": str(min(limit - len(entries), AUDIT_PAGE))}
            if following:
                wanted["before"] = following
            answer = self._send("GET", self._path(index, "+audit"), params=wanted)
            entries += _rows(answer)
            following = answer.body.get("next")
        return entries, following is None

    def fetches(
        self, index: IndexName | None, filters: Mapping[str, str]
    ) -> tuple[list[Mapping[str, Any]], bool]:
        """Who fetched what, newest first; and whether that is all there is."""
        answer = self._send("GET", self._path(index, "+fetches"), params=filters)
        return _rows(answer), not answer.body.get("more")

    @property
    def _login(self) -> Login | None:
        return None if self._token is None else Login.bearer(self._token)

    def _path(self, index: IndexName | None, name: str) -> str:
        return path_of(name) if index is None else path_of(index.user, index.index, name)

    def _url(self, index: IndexName) -> str:
        return self.root + path_of(index.user, index.index)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        accept: str = JSON,
    ) -> Answer:
        with self._hinting():
            return self._connection.send(
                method,
                self.root + path,
                login=self._login,
                params=params,
                json=json,
                accept=accept,
            )

    @contextmanager
    def _hinting(self) -> Iterator[None]:
        # 403 without a login means: perhaps with one.
        try:
            yield
        except NotLoggedIn as error:
            raise NotLoggedIn(self._hinted(error)) from None
        except Refused as error:
            if error.status != 403 or self._token is not None:
                raise
            raise Refused(self._hinted(error), error.status) from None

    def _hinted(self, error: Refused) -> str:
        return f"{str(error).rstrip('.')}; {self._login_hint}"


def _rows(answer: Answer) -> list[Mapping[str, Any]]:
    if not isinstance(answer.result, list):
        raise NotStillroom(f"{answer.url} answers without a list")
    return answer.result


def _owners(answer: Answer) -> Sequence[str]:
    owners = answer.mapping().get("owners")
    if not isinstance(owners, list):
        raise NotStillroom(f"{answer.url} answers without the owners")
    return owners


def _secret(result: Mapping[str, Any], key: str) -> Secret:
    value = result.get(key)
    if not isinstance(value, str) or not value:
        raise NotStillroom("the server answers without the token that was asked for")
    return Secret(value)


def _new_token(result: Mapping[str, Any], key: str, seconds_key: str) -> NewToken:
    seconds = result.get(seconds_key)
    return NewToken(_secret(result, key), seconds if isinstance(seconds, int) else 0)
