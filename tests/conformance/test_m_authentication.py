"""M. Authentication and trusted publishing: items 132 to 141."""

import json
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
from support.front import Front
from support.issuer import SUBJECT, Issuer, SigningKey, new_private_key
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


MINT, BURN = "/_/oidc/mint-token", "/_/oidc/burn-token"


@pytest.fixture
def trusting(
    private: Index,
    project: str,
    issuer: Issuer,
    trust: Callable[..., None],
    administrator: Login,
    adapter: Adapter,
) -> "Trusting":
    """A private index that trusts one job of an issuer with one project."""
    trust(administrator, private.name, issuer.url, {"sub": SUBJECT}, project)
    return Trusting(private, issuer, str(httpx.URL(adapter.url).copy_with(raw_path=b"")))


class Trusting:
    """The root of a host of which an index trusts the issuer's job."""

    def __init__(self, index: Index, issuer: Issuer, root: str) -> None:
        self.index = index
        self.issuer = issuer
        self.root = root
        answer = index.as_seen_by(None).get(f"{root}/_/oidc/audience")
        self.audience: str = answer.json()["audience"]

    def post(self, path: str, content: bytes) -> httpx.Response:
        stranger = self.index.as_seen_by(None)
        headers = {"Content-Type": "application/json"}
        return stranger.ask("POST", self.root + path, headers, content=content)

    def exchange(self, token: str) -> httpx.Response:
        return self.post(MINT, json.dumps({"token": token}).encode())

    def token(self, **changes: object) -> str:
        return self.issuer.token(**{"aud": self.audience, **changes})

    def refused(self, answer: httpx.Response) -> str:
        """The code of the only error."""
        assert answer.status_code == 422, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        body = answer.json()
        assert isinstance(body["message"], str)
        (error,) = body["errors"]
        assert isinstance(error["description"], str)
        assert self.index.name not in answer.text
        return error["code"]


def test_138_mint(trusting: Trusting) -> None:
    """[C] `POST /_/oidc/mint-token`: a token and when it expires; else 422 with listed codes."""
    token = trusting.token()
    answer = trusting.exchange(token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["success"] is True
    assert 0 < body["expires"] - time.time() <= 900
    assert trusting.refused(trusting.exchange(token)) == "invalid-reuse-token"
    for content in (b"", b"{", b"[]", b"{}", b'{"token": 1}', b"token=x"):
        assert trusting.refused(trusting.post(MINT, content)) == "invalid-payload"
    thief = SigningKey("RS256", new_private_key("RS256"))
    stolen = thief.sign(trusting.issuer.claims(aud=trusting.audience))
    for wrong in ("x.y.z", stolen, trusting.token(aud="elsewhere"), trusting.token(exp=1)):
        assert trusting.refused(trusting.exchange(wrong)) == "invalid-token"
    unknown = trusting.token(sub="repo:elsewhere/app")
    assert trusting.refused(trusting.exchange(unknown)) == "invalid-publisher"


def test_139_minted_token(trusting: Trusting, project: str, open_index: OpenIndex) -> None:
    """[C] A minted token is for its project; burnt (202), it is of no use; twice is harmless."""
    secret = trusting.exchange(trusting.token()).json()["token"]
    job = open_index(trusting.index.name, login=Login("__token__", secret))
    assert job.send(make_wheel(project, "1.0")).status_code == 200
    assert job.send(make_wheel(f"{project}-other", "1.0")).status_code == 403
    assert job.get(f"{project}/", JSON).status_code == 403
    for _ in range(2):
        burn = trusting.post(BURN, json.dumps({"token": secret}).encode())
        assert burn.status_code == 202
        assert job.send(make_wheel(project, "2.0")).status_code == 401
    assert set(trusting.index.rows(project)) == {make_wheel(project, "1.0").filename}


def _published(
    trusting: Trusting, front: Front, tools: Tools, project: str, mode: str = "always"
) -> None:
    wheel = make_wheel(project, "1.0")
    folder = tools.folder_with((wheel,))
    url = trusting.index.upload_url.replace(trusting.root, front.url)
    ran = tools.run(
        *("uv", "publish", "--publish-url", url, "--trusted-publishing", mode),
        *sorted(folder.iterdir()),
    )
    assert set(trusting.index.rows(project)) == {wheel.filename}, ran.text
    passed = [(request.method, request.path) for request in front.requests]
    assert ("POST", MINT) in passed
    assert passed[-1] == ("POST", BURN), ran.text


@pytest.mark.parametrize("mode", ["always", "automatic"])
def test_140_uv_in_a_github_job(
    trusting: Trusting, root_front: Front, tools: Tools, project: str, mode: str
) -> None:
    """[C] `uv publish` in a simulated job of GitHub Actions uploads without secrets, and burns."""
    tools.environment |= trusting.issuer.job_environment()
    _published(trusting, root_front, tools, project, mode)


def test_140_uv_in_a_gitlab_job(
    trusting: Trusting, root_front: Front, tools: Tools, project: str
) -> None:
    """[C] `uv publish` in a simulated job of GitLab CI uploads without secrets, and burns."""
    name = "".join(c if c.isalnum() else "_" for c in trusting.audience).upper()
    tools.environment |= {"GITLAB_CI": "true", f"{name}_ID_TOKEN": trusting.token()}
    _published(trusting, root_front, tools, project)


def test_140_pdm_in_a_github_job(
    trusting: Trusting, front: Front, tools: Tools, project: str
) -> None:
    """[C] `pdm publish` in a simulated job of GitHub Actions uploads without secrets."""
    wheel = make_wheel(project, "1.0")
    folder = tools.folder_with((wheel,)).parent
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{project}"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
    )
    tools.environment |= trusting.issuer.job_environment()
    url = trusting.index.upload_url.replace(trusting.root, front.url)
    tools.client("pdm", "publish", "--no-build", "--repository", url, folder=folder)
    assert set(trusting.index.rows(project)) == {wheel.filename}
    assert ("POST", MINT) in [(request.method, request.path) for request in front.requests]


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
