"""`use --pip --uv`: what is written makes the real pip and the real uv work."""

import base64
import json
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keyring
import pytest

from stillroom_client.platform import Platform
from support.command_line import Stillroom
from support.distributions import make_wheel
from support.file_keyring import VARIABLE, FileKeyring
from support.stub_server import Asked, Reply, StubServer, message_reply, result_reply
from support.stub_stillroom import TOKEN, bearer, offer_index

READER = "reader/token of+dev"
WHEEL = make_wheel("stillroom-demo", "1.0")
PAGE = "/dev/sandbox/simple/"


@pytest.fixture
def index(stub: StubServer) -> StubServer:
    """The index dev/sandbox with one project, for dev alone."""
    basic = base64.b64encode(f"dev:{READER}".encode()).decode()

    def guarded(reply: Reply) -> Callable[[Asked], Reply]:
        def answer(asked: Asked) -> Reply:
            if bearer(asked) == TOKEN or asked.headers.get("authorization") == f"Basic {basic}":
                return reply
            challenge = {"WWW-Authenticate": 'Basic realm="stillroom"'}
            return replace(message_reply("log in first", 401), headers=challenge)

        return answer

    html = {"Content-Type": "text/html"}
    link = f'<a href="../../+f/{WHEEL.filename}#sha256={WHEEL.sha256}">{WHEEL.filename}</a>'
    stub.script("GET", PAGE, guarded(Reply(200, b"", html)))
    stub.script("GET", f"{PAGE}stillroom-demo/", guarded(Reply(200, link.encode(), html)))
    stub.script("GET", f"/dev/sandbox/+f/{WHEEL.filename}", guarded(Reply(200, WHEEL.content)))
    stub.script("HEAD", f"/dev/sandbox/+f/{WHEEL.filename}", guarded(Reply(200, WHEEL.content)))
    token = {"id": "t2", "token": READER}
    stub.script("POST", "/dev/+tokens", result_reply(token, "token", 201))
    return stub


@pytest.fixture
def environment(platform: Platform) -> Path:
    """A virtual environment without pip, which `pip --python` works on."""
    path = platform.home / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    return path


@pytest.fixture
def file_keyring(platform: Platform) -> FileKeyring:
    """A keyring that works, and the command `keyring` to ask it; its folder is `bin`."""
    path = platform.home / "keyring.json"
    command = platform.home / "bin" / "keyring"
    command.parent.mkdir()
    tests = Path(__file__).parents[1]
    command.write_text(
        f"#!/bin/sh\nPYTHONPATH={tests} {VARIABLE}={path} "
        "PYTHON_KEYRING_BACKEND=support.file_keyring.FileKeyring "
        f'exec {sys.executable} -m keyring "$@"\n'
    )
    command.chmod(0o755)
    keyring.set_keyring(FileKeyring(path))
    return FileKeyring(path)


def with_keyring(platform: Platform) -> dict[str, str]:
    return {"PATH": f"{platform.home / 'bin'}:{platform.environ['PATH']}"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def install_by_pip(platform: Platform, environment: Path, **environ: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    subprocess.run(
        [*command, "install", "--no-cache-dir", "--no-deps", "stillroom-demo"],
        env={**platform.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environ},
        cwd=platform.home,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    check_installed(environment)


def install_by_uv(platform: Platform, environment: Path, **environ: str) -> None:
    subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "install", "--no-cache", "stillroom-demo"],
        env={**platform.environ, "VIRTUAL_ENV": str(environment), **environ},
        cwd=platform.working,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    check_installed(environment)


def check_installed(environment: Path) -> None:
    python = environment / "bin" / "python"
    subprocess.run([python, "-c", "import stillroom_demo"], check=True)


def test_pip_of_an_environment_installs_with_a_token_in_a_private_file(
    logged_in: Stillroom, index: StubServer, platform: Platform, environment: Path
) -> None:
    result = logged_in("use", "dev/sandbox", "--pip", environ={"VIRTUAL_ENV": str(environment)})
    assert result.status == 0, result.err
    assert mode(environment / "pip.conf") == 0o600
    asked = index.last("POST", "/dev/+tokens")
    assert bearer(asked) == TOKEN
    assert asked.json == {
        "allow": ["read"],
        "indexes": ["dev/sandbox"],
        "expires_in": 90 * 24 * 3600,
        "note": "pip on laptop",
    }
    install_by_pip(platform, environment)


def test_uv_of_a_project_installs_with_a_token_in_a_private_file(
    logged_in: Stillroom, index: StubServer, platform: Platform, environment: Path
) -> None:
    (platform.working / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '1'\n")
    result = logged_in("use", "--uv")
    assert result.status == 0, result.err
    assert mode(platform.working / "uv.toml") == 0o600
    install_by_uv(platform, environment)


def test_outside_of_environments_and_projects_the_files_of_the_user_are_written(
    logged_in: Stillroom, index: StubServer, platform: Platform, environment: Path
) -> None:
    result = logged_in("use", "--pip", "--uv", "--json")
    assert result.status == 0, result.err
    pip_conf = platform.home / ".config" / "pip" / "pip.conf"
    uv_toml = platform.home / ".config" / "uv" / "uv.toml"
    masked = f"{index.url}{PAGE}".replace("http://", "http://dev:****@")
    assert json.loads(result.out)["written"] == [
        {"installer": "pip", "path": str(pip_conf), "url": masked},
        {"installer": "uv", "path": str(uv_toml), "url": masked},
    ]
    assert index.methods().count("POST /dev/+tokens") == 1
    install_by_pip(platform, environment)
    install_by_uv(platform, environment)


def test_what_will_be_written_where_is_said_before(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    refused = logged_in("use", "--pip", "--uv", is_terminal=True, typed="n\n")
    assert refused.status == 0
    assert f"pip: will set the index in {platform.home / '.config/pip/pip.conf'}" in refused.err
    assert f"uv: will set the index in {platform.home / '.config/uv/uv.toml'}" in refused.err
    assert "a token that can only read this index" in refused.err
    assert "Nothing was written." in refused.err
    assert "POST /dev/+tokens" not in index.methods()
    assert not (platform.home / ".config").exists()
    agreed = logged_in("use", "--pip", "--uv", is_terminal=True, typed="\n")
    assert (platform.home / ".config" / "uv" / "uv.toml").is_file()
    assert "checked it: the index answers" in agreed.err
    assert READER not in agreed.out + agreed.err + refused.err


def test_a_second_time_makes_no_second_token(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    assert logged_in("use", "--pip").status == 0
    content = (platform.home / ".config" / "pip" / "pip.conf").read_bytes()
    again = logged_in("use", "--pip")
    assert again.status == 0
    assert "already" in again.err
    assert index.methods().count("POST /dev/+tokens") == 1
    assert (platform.home / ".config" / "pip" / "pip.conf").read_bytes() == content


def test_a_token_that_no_longer_works_is_replaced(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    path = platform.home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    old = f"{index.url}{PAGE}".replace("http://", "http://dev:expired@")
    path.write_text(f"[global]\ntimeout = 60\nindex-url = {old}\n")
    path.chmod(0o644)
    assert logged_in("use", "--pip").status == 0
    assert "expired" not in path.read_text()
    assert "timeout = 60\n" in path.read_text()
    assert mode(path) == 0o600


def test_an_open_index_needs_no_login_and_nobody_logged_in(
    stillroom: Stillroom, stub: StubServer, platform: Platform
) -> None:
    offer_index(stub, "root/pypi", is_open=True, is_mirror=True)
    result = stillroom("use", f"{stub.url}/root/pypi", "--pip", "--uv")
    assert result.status == 0, result.err
    path = platform.home / ".config" / "pip" / "pip.conf"
    assert path.read_text() == f"[global]\nindex-url = {stub.url}/root/pypi/simple/\n"
    uv_toml = tomllib.loads((platform.home / ".config" / "uv" / "uv.toml").read_text())
    assert uv_toml["index"][0]["url"] == f"{stub.url}/root/pypi/simple/"
    assert "keyring-provider" not in uv_toml
    assert "POST /dev/+tokens" not in stub.methods()


def test_the_mode_of_a_file_without_a_secret_stays(
    stillroom: Stillroom, stub: StubServer, platform: Platform
) -> None:
    offer_index(stub, "root/pypi", is_open=True)
    target = platform.home / "dotfiles"
    target.write_text("")
    target.chmod(0o640)
    path = platform.home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    assert stillroom("use", f"{stub.url}/root/pypi", "--pip").status == 0
    assert path.is_symlink()
    assert mode(target) == 0o640
    assert "root/pypi" in target.read_text()


def test_a_closed_index_needs_a_login(
    stillroom: Stillroom, index: StubServer, platform: Platform
) -> None:
    result = stillroom("use", f"{index.url}/dev/sandbox", "--pip")
    assert result.status == 1
    assert "stillroom login USER" in result.err
    assert not (platform.home / ".config").exists()


def test_an_index_that_may_not_be_read_is_not_configured(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    index.script("GET", PAGE, message_reply("dev may not read the base corp/secret", 403))
    result = logged_in("use", "--pip")
    assert result.status == 1
    assert "dev may not read" in result.err
    assert not (platform.home / ".config").exists()


def test_a_file_that_cannot_be_changed_stops_everything(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    path = platform.home / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text("[[index")
    result = logged_in("use", "--pip", "--uv")
    assert result.status == 1
    assert "not valid TOML" in result.err
    assert not (platform.home / ".config" / "pip").exists()
    assert "POST /dev/+tokens" not in index.methods()


def test_what_was_written_is_checked(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    token = {"id": "t2", "token": "of-no-use"}
    index.script("POST", "/dev/+tokens", result_reply(token, "token", 201))
    result = logged_in("use", "--pip")
    assert result.status == 1
    assert "cannot be read with it" in result.err
    assert "of-no-use" not in result.err


def test_http_on_another_host_is_trusted_only_on_demand(
    stillroom: Stillroom, stub: StubServer, platform: Platform
) -> None:
    # 0.0.0.0 reaches this machine, and is no loopback address to pip.
    offer_index(stub, "root/pypi", is_open=True)
    host = stub.url.removeprefix("http://").replace("127.0.0.1", "0.0.0.0")
    entrance = {
        "login": "/+login",
        "authstatus": ["noauth", "", []],
        "index": "root/pypi",
        "simpleindex": "root/pypi/simple/",
    }
    stub.script("GET", "/root/pypi/+api", result_reply(entrance))
    path = platform.home / ".config" / "pip" / "pip.conf"
    told = stillroom("use", f"http://{host}/root/pypi", "--pip")
    assert told.status == 0, told.err
    assert "--trust-host" in told.err
    assert "trusted-host" not in path.read_text()
    assert stillroom("use", "--pip", "--trust-host").status == 0
    assert f"trusted-host = {host}\n" in path.read_text()
    assert stillroom("use", "--trust-host").status == 2


def test_the_keyring_keeps_the_token_where_pip_and_uv_find_it(
    logged_in: Stillroom,
    index: StubServer,
    platform: Platform,
    environment: Path,
    file_keyring: FileKeyring,
) -> None:
    path = with_keyring(platform)
    result = logged_in("use", "--pip", "--uv", environ=path)
    assert result.status == 0, result.err
    page = f"{index.url}{PAGE}"
    assert file_keyring.passwords() == {f"dev@{page}": READER}
    by_name = page.replace("http://", "http://dev@")
    pip_conf = platform.home / ".config" / "pip" / "pip.conf"
    assert pip_conf.read_text() == f"[global]\nindex-url = {by_name}\n"
    uv_toml = platform.home / ".config" / "uv" / "uv.toml"
    assert READER not in uv_toml.read_text()
    assert tomllib.loads(uv_toml.read_text())["keyring-provider"] == "subprocess"
    install_by_pip(platform, environment, **path)
    install_by_uv(platform, environment, **path)
    assert logged_in("use", "--pip", "--uv", environ=path).status == 0
    assert index.methods().count("POST /dev/+tokens") == 1


@pytest.mark.usefixtures("file_keyring")
def test_a_keyring_without_its_command_is_of_no_use_to_installers(
    logged_in: Stillroom, index: StubServer, platform: Platform, environment: Path
) -> None:
    # The command in the folder of the environment itself is one that pip does not look at.
    scripts = environment / "bin"
    (platform.home / "bin" / "keyring").rename(scripts / "keyring")
    environ = {"VIRTUAL_ENV": str(environment), "PATH": str(scripts)}
    result = logged_in("use", "--pip", environ=environ)
    assert result.status == 0, result.err
    assert "index-url = http://dev:" in (environment / "pip.conf").read_text()


def test_a_keyring_command_that_finds_nothing_leads_to_the_file(
    logged_in: Stillroom, index: StubServer, platform: Platform, file_keyring: FileKeyring
) -> None:
    (platform.home / "bin" / "keyring").write_text("#!/bin/sh\nexit 1\n")
    result = logged_in("use", "--pip", environ=with_keyring(platform))
    assert result.status == 0, result.err
    assert "does not find what was just kept" in result.err
    assert file_keyring.passwords() == {}
    path = platform.home / ".config" / "pip" / "pip.conf"
    assert "index-url = http://dev:" in path.read_text()
    assert mode(path) == 0o600


def test_variables_and_settings_that_have_a_say_are_told(
    logged_in: Stillroom, index: StubServer, platform: Platform
) -> None:
    path = platform.home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[global]\nextra-index-url = http://other/\n")
    environ = {"PIP_INDEX_URL": "http://x/", "UV_DEFAULT_INDEX": "http://x/"}
    result = logged_in("use", "--pip", "--uv", environ=environ)
    assert result.status == 0
    assert "PIP_INDEX_URL is set" in result.err
    assert "UV_DEFAULT_INDEX is set" in result.err
    assert "extra-index-url" in result.err
