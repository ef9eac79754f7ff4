"""The command as a process: help, version, exit statuses, terminals and pipes."""

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from stillroom_client.main import command_line
from stillroom_client.platform import Platform
from stillroom_client.plugins import Plugins
from support.command_line import Stillroom
from support.stub_server import StubServer, result_reply
from support.stub_stillroom import PASSWORD

COMMAND = Path(sys.executable).with_name("stillroom")


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(command_line(Plugins(print))))


def start(platform: Platform, *arguments: str, **options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [COMMAND, *arguments],
        env=dict(platform.environ),
        cwd=platform.working,
        text=True,
        **options,
    )


GROUPS = {
    "user": {"create", "list", "show", "set", "delete"},
    "group": {"create", "list", "show", "set", "delete", "add", "remove"},
    "index": {"create", "list", "show", "set", "delete"},
    "owner": {"list", "add", "remove", "requests", "approve", "decline"},
    "token": {"create", "list", "show", "revoke", "mint"},
    "issuer": {"list", "add", "remove"},
    "publisher": {"list", "add", "remove"},
}


def test_every_command_of_the_design_is_there() -> None:
    names = {" ".join(path) for path in ALL}
    assert names == (
        {"use", "login", "logout", "whoami"}
        | {"upload", "list", "remove", "yank", "unyank", "status", "push"}
        | {"access", "plan", "apply", "export", "audit", "who-got"}
        | set(GROUPS)
        | {f"{group} {verb}" for group, verbs in GROUPS.items() for verb in verbs}
    )


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(stillroom: Stillroom, path: tuple[str]) -> None:
    result = stillroom(*path, "--help")
    assert result.status == 0
    assert f"stillroom {' '.join(path)}" in result.out.partition("Examples:")[2]
    assert result.out == stillroom(*path, "-h").out


PRINTING = ["use", "whoami", "upload", "list", "push", "user list", "user show"]
PRINTING += ["index create", "index list", "index show", "index set"]
PRINTING += ["token create", "token list", "token show"]
PRINTING += ["user create", "user set", "group create", "group set", "group list", "group show"]
PRINTING += ["owner approve", "token revoke", "publisher list", "issuer list", "access"]
PRINTING += ["owner list", "owner add", "owner remove", "owner requests", "plan", "apply"]
PRINTING += ["export"]


@pytest.mark.parametrize("name", PRINTING)
def test_every_command_that_prints_data_prints_json(name: str) -> None:
    options = [
        option for parameter in ALL[tuple(name.split())].params for option in parameter.opts
    ]
    assert "--json" in options


def test_version(stillroom: Stillroom) -> None:
    result = stillroom("--version")
    assert result.status == 0
    assert result.out.startswith("stillroom 0.")


def test_wrong_usage_is_status_2_and_says_where_the_help_is(stillroom: Stillroom) -> None:
    for arguments in (["nonsense"], ["use", "--nonsense"], ["login"], ["user", "create"], []):
        result = stillroom(*arguments)
        assert result.status == 2, arguments
        assert result.out == ""
        assert "Usage: stillroom" in result.err


def test_help_comes_fast_and_without_the_heavy_libraries(platform: Platform) -> None:
    check = (
        "import sys; from stillroom_client.main import main; sys.argv[1:] = ['--help']; main(); "
        "heavy = {'httpx', 'rich', 'keyring', 'build', 'truststore'}; "
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=dict(platform.environ),
        capture_output=True,
        check=False,
        text=True,
    )
    # A bound for a busy machine; on an idle one it is a third of this.
    assert time.monotonic() - started < 1.5
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


def test_a_terminal_is_asked_for_the_password_and_does_not_show_it(
    platform: Platform, stub: StubServer
) -> None:
    with start(platform, "use", stub.url, stdout=subprocess.DEVNULL) as use:
        assert use.wait() == 0
    ours, theirs = pty.openpty()
    process = start(
        platform, "login", "dev", stdin=theirs, stderr=theirs, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"Password of dev: " not in shown:
        shown += os.read(ours, 1024)
    os.write(ours, f"{PASSWORD}\n".encode())
    try:
        while chunk := os.read(ours, 1024):
            shown += chunk
    except OSError:
        pass  # Linux says so when the other end of a terminal is closed.
    out, _ = process.communicate()
    os.close(ours)
    assert (process.returncode, out) == (0, "")
    assert b"Logged in as dev" in shown
    assert PASSWORD.encode() not in shown


def error_on_a_terminal(platform: Platform) -> bytes:
    ours, theirs = pty.openpty()
    process = start(platform, "whoami", stdin=theirs, stderr=theirs)
    os.close(theirs)
    process.wait()
    shown = os.read(ours, 4096)
    os.close(ours)
    assert process.returncode == 1
    assert b"no server is in use" in shown
    return shown


def test_colour_is_for_terminals_that_want_it(platform: Platform) -> None:
    assert b"\x1b[31m" in error_on_a_terminal(platform)
    platform.environ["NO_COLOR"] = "1"
    plain = error_on_a_terminal(platform)
    assert b"\x1b" not in plain
    assert plain.startswith(b"error: ")


def test_a_reader_that_has_read_enough_sees_no_traceback(
    platform: Platform, stub: StubServer
) -> None:
    stub.script("GET", "/", result_reply({f"user{n}": {} for n in range(50_000)}))
    platform.environ["STILLROOM_URL"] = stub.url
    with start(
        platform, "user", "list", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == "user0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1


def test_an_interrupt_is_one_word(stillroom: Stillroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stillroom_client.state.load", interrupted)
    result = stillroom("use")
    assert (result.status, result.err.strip()) == (1, "error: interrupted")
