"""The vocabulary typed at the command line `stillroom`, in this process or as a process."""

import configparser
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from functional.vocabulary import Outcome, ReleasedFile
from stillroom_client.main import run
from stillroom_client.platform import Platform
from support.command_line import Result
from support.distributions import Distribution
from support.servers import BIN, clean_environment

Runner = Callable[[list[str], str, Path, Mapping[str, str]], Result]
"""Runs `stillroom` with arguments, what is typed, a working folder and an environment."""


def in_this_process(
    arguments: list[str], typed: str, folder: Path, environment: Mapping[str, str]
) -> Result:
    """Run the command line without the time that a process takes to start."""
    platform = Platform(
        system="linux",
        environ=environment,
        home=folder,
        working=folder,
        hostname="laptop",
        is_terminal=False,
    )
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.StringIO(typed)),
    ):
        status = run(arguments, platform)
    return Result(status, out.getvalue(), err.getvalue())


def as_a_process(
    arguments: list[str], typed: str, folder: Path, environment: Mapping[str, str]
) -> Result:
    """Run the command line as people do."""
    done = subprocess.run(
        [BIN / "stillroom", *arguments],
        input=typed,
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


class CommandLineDriver:
    """A person with a home folder of their own, in which the client keeps what it remembers."""

    def __init__(self, url: str, home: Path, runner: Runner) -> None:
        self.name = ""
        self._home = home
        self._runner = runner
        self._pip_configuration = home / "pip.conf"
        self._environment = clean_environment(
            home,
            STILLROOM_CLIENT_DIR=str(home / "client"),
            PIP_CONFIG_FILE=str(self._pip_configuration),
        )
        chosen = self._run("use", url)
        assert chosen.done, chosen.message

    def close(self) -> None:
        """There is nothing to close."""

    # Who asks

    def login(self, user: str, password: str) -> Outcome:
        outcome = self._run("login", user, "--password-stdin", typed=password)
        if outcome.done:
            self.name = user
        return outcome

    def logout(self) -> Outcome:
        return self._run("logout")

    def whoami(self) -> Outcome:
        outcome = self._json("whoami")
        return Outcome(outcome.done, outcome.done and outcome.data["user"], outcome.message)

    def installer_login(self, index: str) -> Outcome:
        outcome = self._run("use", index, "--pip", "--yes")
        if not outcome.done:
            return outcome
        configuration = configparser.RawConfigParser()
        configuration.read(self._pip_configuration)
        url = urlsplit(configuration["global"]["index-url"])
        return Outcome(done=True, data=(url.username, url.password))

    # Users

    def create_user(self, name: str, password: str, **fields: str) -> Outcome:
        words = _assignments(fields)
        return self._run("user", "create", name, *words, "--password-stdin", typed=password)

    def change_user(self, name: str, password: str | None = None, **fields: str) -> Outcome:
        words = ["user", "set", name, *_assignments(fields)]
        if password is None:
            return self._run(*words)
        return self._run(*words, "--password-stdin", typed=password)

    def delete_user(self, name: str) -> Outcome:
        return self._run("user", "delete", name, "--yes")

    def user(self, name: str) -> Outcome:
        return self._json("user", "show", name)

    def users(self) -> Outcome:
        return self._json("user", "list")

    # Indexes

    def create_index(self, name: str, **options: str) -> Outcome:
        return self._json("index", "create", name, *_assignments(options))

    def change_index(self, name: str, *operations: str) -> Outcome:
        return self._json("index", "set", name, *operations)

    def index(self, name: str) -> Outcome:
        return self._json("index", "show", name)

    def indexes(self) -> Outcome:
        outcome = self._json("index", "list")
        return Outcome(outcome.done, sorted(outcome.data or ()), outcome.message)

    def delete_index(self, name: str) -> Outcome:
        return self._run("index", "delete", name, "--yes")

    # What an index holds

    def upload(self, index: str, *distributions: Distribution) -> Outcome:
        folder = self._home / "dist"
        folder.mkdir(exist_ok=True)
        paths = [str(distribution.write_to(folder)) for distribution in distributions]
        outcome = self._json("upload", *paths, "--index", index)
        said = [row["message"] for row in outcome.data or ()]
        return Outcome(outcome.done, message="\n".join([*said, outcome.message]))

    def projects(self, index: str) -> Outcome:
        return self._json("list", "--index", index)

    def files(self, index: str, project: str) -> Outcome:
        outcome = self._json("list", project, "--index", index)
        return Outcome(
            outcome.done, [_released(row) for row in outcome.data or ()], outcome.message
        )

    def yank(
        self, index: str, project: str, version: str, *, reason: str = "", filename: str = ""
    ) -> Outcome:
        words = ["--reason", reason] if reason else []
        return self._of_release("yank", index, project, version, filename, *words)

    def unyank(self, index: str, project: str, version: str, *, filename: str = "") -> Outcome:
        return self._of_release("unyank", index, project, version, filename)

    def status(self, index: str, project: str) -> Outcome:
        return self._json("status", project, "--index", index)

    def set_status(self, index: str, project: str, status: str, *, reason: str = "") -> Outcome:
        words = ["--reason", reason] if reason else []
        return self._run("status", project, status, "--index", index, *words)

    def remove(
        self, index: str, project: str, version: str | None = None, *, force: bool = False
    ) -> Outcome:
        release = project if version is None else f"{project}=={version}"
        words = ["--force"] if force else []
        return self._run("remove", release, "--index", index, "--yes", *words)

    def push(self, source: str, project: str, version: str, target: str) -> Outcome:
        return self._json("push", f"{project}=={version}", target, "--index", source)

    # Who owns projects

    def owners(self, index: str, project: str) -> Outcome:
        return self._json("owner", "list", project, "--index", index)

    def change_owners(self, index: str, project: str, operation: str) -> Outcome:
        sign = "add" if operation.startswith("owners+=") else "remove"
        principals = operation.partition("=")[2].split(",")
        return self._json("owner", sign, project, *principals, "--index", index)

    def requests(self, index: str) -> Outcome:
        outcome = self._json("owner", "requests", "--index", index)
        pairs = [(one["project"], one["user"]) for one in outcome.data or ()]
        return Outcome(outcome.done, pairs, outcome.message)

    def approve(self, index: str, project: str, user: str) -> Outcome:
        return self._run("owner", "approve", project, user, "--index", index)

    def decline(self, index: str, project: str) -> Outcome:
        return self._run("owner", "decline", project, "--index", index)

    def _of_release(
        self, verb: str, index: str, project: str, version: str, filename: str, *words: str
    ) -> Outcome:
        chosen = ["--file", filename] if filename else []
        return self._run(verb, f"{project}=={version}", "--index", index, *chosen, *words)

    def _json(self, *words: str) -> Outcome:
        result = self._result([*words, "--json"])
        data = json.loads(result.out) if result.out else None
        return Outcome(result.status == 0, data, result.err)

    def _run(self, *words: str, typed: str = "") -> Outcome:
        result = self._result(list(words), typed)
        return Outcome(result.status == 0, message=result.err)

    def _result(self, words: list[str], typed: str = "") -> Result:
        result = self._runner(words, f"{typed}\n", self._home, self._environment)
        assert result.status in {0, 1}, f"stillroom {words}: {result.status} {result.err}"
        assert "Traceback" not in result.err
        assert "a bug in stillroom" not in result.err
        assert not typed or typed not in result.out + result.err, "a secret was printed"
        return result


def _assignments(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _released(row: Mapping[str, Any]) -> ReleasedFile:
    return ReleasedFile(
        version=row["version"],
        filename=row["filename"],
        index=row["index"],
        yanked=row["yanked"],
        sha256=row["hashes"]["sha256"],
    )
