"""Where words go: data to standard output, talk to standard error."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click


class Output:
    """Prints data and talk. `as_json` is set by `--json`, `debug` by `--debug`."""

    def __init__(self, *, colour: bool) -> None:
        self.as_json = False
        self.debugging = False
        self._colour = colour

    def data(self, value: Any, lines: Iterable[str]) -> None:
        """Print what was asked for: the value as JSON, or its lines for people."""
        if self.as_json:
            click.echo(json.dumps(value, indent=2))
            return
        for line in lines:
            click.echo(printable(line))

    def table(
        self, value: Any, header: Sequence[str], rows: Sequence[Sequence[str]], *, otherwise: str
    ) -> None:
        """Print rows under a header, or the value as JSON; where there are none, say so."""
        self.data(value, columns([header, *rows]) if rows else [])
        if not rows:
            self.say(otherwise)

    def item(self, line: str) -> None:
        """Print a line of data as soon as it is known; `--json` prints the whole at the end."""
        if not self.as_json:
            click.echo(printable(line))

    def say(self, text: str) -> None:
        """Tell the person at the terminal something that is not data."""
        click.echo(printable(text), err=True)

    def ask(self, question: str) -> str:
        """Ask on standard error; the line that was typed."""
        click.echo(f"{printable(question)} ", err=True, nl=False)
        return sys.stdin.readline().strip()

    def debug(self, text: str) -> None:
        """Tell what goes on inside, if `--debug` was given."""
        if self.debugging:
            self.say(f"debug: {text}")

    def error(self, message: str) -> None:
        """Tell why a command failed. The word says it; colour only helps to find it."""
        label = click.style("error:", fg="red", bold=True) if self._colour else "error:"
        click.echo(f"{label} {printable(message)}", err=True)


def printable(text: str) -> str:
    """The text with control and direction characters replaced.

    Names and messages come from a server, and a terminal obeys what it is sent.
    """
    return "".join("\ufffd" if _is_control(character) else character for character in text)


def _is_control(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cf"}


def on_one_line(text: str) -> str:
    """The text with escapes in the place of all that is not printable, ends of lines too.

    Nobody can then forge a line of a list, or hide in one.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
