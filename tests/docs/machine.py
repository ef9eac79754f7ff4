"""The machine on which the examples of a page are typed, with the server of that page."""

import os
import re
import shutil
import venv
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from docs.examples import Command, first_missing
from docs.given import Given
from docs.terminal import Terminal
from stillroom_server.testing import LocalUpstream
from support.canary import MARK
from support.distributions import make_metadata, make_sdist, make_wheel, source_tree
from support.servers import BIN, LOOPBACK, ServerProcess, clean_environment

DEV_PASSWORD = f"dev{MARK}"
NEW_PASSWORD = "another-password"
NOWHERE = "http://127.0.0.1:9"
"""The proxy for all that is not on loopback: what tries to leave this machine fails."""

PIP = """\
#!/bin/sh
exec "{bin}/pip" --python "{environment}" "$@"
"""

CURL = """\
#!/bin/sh
exec "{bin}/python" "{script}" "$@"
"""


class Machine:
    """Types commands as a page has them, with the places and passwords of the test in them.

    `database` is the URL of an empty Postgres database, where the page needs one.
    """

    def __init__(
        self, folder: Path, upstream: LocalUpstream, given: Given, database: str, stack: ExitStack
    ) -> None:
        self._folder = folder
        self._upstream = upstream
        self._given = given
        self._database = database
        for name in ("srv", "backup", "home"):
            (folder / name).mkdir()
        self._server = ServerProcess(folder / "srv" / given.data, public_index=upstream.url)
        _fill(upstream)
        _make_project(folder / "myproject")
        if given.server:
            stack.enter_context(self._server)
        if given.user is not None:
            _move_in(self._server)

    def type(self, commands: Sequence[Command]) -> list[str]:
        """Type what the page needs, then its commands; the output of each of these."""
        before = Command(self._login() + self._given.commands, ())
        typed = [
            Command(self._placed(command.typed), command.shown) for command in (before, *commands)
        ]
        terminal = Terminal(self._folder, self._environment(), self._answers())
        return terminal.type(typed)[1:]

    def check(self, command: Command, output: str) -> None:
        """Assert that a command printed what the page shows."""
        missing = first_missing(map(self._placed, command.shown), output)
        assert missing is None, f"{command.typed}does not print:\n{missing}\nbut:\n{output}"

    def _login(self) -> str:
        if self._given.user is None:
            return ""
        place = "http://localhost:3141" + ("/dev/sandbox" if self._given.user == "dev" else "")
        return f"stillroom use {place}\nstillroom login {self._given.user}\n"

    def _placed(self, text: str) -> str:
        places = {
            r"make serve": f"cat {self._server.log}",
            r"sudo -u stillroom |/opt/stillroom/bin/": "",
            r"https://pypi\.example\.com": self._server.url,
            r"\b3141\b": str(self._server.port),
            r"/srv/": f"{self._folder}/srv/",
            r"/backup": f"{self._folder}/backup",
            r"https://upstream\.example\.com/simple/": self._upstream.url,
            r"postgresql://stillroom:PASSWORD@localhost/stillroom": self._database,
            r"(?<![A-Z_])PASSWORD(?!=)": DEV_PASSWORD,
        }
        # In one go: what is put in is not looked at again.
        said = re.compile("|".join(f"({pattern})" for pattern in places))
        meant = list(places.values())
        return said.sub(lambda match: meant[(match.lastindex or 0) - 1], text)

    def _answers(self) -> dict[str, str]:
        root_password = self._server.root_password if self._given.server else ""
        return {
            r"Password of root: ": root_password,
            r"New password of \w+: ": NEW_PASSWORD,
            r"Repeat for confirmation: ": NEW_PASSWORD,
            r"(assword (of|for) \w+(, again)?|your password): ": DEV_PASSWORD,
            r"\[(Y/n|y/N)\] ": "y",
        }

    def _environment(self) -> dict[str, str]:
        home = self._folder / "home"
        environment = home / "environment"
        venv.create(environment, symlinks=True)
        pip = environment / "bin" / "pip"
        pip.write_text(PIP.format(bin=BIN, environment=environment))
        pip.chmod(0o755)
        if shutil.which("curl") is None:
            curl = environment / "bin" / "curl"
            curl.write_text(CURL.format(bin=BIN, script=Path(__file__).with_name("curl.py")))
            curl.chmod(0o755)
        variables = clean_environment(
            home,
            PATH=os.pathsep.join([str(environment / "bin"), str(BIN), os.environ["PATH"]]),
            VIRTUAL_ENV=str(environment),
            STILLROOM_CLIENT_DIR=str(home / "stillroom"),
            DEVPI_CLIENTDIR=str(home / "devpi"),
            UV_PYTHON_DOWNLOADS="never",
            HTTP_PROXY=NOWHERE,
            HTTPS_PROXY=NOWHERE,
            NO_PROXY="localhost,127.0.0.1",
            STILLROOM_PRIVATE_UPSTREAMS=",".join(LOOPBACK),
        )
        del variables["PIP_CONFIG_FILE"]
        return variables


def _fill(upstream: LocalUpstream) -> None:
    for name in ("six", "idna"):
        for version in ("1.0", "1.1"):
            upstream.add(make_wheel(name, version))
            upstream.add(make_sdist(name, version))


def _make_project(folder: Path) -> None:
    folder.mkdir()
    metadata = make_metadata("myproject", "1.0", requires_dist=["six"], metadata_version="2.2")
    for path, content in source_tree("myproject", "1.0", metadata).items():
        (folder / path).write_bytes(content)


def _move_in(server: ServerProcess) -> None:
    with closing(server.login()) as root:
        assert root.put("/dev", json={"password": DEV_PASSWORD}).status_code == 201
    with closing(server.login("dev", DEV_PASSWORD)) as dev:
        for name, options in {
            "base": {"bases": "root/pypi"},
            "sandbox": {"bases": "dev/base"},
            "release": {"bases": "root/pypi", "volatile": "false"},
        }.items():
            assert dev.put(f"/dev/{name}", json=options).status_code == 200
