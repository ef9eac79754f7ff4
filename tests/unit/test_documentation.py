"""The documentation is checked like code: the decisions, and the script that writes pages."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
RECORDS = sorted((DOCS / "adr").glob("0*.md"))


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(DOCS), *sys.path])
        return importlib.import_module("reference")


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_has_its_five_parts_and_stands_in_the_list(record):
    text = record.read_text("utf-8")
    number = record.name[:4]
    title = text.splitlines()[0]

    assert title.startswith(f"# {number}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Status",
        "Context",
        "Decision",
        "Alternatives",
        "Consequences",
    ]
    row = f"| [{number}]({record.name}) | {title.removeprefix(f'# {number}: ')} |"
    assert row in (DOCS / "adr" / "README.md").read_text("utf-8")


def test_decisions_are_numbered_without_a_gap():
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_a_page_is_stale_if_it_differs_is_missing_or_belongs_to_nothing(reference, tmp_path):
    for name, text in {"same.md": "a", "differs.md": "b", "leftover.md": "c"}.items():
        (tmp_path / name).write_text(text, "utf-8")

    names = reference.stale({"same.md": "a", "differs.md": "new", "missing.md": "d"}, tmp_path)

    assert names == ["differs.md", "leftover.md", "missing.md"]


def test_a_table_escapes_bars_and_drops_columns_that_are_empty(reference):
    shown = reference.table(("a", "b", "c"), [("x | y", "", 1), ("two\nlines", "", 2)])

    assert shown == "| a | c |\n| --- | --- |\n| x \\| y | 1 |\n| two lines | 2 |\n"


def test_annotations_and_strings_are_read_as_they_are_written(reference):
    class Sample:
        """A sample."""

        first: "str | None" = None
        """What comes first."""
        second: int = 2

        def ask(self, who: "str", times: int) -> bool:
            """Ask."""
            return bool(who) and times > 0

    fields = [(m.name, m.annotation, m.doc) for m in reference.members(Sample)]
    asked = [(m.name, m.signature, m.doc) for m in reference.methods(Sample)]

    assert fields == [("first", "str | None", "What comes first."), ("second", "int", "")]
    assert asked == [("ask", "ask(who: str, times: int) -> bool", "Ask.")]


def test_a_hook_that_does_not_say_its_kind_is_refused(reference):
    class Hooks:
        def stillroom_odd(self) -> None:
            """Do something."""

    with pytest.raises(ValueError, match="stillroom_odd"):
        reference._hooks(Hooks)


def test_every_reference_page_says_that_it_is_generated(reference):
    pages = reference.rendered()

    assert set(pages) == {"index.md", *(f"{name}.md" for name in reference.PAGES)}
    assert all("make reference" in text for text in pages.values())
