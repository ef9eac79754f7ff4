"""The table of short forms in the docs is that of the code."""

import re
from pathlib import Path

from stillroom_server.domain.vendors import VENDORS, short_forms

PAGE = Path(__file__).parents[2] / "docs" / "admin" / "mirrors.md"


def test_the_docs_have_every_short_form_with_the_user_name_that_goes_with_it() -> None:
    section = PAGE.read_text().partition("### Short forms for vendors")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| (.+) \| (`.+`) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [
        (vendor.title, ", ".join(f"`{form}`" for form in short_forms(word)), vendor.user)
        for word, vendor in VENDORS.items()
    ]
