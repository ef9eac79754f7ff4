"""What reads and types the examples would notice an example that is wrong."""

import os
from pathlib import Path

import pytest

from docs.examples import Block, Command, commands, first_missing
from docs.terminal import Terminal


def console(text: str) -> list[Command]:
    return commands(Block("page.md", 1, "console", text))


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A shell whose owner is called Ana."""
    return Terminal(tmp_path, {"PATH": os.environ["PATH"]}, {"Your name: ": "Ana"})


def test_commands_and_the_lines_that_they_show_are_told_apart() -> None:
    assert console("$ one \\\n>   more\nshown\n\nalso\n$ two\n") == [
        Command("one \\\n  more\n", ("shown", "also")),
        Command("two\n", ()),
    ]


def test_lines_that_are_shown_must_come_in_their_order() -> None:
    output = "first\nat 17:30\nlast\n"
    assert first_missing(["at …", "last"], output) is None
    assert first_missing(["last", "first"], output) == "first"
    assert first_missing(["fir"], output) == "fir"


def test_folders_and_variables_last_from_one_command_to_the_next(terminal: Terminal) -> None:
    typed = console("$ mkdir inner && cd inner && NAME=value\n$ echo $NAME in ${PWD##*/}\n")
    assert terminal.type(typed)[1] == "value in inner\n"


def test_questions_at_the_terminal_are_answered(terminal: Terminal) -> None:
    typed = console('$ read -p "Your name: " NAME </dev/tty\n$ echo hello $NAME\n')
    assert terminal.type(typed)[1] == "hello Ana\n"


@pytest.mark.parametrize("text", ["$ false\n$ echo on\n", "$ true\nerror: shown, but not so\n"])
def test_a_command_that_does_not_end_as_it_should_is_noticed(
    terminal: Terminal, text: str
) -> None:
    with pytest.raises(AssertionError, match="it ended with status"):
        terminal.type(console(text))


def test_a_refusal_that_is_shown_may_happen(terminal: Terminal) -> None:
    typed = console("$ { echo error: no; false; }\nerror: no\n$ echo on\n")
    assert terminal.type(typed) == ["error: no\n", "on\n"]
