"""How many passwords may be wrong."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import NotAuthenticated, StorageBusy, TooManyAttempts
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import COMMAND_LINE, Credentials
from stillroom_server.domain.names import UserName
from stillroom_server.services.guesses import GuessLimits, noted_name, noted_source
from support.fake_upstream import PATIENCE
from support.use_cases import DEV, PASSWORD, UseCases

LIMITS = GuessLimits(per_user=3, per_address=5, in_all=8, window=timedelta(minutes=5))
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def cases(clock) -> UseCases:
    return UseCases(clock=clock, guess_limits=LIMITS)


def guess(cases: UseCases, password: str, user: str = "dev", address: str | None = HERE) -> None:
    cases.authenticator.identify(Credentials(user, password, address))


def wrong(cases: UseCases, number: int, user: str = "dev", address: str | None = HERE) -> None:
    """Send so many wrong passwords, each of which is looked at."""
    for count in range(number):
        with pytest.raises(NotAuthenticated):
            guess(cases, f"wrong {count} {cases.clock()}", user, address)


def locked(
    cases: UseCases, user: str = "dev", address: str | None = HERE, password: str = PASSWORD
) -> TooManyAttempts:
    with pytest.raises(TooManyAttempts) as caught:
        guess(cases, password, user, address)
    return caught.value


@pytest.mark.parametrize("user", ["dev", "nobody", "no name!", "x" * 5_000, "nul\0", "\ud800"])
def test_a_name_has_so_many_guesses_whether_somebody_has_it_or_not(cases, user):
    wrong(cases, LIMITS.per_user, user)
    verified = cases.hasher.verified
    error = locked(cases, user, ELSEWHERE)
    assert error.retry_after == 300
    assert error.message == (
        "Too many wrong passwords were sent; try again in 300 seconds, or use a token, which "
        "works meanwhile."
    )
    assert cases.hasher.verified == verified
    # Names that are alike are not the same.
    wrong(cases, 1, f"{user}x", ELSEWHERE)


def test_an_address_has_so_many_guesses_for_all_names(cases):
    for number in range(LIMITS.per_address):
        wrong(cases, 1, f"user{number}")
    locked(cases)
    guess(cases, PASSWORD, address=ELSEWHERE)


def test_the_addresses_of_a_network_of_ipv6_count_as_one(cases):
    for number in range(LIMITS.per_address):
        wrong(cases, 1, f"user{number}", f"2001:db8:1:2:{number}::1")
    locked(cases, address="2001:db8:1:2:ffff::")
    guess(cases, PASSWORD, address="2001:db8:1:3::1")


def test_everybody_together_has_so_many_guesses(cases):
    for number in range(LIMITS.in_all):
        wrong(cases, 1, f"user{number}", f"192.0.2.{number}")
    locked(cases, address="198.51.100.1")


def test_the_window_moves_and_the_wait_ends_with_its_oldest_guess(cases):
    for _ in range(LIMITS.per_user):
        wrong(cases, 1)
        cases.clock.advance(seconds=60)
    assert locked(cases).retry_after == 120
    cases.clock.advance(seconds=119.5)
    assert locked(cases).retry_after == 1
    cases.clock.advance(seconds=0.5)
    guess(cases, PASSWORD)
    wrong(cases, 1)
    assert locked(cases, password="not remembered").retry_after == 60


def test_the_longest_of_several_waits_is_told(cases):
    for number in range(LIMITS.per_address - LIMITS.per_user):
        wrong(cases, 1, f"user{number}")
    cases.clock.advance(seconds=100)
    wrong(cases, LIMITS.per_user)
    assert locked(cases).retry_after == 300
    assert locked(cases, "other").retry_after == 200


def test_being_refused_is_no_guess(cases):
    wrong(cases, LIMITS.per_user)
    for number in range(20):
        cases.clock.advance(seconds=10)
        locked(cases, password=f"refused {number}")
    cases.clock.advance(seconds=100)
    guess(cases, PASSWORD)


def test_old_guesses_are_deleted_by_the_next_one(cases):
    wrong(cases, LIMITS.per_user)
    cases.clock.advance(seconds=300)
    wrong(cases, 1)
    with cases.reading() as unit:
        assert unit.guesses.counts("", "", cases.clock() - timedelta(days=1)).everybody == 1


def test_tokens_go_on_and_wrong_ones_are_not_counted(cases):
    secret = cases.login().secret
    for number in range(2 * LIMITS.in_all):
        for user in (None, "dev"):
            with pytest.raises(NotAuthenticated):
                cases.authenticator.identify(Credentials(user, f"stillroom_{number}", HERE))
    wrong(cases, LIMITS.per_user)
    assert cases.identify(secret, "dev").user == "dev"
    assert cases.identify(secret).user == "dev"


def test_a_password_that_was_verified_goes_on_for_five_minutes(cases):
    guess(cases, PASSWORD)
    wrong(cases, LIMITS.per_user)
    guess(cases, PASSWORD, address=ELSEWHERE)
    cases.clock.advance(seconds=299)
    guess(cases, PASSWORD)
    wrong(cases, 0)
    cases.clock.advance(seconds=0.5)
    locked_for = LIMITS.window - timedelta(seconds=299.5)
    assert locked(cases, password="another").retry_after == locked_for.total_seconds() + 0.5


def test_a_password_that_is_known_to_be_wrong_is_refused_as_such_while_locked(cases):
    wrong(cases, LIMITS.per_user - 1)
    with pytest.raises(NotAuthenticated):
        guess(cases, "last year's")
    locked(cases)
    with pytest.raises(NotAuthenticated):
        guess(cases, "last year's")


def test_login_is_limited_as_every_other_check(cases):
    for number in range(LIMITS.per_user):
        with pytest.raises(NotAuthenticated):
            cases.tokens.login("dev", f"wrong {number}")
    with pytest.raises(TooManyAttempts):
        cases.tokens.login("dev", PASSWORD)


def test_parallel_guesses_do_not_pass_the_gate_together(cases):
    def one(number: int) -> type[Exception]:
        try:
            guess(cases, f"wrong {number}")
        except (NotAuthenticated, TooManyAttempts) as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(one, range(100), timeout=PATIENCE))
    assert results.count(NotAuthenticated) == cases.hasher.verified == LIMITS.per_user
    assert results.count(TooManyAttempts) == 100 - LIMITS.per_user


def test_an_unlocked_user_logs_in_at_once(cases):
    wrong(cases, 1, "ada")
    wrong(cases, LIMITS.per_user)
    with cases.recorded() as recorded:
        assert cases.guesses.unlock("dev") == LIMITS.per_user
        # Nothing stands against this one: nothing happens.
        assert cases.guesses.unlock("bob") == 0
    assert recorded == ["user-unlocked"]
    with cases.reading() as unit:
        event = unit.journal.since(0, 10_000)[-1].event
    assert event == Event.by(
        COMMAND_LINE, EventKind.USER_UNLOCKED, user=UserName("dev"), details={"guesses": 3}
    )
    guess(cases, PASSWORD)
    with cases.reading() as unit:
        counts = unit.guesses.counts("ada", HERE, cases.clock() - timedelta(days=1))
    assert (counts.user, counts.address) == (1, 1)


def test_a_name_that_only_a_plugin_could_know_is_unlocked_as_well(cases):
    wrong(cases, LIMITS.per_user, r"DOMAIN\ada")
    assert cases.guesses.unlock(r"DOMAIN\ada") == LIMITS.per_user
    wrong(cases, 1, r"DOMAIN\ada")


def test_a_new_password_unlocks(cases):
    wrong(cases, LIMITS.per_user)
    cases.users.change(DEV, UserName("dev"), {"title": "locked still"})
    locked(cases)
    cases.users.change(DEV, UserName("dev"), {"password": "a new password"})
    guess(cases, "a new password")


class Away:
    """A database in which only some things can be done."""

    def __init__(self, database, *, reading: bool) -> None:
        self._database = database
        self._reading = reading

    def __getattr__(self, name: str):
        return getattr(self._database, name)

    @contextmanager
    def reading(self):
        if not self._reading:
            raise StorageBusy("away")
        with self._database.reading() as unit:
            yield unit

    @contextmanager
    def writing(self):
        raise StorageBusy("away")
        yield


class Overtaken(Away):
    """A database in which something happens before whoever has read can write."""

    def __init__(self, database, happens) -> None:
        super().__init__(database, reading=True)
        self._happens = happens

    def writing(self):
        self._happens()
        return self._database.writing()


def test_a_guess_that_is_overtaken_by_the_last_ones_that_may_be_is_refused(cases):
    database = cases.database

    def others_guess() -> None:
        cases.guesses._database = database
        wrong(cases, LIMITS.per_user)

    cases.guesses._database = Overtaken(database, others_guess)
    locked(cases)
    assert cases.hasher.verified == LIMITS.per_user


def test_who_is_refused_waits_for_no_writer(cases):
    wrong(cases, LIMITS.per_user)
    cases.guesses._database = Away(cases.database, reading=True)
    locked(cases)


@pytest.mark.parametrize("reading", [True, False])
def test_without_the_database_no_password_is_looked_at(cases, reading):
    cases.guesses._database = Away(cases.database, reading=reading)
    with pytest.raises(StorageBusy):
        guess(cases, PASSWORD)
    assert cases.hasher.verified == 0


def test_a_right_password_counts_where_that_cannot_be_taken_back(cases, monkeypatch, caplog):
    verify = cases.hasher.verify

    def away_meanwhile(*given):
        cases.guesses._database = Away(cases.database, reading=True)
        return verify(*given)

    monkeypatch.setattr(cases.hasher, "verify", away_meanwhile)
    with caplog.at_level(logging.WARNING):
        guess(cases, PASSWORD)
    assert "counts as a guess: away" in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("localhost", "localhost"),
        ("", ""),
        (None, ""),
        ("x" * 5_000, "x" * 100),
    ],
)
def test_an_address_stands_for_who_may_choose_it(address, source):
    assert noted_source(address) == source


def test_a_name_is_noted_so_that_a_database_takes_it():
    assert noted_name("dev") == "dev"
    strange = ["", "a b", "\0", "\ud800", "x" * 65, "x" * 66, "sha256:"]
    noted = {noted_name(name) for name in strange}
    assert len(noted) == len(strange)
    assert all(len(name) == 71 and name.isprintable() for name in noted)
