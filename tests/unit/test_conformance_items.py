"""The conformance suite checks every item of its checklist, or says why it does not."""

from collections.abc import Iterator

import pytest

from conformance import items
from conformance.items import ITEMS, LEFT_OUT, Check, checks


def test_every_item_has_a_test_or_a_reason_for_none() -> None:
    tested = {check.number for check in checks()}
    assert not tested & LEFT_OUT.keys()
    assert tested | LEFT_OUT.keys() == set(range(1, ITEMS + 1))


def test_the_page_names_every_item() -> None:
    rows = [line.split(" | ")[0] for line in items.page().splitlines() if line.startswith("| ")]
    numbers = {int(cell[2:]) for cell in rows if cell[2:].isdecimal()}
    assert numbers == set(range(1, ITEMS + 1))


def test_items_stand_in_order_under_their_headings() -> None:
    found: Iterator[Check] = checks()
    order = [(check.group, check.number) for check in found]
    assert order == sorted(order)


@pytest.mark.parametrize("name", ["test_something", "test_001_silent", "test_002_without_level"])
def test_a_test_that_does_not_say_its_item_is_refused(
    name: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docstring = '"""Of no level."""' if name.endswith("level") else "..."
    module = f'"""A. Names: item 1."""\n\n\ndef {name}() -> None:\n    {docstring}\n'
    (tmp_path / "test_a.py").write_text(module)
    monkeypatch.setattr(items, "_FOLDER", tmp_path)
    with pytest.raises(ValueError, match=name):
        list(checks())
