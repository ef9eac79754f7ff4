"""The examples of the documentation: fenced blocks of Markdown, found and read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("users", "admin", "plugins")
        for path in (ROOT / "docs" / folder).glob("*.md")
    ),
]
"""Every page that has examples, from the root of the project."""

_FENCE = re.compile(
    r"^```(?P<language>[\w{}-]*)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: on which page and line it stands, its language, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """What is typed, and the lines that a page shows as its output (none: anything will do)."""

    typed: str
    shown: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Whether the page shows an error, so that the command has to fail."""
        return any(line.startswith(("error:", "stillroom-server:")) for line in self.shown)


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    text = (ROOT / page).read_text("utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match["language"], match["body"])


def commands(block: Block) -> list[Command]:
    """What a `console` block types, after `$` and, continued, `>`; a `sh` block is one command."""
    if block.language == "sh":
        return [Command(block.text, ())]
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1][0].append(line[2:])
        elif line.strip():
            assert found, f"{block.place} begins with output: {line}"
            found[-1][1].append(line)
    return [Command("\n".join(typed) + "\n", tuple(shown)) for typed, shown in found]


def first_missing(shown: Iterable[str], output: str) -> str | None:
    """The first line that a page shows and that does not come, in its order; `…` is anything."""
    lines = iter(output.splitlines())
    for line in shown:
        wanted = re.compile(".*".join(map(re.escape, line.rstrip().split("…"))))
        if not any(wanted.fullmatch(line.rstrip()) for line in lines):
            return line
    return None
