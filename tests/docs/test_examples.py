"""Every example of the documentation is true: it is typed at a terminal, or at least read.

Blocks of `sh` and `console` are typed, page by page and in order, at a real server process with a
local upstream in the place of the public index; the lines that `console` blocks show have to
appear. Blocks in other languages are read by what would read them.
"""

import configparser
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from docs.examples import PAGES, Block, blocks, commands
from docs.given import GIVEN
from docs.machine import Machine
from stillroom_server.app import settings
from stillroom_server.testing import LocalUpstream

SHELL = {"sh", "console"}

CHANGES_THE_SYSTEM = "it makes accounts, installs or starts services"
TYPED_ELSEWHERE = "tests/clients types it, where the tool is installed"

NOT_TYPED: Mapping[tuple[str, str], str] = {
    ("README.md", "make serve "): "the server of the test runs already",
    ("docs/users/installing.md", "poetry config "): TYPED_ELSEWHERE,
    ("docs/users/installing.md", "pdm config "): TYPED_ELSEWHERE,
    ("docs/users/installing.md", "hatch env "): TYPED_ELSEWHERE,
    ("docs/users/installing.md", "flit install "): TYPED_ELSEWHERE,
    ("docs/users/publishing.md", "poetry config "): TYPED_ELSEWHERE,
    ("docs/users/publishing.md", "FLIT_INDEX_URL="): TYPED_ELSEWHERE,
    ("docs/admin/installing.md", "sudo useradd "): CHANGES_THE_SYSTEM,
    ("docs/admin/installing.md", "sudo systemctl "): CHANGES_THE_SYSTEM,
    ("docs/admin/postgres.md", "sudo /opt/stillroom/bin/pip "): CHANGES_THE_SYSTEM,
    ("docs/admin/upgrading.md", "sudo systemctl stop "): CHANGES_THE_SYSTEM,
    ("docs/admin/upgrading.md", "sudo systemctl start "): CHANGES_THE_SYSTEM,
    ("docs/plugins/writing-plugins.md", "/opt/stillroom/bin/python -c 'import argon2"): (
        "argon2 is in the environment of a server, and not in that of the examples"
    ),
    ("docs/plugins/writing-plugins.md", "$ stillroom newest "): (
        "test_plugins.py types it where the plugin of the page is installed"
    ),
}
"""The blocks that cannot be typed here, by page and beginning, each with the reason."""

BLOCKS = [block for page in PAGES for block in blocks(page)]


def in_language(*languages: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.place)


# What is typed


def is_exempt(block: Block) -> bool:
    return any(
        block.page == page and block.text.startswith(beginning) for page, beginning in NOT_TYPED
    )


TYPED = [block for block in BLOCKS if block.language in SHELL and not is_exempt(block)]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Holds what a page needs, and lets go of it in the end."""
    with ExitStack() as resources:
        yield resources


@pytest.mark.parametrize("page", list(dict.fromkeys(block.page for block in TYPED)))
def test_what_a_page_types_does_what_the_page_shows(
    page: str, tmp_path: Path, stack: ExitStack, request: pytest.FixtureRequest
) -> None:
    given = GIVEN[page]
    database = ""
    if given.postgres:
        server = request.getfixturevalue("postgres_server")
        database = stack.enter_context(server.database(migrated=False))
    upstream = stack.enter_context(LocalUpstream())
    machine = Machine(tmp_path, upstream, given, database, stack)
    typed = [command for block in TYPED if block.page == page for command in commands(block)]

    outputs = machine.type(typed)

    for command, output in zip(typed, outputs, strict=True):
        machine.check(command, output)


@pytest.mark.parametrize("exempt", NOT_TYPED, ids=" ".join)
def test_what_is_not_typed_is_one_block(exempt: tuple[str, str]) -> None:
    page, beginning = exempt
    assert [b.page for b in BLOCKS if b.text.startswith(beginning)].count(page) == 1


# What is read


def test_every_block_is_in_a_language_that_is_checked() -> None:
    known = {*SHELL, *READERS, "text", "nginx", "caddy", "{literalinclude}", "{toctree}"}
    assert [block.place for block in BLOCKS if block.language not in known] == []


def _ini(text: str) -> None:
    configparser.RawConfigParser(strict=False).read_string(text)


def _python(text: str) -> None:
    compile(text, "example", "exec")


READERS: Mapping[str, Callable[[str], object]] = {
    "ini": _ini,
    "json": json.loads,
    "python": _python,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


@in_language(*READERS)
def test_a_block_can_be_read(block: Block) -> None:
    READERS[block.language](block.text)


@in_language("nginx", "caddy")
def test_braces_are_balanced(block: Block) -> None:
    assert block.text.count("{") == block.text.count("}")


@pytest.mark.parametrize(
    "block",
    [b for b in BLOCKS if b.language == "toml" and b.page.startswith("docs/admin/")],
    ids=lambda block: block.place,
)
def test_settings_are_ones_that_a_server_takes(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "stillroom.toml"
    file.write_text(block.text)
    loaded = settings.load({"config": str(file)}, {})
    assert str(file) in " ".join(loaded.sources.values())
