"""The limits of guesses hold between processes, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import TooManyAttempts
from stillroom_server.services.guesses import Guesses, GuessLimits
from stillroom_server.storage.database import SqlDatabase
from support.rows import NOW

LIMITS = GuessLimits(per_user=7, per_address=100, in_all=100, window=timedelta(minutes=5))


@pytest.fixture
def processes(database_url: str) -> Iterator[list[Guesses]]:
    """Two that share nothing but the database."""
    with ExitStack() as stack:
        databases = [stack.enter_context(closing(SqlDatabase(database_url))) for _ in range(2)]
        yield [Guesses(database, lambda: NOW, LIMITS) for database in databases]


def test_guesses_at_the_same_moment_do_not_pass_together(processes: list[Guesses]) -> None:
    def admitted(number: int) -> bool:
        try:
            processes[number % 2].begin("dev", f"192.0.2.{number}")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(admitted, range(40))) == LIMITS.per_user


@pytest.mark.parametrize("user", ["nul\0", "\ud800", "x" * 10_000, "密码", r"DOMAIN\dev"])
def test_every_name_that_a_client_may_send_can_be_noted(
    processes: list[Guesses], user: str
) -> None:
    first, second = processes
    guess = first.begin(user, "not an address")
    second.take_back(guess)
    for _ in range(LIMITS.per_user):
        second.begin(user, "not an address")
    with pytest.raises(TooManyAttempts):
        first.begin(user, None)
    assert first.unlock(user) == LIMITS.per_user
