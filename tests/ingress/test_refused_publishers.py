"""twine and uv show why a large upload is refused, although they are still sending it."""

import random
from pathlib import Path

import httpx
import pytest

from e2e.machine import Machine
from support.distributions import make_wheel
from support.raw_http import spooled_by
from support.servers import ServerProcess

MAX_FILE = 1024 * 1024
SIZE = 60 * 1024 * 1024
COMMANDS = {
    "twine": ("upload", "--non-interactive", "--disable-progress-bar", "--repository-url"),
    "uv": ("publish", "--publish-url"),
}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"max_file_size": str(MAX_FILE)}


@pytest.fixture(scope="module")
def large_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is longer than all the buffers between a client and a server."""
    noise = random.Random(1).randbytes(SIZE)
    wheel = make_wheel("large", members={"data.bin": noise})
    return wheel.write_to(tmp_path_factory.mktemp("large"))


@pytest.mark.parametrize("tool", COMMANDS)
@pytest.mark.parametrize(
    ("index", "password", "words"),
    [
        ("root/stage", "", "max_file_size"),
        ("root/stage", "wrong", "Wrong user name"),
        ("root/pypi", "", "mirror"),
        ("root/absent", "", "root/absent"),
    ],
    ids=["too large", "a wrong password", "a mirror", "no index"],
)
def test_a_tool_shows_the_refusal_of_what_it_still_sends(
    server: ServerProcess,
    root: httpx.Client,
    tmp_path: Path,
    large_wheel: Path,
    tool: str,
    index: str,
    password: str,
    words: str,
) -> None:
    login = ("--username", "root", "--password", password or server.root_password)
    address = f"{server.url}/{index}/"
    ran = Machine(tmp_path).run(tool, *COMMANDS[tool], address, *login, large_wheel, status=None)
    assert ran.status != 0
    assert words in ran.text
    assert spooled_by(server.pid) == 0
