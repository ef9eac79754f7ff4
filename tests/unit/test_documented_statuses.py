"""docs/users/statuses.md names every status that the server answers with."""

import re
from pathlib import Path

from stillroom_server.web.errors import STATUS, TITLES

PAGE = Path(__file__).parents[2] / "docs" / "users" / "statuses.md"
DOCUMENTED = [int(number) for number in re.findall(r"^\| (\d{3}) \|", PAGE.read_text(), re.M)]
SUCCESS = {200, 201, 206, 302, 304, 416}
"""What views answer beside the errors of the table in `web.errors`."""


def test_every_status_is_documented_once_and_in_order() -> None:
    assert sorted(set(DOCUMENTED)) == DOCUMENTED
    assert set(DOCUMENTED) == {*STATUS.values(), *TITLES, *SUCCESS}
