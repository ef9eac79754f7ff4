"""M. Authentication and trusted publishing: items 132 to 137, and 141."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from conformance.adapter import Adapter, Login, Token
from conformance.index import Index, OpenIndex
from conformance.pages import JSON, PIP, UV
from conformance.tools import Tools
from e2e.machine import VirtualEnvironment
from support.distributions import import_name, make_wheel
from support.file_keyring import VARIABLE, FileKeyring
from support.servers import BIN

NewToken = Callable[..., Token]
TokenLogins = Callable[[Token], Sequence[Login]]

TESTS = Path(__file__).parents[1]


@pytest.fixture
def private(new_index: Callable[..., str], open_index: OpenIndex) -> Index:
    """An index that only who logs in may read."""
    return open_index(new_index(public=False))


@pytest.fixture
def stored(private: Index, project: str) -> str:
    """A project with one wheel in the private index."""
    private.upload(make_wheel(project, "1.0"))
    return project


def test_132_anonymous(private: Index, stored: str) -> None:
    """[C] A private page without a login: 401 with a challenge."""
    stranger = private.as_seen_by(None)
    for path in ("", f"{stored}/"):
        for accept in (PIP, UV, "text/html", JSON):
            answer = stranger.get(path, accept)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def installed(environment: VirtualEnvironment, project: str) -> bool:
    return environment.version(import_name(project)) == "1.0"


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_132_login_in_the_url(private: Index, stored: str, tools: Tools, tool: str) -> None:
    """[C] pip and uv install with a login in the URL of the index."""
    environment = tools.venv()
    environment.install(tool, "--index-url", private.simple, stored, status=None)
    environment.install(tool, "--index-url", private.simple_with_login, stored)
    assert installed(environment, stored)


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_132_login_in_netrc(private: Index, stored: str, tools: Tools, tool: str) -> None:
    """[C] pip and uv install with a login from netrc."""
    assert private.login is not None
    host = httpx.URL(private.simple).host
    netrc = tools.home / ".netrc"
    netrc.touch(0o600)
    netrc.write_text(
        f"machine {host} login {private.login.user} password {private.login.password}\n"
    )
    environment = tools.venv()
    environment.install(tool, "--index-url", private.simple, stored)
    assert installed(environment, stored)


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_132_login_in_a_keyring(private: Index, stored: str, tools: Tools, tool: str) -> None:
    """[C] pip and uv install with a login from a keyring."""
    assert private.login is not None
    user, password = private.login
    url = httpx.URL(private.simple)
    keyring = FileKeyring(tools.home / "keyring.json")
    for service in (private.simple, url.netloc.decode(), str(url.copy_with(username=user))):
        keyring.set_password(service, user, password)
    tools.environment |= {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(TESTS),
        "PYTHON_KEYRING_BACKEND": "support.file_keyring.FileKeyring",
        VARIABLE: str(keyring.path),
    }
    environment = tools.venv()
    named = private.simple.replace("://", f"://{user}@", 1)
    environment.install(tool, "--index-url", named, "--keyring-provider", "subprocess", stored)
    assert installed(environment, stored)


def test_132_poetry(private: Index, stored: str, tools: Tools) -> None:
    """[C] poetry installs with `http-basic`."""
    folder = tools.poetry_project(private, stored)
    tools.client("poetry", "lock", "--no-interaction", folder=folder)
    environment = tools.venv()
    tools.environment["VIRTUAL_ENV"] = str(environment.folder)
    tools.client("poetry", "install", "--no-interaction", "--no-root", folder=folder)
    assert installed(environment, stored)


def test_133_forms_of_a_token(
    private: Index,
    stored: str,
    open_index: OpenIndex,
    new_token: NewToken,
    token_logins: TokenLogins,
) -> None:
    """[C] The documented forms of a token are accepted, `Authorization: Bearer` among them."""
    token = new_token(private.name)
    logins = token_logins(token)
    assert Login("__token__", token.secret) in logins
    for number, login in enumerate(logins, start=2):
        seen = open_index(private.name, login=login)
        assert set(seen.rows(stored)) == set(private.rows(stored))
        assert seen.send(make_wheel(stored, f"{number}.0")).status_code == 200
    stranger = open_index(private.name, login=None)
    for secret, status in ((token.secret, 200), (f"{token.secret}x", 401)):
        answer = stranger.get(f"{stored}/", JSON, Authorization=f"Bearer {secret}")
        assert answer.status_code == status


def test_134_unknown_project(private: Index, project: str) -> None:
    """[C] A private index, valid credentials, an unknown project: 404."""
    for accept in (PIP, UV, JSON, "text/html"):
        assert private.get(f"{project}/", accept).status_code == 404


def test_134_uv_goes_on(
    private: Index,
    project: str,
    new_index: Callable[..., str],
    open_index: OpenIndex,
    tools: Tools,
) -> None:
    """[C] uv asks the next index for what the private one does not have."""
    other = open_index(new_index())
    other.upload(make_wheel(project, "1.0"))
    environment = tools.venv()
    environment.uv(
        *("install", "--index", private.simple_with_login),
        *("--default-index", other.simple_with_login, project),
    )
    assert installed(environment, project)


def test_135_files(
    private: Index,
    stored: str,
    new_index: Callable[..., str],
    open_index: OpenIndex,
    new_token: NewToken,
    token_logins: TokenLogins,
) -> None:
    """[C] File URLs take the credentials of the page; a token of another index: 403."""
    (filename,) = private.rows(stored)
    url = private.file_url(stored, filename)
    assert httpx.URL(url).netloc == httpx.URL(private.simple).netloc
    elsewhere = new_token(new_index())
    for wanted in (url, f"{url}.metadata"):
        assert private.get(wanted).status_code == 200
        assert private.as_seen_by(None).get(wanted).status_code == 401
        for login in token_logins(elsewhere):
            assert open_index(private.name, login=login).get(wanted).status_code == 403
    for login in token_logins(new_token(private.name)):
        assert open_index(private.name, login=login).get(url).status_code == 200


def test_136_ended_tokens(
    private: Index,
    stored: str,
    open_index: OpenIndex,
    new_token: NewToken,
    token_logins: TokenLogins,
    revoke: Callable[[Token], None],
) -> None:
    """[P] A token for reading uploads nothing; expired or revoked: 401 within a second."""

    def seen(token: Token) -> Index:
        return open_index(private.name, login=token_logins(token)[0])

    reading = seen(new_token(private.name, may_upload=False))
    assert reading.get(f"{stored}/", JSON).status_code == 200
    assert reading.send(make_wheel(stored, "2.0")).status_code == 403
    token = new_token(private.name)
    revoked = seen(token)
    assert revoked.get(f"{stored}/", JSON).status_code == 200
    revoke(token)
    assert revoked.get(f"{stored}/", JSON).status_code == 401
    begun = time.monotonic()
    short = seen(new_token(private.name, seconds=2))
    assert short.get(f"{stored}/", JSON).status_code == 200
    while short.get(f"{stored}/", JSON).status_code == 200:
        assert time.monotonic() - begun < 3.5, "the token of two seconds goes on"
        time.sleep(0.05)
    assert short.get(f"{stored}/", JSON).status_code == 401
    assert time.monotonic() - begun > 1


@pytest.mark.parametrize("login", [True, False])
def test_137_audience(index: Index, open_index: OpenIndex, adapter: Adapter, login: bool) -> None:
    """[C] `GET /_/oidc/audience` at the root of the host: JSON with the audience, or 404."""
    asking = open_index(index.name) if login else open_index(index.name, login=None)
    root = str(httpx.URL(adapter.url).copy_with(raw_path=b"/_/oidc/audience"))
    answer = asking.get(root, "application/json")
    assert answer.status_code in {200, 404}
    assert answer.headers["Content-Type"] == "application/json"
    assert isinstance(answer.json(), dict)
    if answer.status_code == 200:
        assert isinstance(answer.json()["audience"], str)


@pytest.mark.parametrize("login", [True, False])
def test_141_well_known(
    index: Index, open_index: OpenIndex, adapter: Adapter, login: bool
) -> None:
    """[s] `GET /.well-known/pytp?discover=…`: JSON of PEP 807 or 404; an unknown path: 404."""
    asking = open_index(index.name) if login else open_index(index.name, login=None)
    root = httpx.URL(adapter.url)
    known = root.copy_with(raw_path=b"/.well-known/pytp?discover=%2Flegacy%2F")
    answer = asking.get(str(known), "application/vnd.pypi.pytp.v1+json")
    if answer.status_code == 200:
        assert answer.json().keys() >= {"audience-endpoint", "token-mint-endpoint"}
    else:
        assert answer.status_code == 404
    for path in (b"/.well-known/pytp?discover=%2Fno%2Fsuch%2Fpath%2F", b"/.well-known/no-such"):
        assert asking.get(str(root.copy_with(raw_path=path))).status_code == 404
