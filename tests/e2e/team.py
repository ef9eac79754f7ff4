"""What the tests agree on about the people at the server."""

from collections.abc import Callable

from support.canary import MARK

PASSWORD = f"dev{MARK}"
"""Of every user but root."""

MakeIndex = Callable[..., str]
"""`make_index(volatile="false")` makes an index of dev's; its full name."""
