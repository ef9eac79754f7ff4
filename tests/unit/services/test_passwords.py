"""What is remembered of passwords, and the guard before each check of one."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from stillroom_server.domain.errors import NotAuthenticated, Overloaded, TooManyAttempts
from stillroom_server.domain.identity import Credentials, Identity
from stillroom_server.domain.names import UserName
from stillroom_server.plugin.api import hookimpl
from stillroom_server.plugin.manager import Plugins
from stillroom_server.services.guesses import GuessLimits
from stillroom_server.services.passwords import KeyedHash, Outcome, PasswordMemory
from support.fake_upstream import PATIENCE, Gate
from support.servers import QuickHasher
from support.use_cases import DEV, PASSWORD, ROOT, UseCases

DEV_NAME = UserName("dev")
LIMITS = GuessLimits(per_user=3, per_address=5, in_all=8, window=timedelta(minutes=5))


class GatedHasher(QuickHasher):
    """A hasher that takes until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def verify(self, password_hash: str | None, password: str) -> bool:
        self.gate.pass_through()
        return super().verify(password_hash, password)


class Directory:
    """A plugin that knows passwords by itself."""

    def __init__(self, **passwords: str) -> None:
        self.passwords = passwords
        self.asked = 0
        self.trouble: Exception | None = None

    @hookimpl
    def stillroom_authenticate(self, credentials: Credentials) -> Identity | None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        if credentials.user and self.passwords.get(credentials.user) == credentials.secret:
            return Identity(user=UserName(credentials.user))
        return None


def refused(cases: UseCases, password: str = "wrong", user: str = "dev") -> None:
    with pytest.raises(NotAuthenticated):
        cases.identify(password, user)


def guesses_noted(cases: UseCases) -> int:
    with cases.reading() as unit:
        after = cases.clock() - timedelta(days=1)
        return unit.guesses.counts("", "", after).everybody


def limited(clock, **adapters: object) -> UseCases:
    return UseCases(clock=clock, guess_limits=LIMITS, **adapters)


# The memory


def test_an_outcome_is_remembered_for_its_lifetime(clock):
    memory = PasswordMemory(lifetime=300)
    remembered = memory.remember(b"key", Outcome.WRONG)
    clock.advance(seconds=299)
    assert memory.recall(b"key") == remembered
    clock.advance(seconds=1)
    assert memory.recall(b"key") is None


def test_what_came_of_it_last_counts_until_it_is_forgotten(clock):
    memory = PasswordMemory()
    memory.remember(b"key", Outcome.WRONG)
    memory.remember(b"key", Outcome.VOUCHED)
    assert memory.recall(b"key").outcome is Outcome.VOUCHED
    memory.forget(b"key")
    memory.forget(b"key")
    assert memory.recall(b"key") is None


def test_only_so_much_is_remembered_and_what_was_noted_first_goes_first(clock):
    memory = PasswordMemory(size=3)
    for key in (b"a", b"b", b"c", b"a", b"d"):
        memory.remember(key, Outcome.WRONG)
    assert [key for key in (b"a", b"b", b"c", b"d") if memory.recall(key)] == [b"a", b"c", b"d"]


def test_a_keyed_hash_keeps_its_texts_apart_and_its_key_to_itself():
    keyed = KeyedHash()
    texts = [("a", "b"), ("ab", ""), ("a", None), ("a", "None"), ("b", "a"), ("a', 'b",)]
    assert len({keyed(*parts) for parts in texts}) == len(texts)
    assert keyed("a", "b") == keyed("a", "b") != KeyedHash()("a", "b")


# Passwords on record


def test_a_right_password_is_computed_once_in_five_minutes(cases: UseCases):
    for _ in range(5):
        assert cases.identify(PASSWORD, "dev").user == "dev"
    assert cases.hasher.verified == 1
    cases.clock.advance(seconds=299)
    cases.identify(PASSWORD, "dev")
    assert cases.hasher.verified == 1
    cases.clock.advance(seconds=1)
    cases.identify(PASSWORD, "dev")
    assert cases.hasher.verified == 2


def test_a_change_elsewhere_makes_no_password_be_computed_again(cases: UseCases):
    cases.identify(PASSWORD, "dev")
    cases.users.create(ROOT, UserName("ada"), {"password": PASSWORD})
    cases.users.change(DEV, DEV_NAME, {"title": "new"})
    assert cases.identify(PASSWORD, "dev").user == "dev"
    assert cases.hasher.verified == 1


@pytest.mark.parametrize("user", ["dev", "nobody", "not a name!"])
def test_the_same_wrong_password_is_computed_and_counted_once_in_five_minutes(
    cases: UseCases, user: str
):
    for _ in range(5):
        refused(cases, user=user)
    assert (cases.hasher.verified, guesses_noted(cases)) == (1, 1)
    cases.clock.advance(seconds=299)
    refused(cases, user=user)
    assert (cases.hasher.verified, guesses_noted(cases)) == (1, 1)
    cases.clock.advance(seconds=1)
    refused(cases, user=user)
    assert cases.hasher.verified == 2


def test_a_password_that_was_wrong_is_right_as_soon_as_it_is_set(cases: UseCases):
    refused(cases, "tomorrows one")
    cases.users.change(DEV, DEV_NAME, {"password": "tomorrows one"})
    assert cases.identify("tomorrows one", "dev").user == "dev"


def test_a_password_of_nobody_is_right_as_soon_as_there_is_somebody(cases: UseCases):
    refused(cases, "adas password", "ada")
    cases.users.create(ROOT, UserName("ada"), {"password": "adas password"})
    assert cases.identify("adas password", "ada").user == "ada"


def test_a_right_password_leaves_no_guess(cases: UseCases):
    cases.identify(PASSWORD, "dev")
    assert guesses_noted(cases) == 0


def test_a_guess_is_noted_before_anything_is_computed(clock):
    hasher = GatedHasher()
    cases = UseCases(clock=clock, hasher=hasher)
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(cases.identify, PASSWORD, "dev")
        hasher.gate.wait_for_one()
        assert guesses_noted(cases) == 1
        hasher.gate.open()
        assert check.result(PATIENCE).user == "dev"
    assert guesses_noted(cases) == 0


def test_equal_checks_in_flight_are_joined(clock, wait_for_followers):
    hasher = GatedHasher()
    cases = limited(clock, hasher=hasher)
    with ThreadPoolExecutor(6) as pool:
        checks = [pool.submit(cases.identify, PASSWORD, "dev")]
        hasher.gate.wait_for_one()
        checks += [pool.submit(cases.identify, PASSWORD, "dev") for _ in range(5)]
        wait_for_followers(5)
        assert guesses_noted(cases) == 1
        hasher.gate.open()
        assert {check.result(PATIENCE).user for check in checks} == {"dev"}
    assert hasher.verified == 1


def test_a_check_that_was_not_made_is_no_guess(clock):
    class BusyHasher(QuickHasher):
        def verify(self, password_hash: str | None, password: str) -> bool:
            raise Overloaded("busy")

    cases = UseCases(clock=clock, hasher=BusyHasher())
    for _ in range(2):
        with pytest.raises(Overloaded):
            cases.identify("wrong", "dev")
    assert guesses_noted(cases) == 0


def test_who_finds_no_place_at_the_hasher_costs_no_write(clock):
    class FullHasher(QuickHasher):
        def place(self):
            raise Overloaded("full")

    cases = UseCases(clock=clock, hasher=FullHasher())
    before = cases.database.writes
    with pytest.raises(Overloaded):
        cases.identify("wrong", "dev")
    assert cases.database.writes == before


def test_the_place_is_taken_before_the_guess_is_noted_and_kept_while_it_is_hashed(clock):
    seen = []

    class WatchedHasher(QuickHasher):
        @contextmanager
        def place(self):
            seen.append(("place", guesses_noted(cases)))
            yield
            seen.append(("gone", guesses_noted(cases)))

        def verify(self, password_hash: str | None, password: str) -> bool:
            seen.append(("verify", guesses_noted(cases)))
            return super().verify(password_hash, password)

    cases = UseCases(clock=clock, hasher=WatchedHasher())
    refused(cases)
    assert seen == [("place", 0), ("verify", 1), ("gone", 1)]


# Passwords that plugins know


@pytest.fixture
def directory() -> Directory:
    return Directory(ada="adas password")


@pytest.fixture
def with_directory(clock, directory: Directory) -> UseCases:
    """Three guesses for each user, and a plugin that knows ada."""
    cases = limited(clock, plugins=Plugins({"directory": directory}))
    with cases.database.writing() as unit:
        dev = unit.users.get(DEV_NAME)
        unit.users.add(replace(dev, name=UserName("ada"), password_hash=None))
    return cases


def test_passwords_that_a_plugin_checks_are_limited_too(with_directory, directory):
    for number in range(LIMITS.per_user):
        refused(with_directory, f"wrong {number}", "ada")
    asked = directory.asked
    for password in ("wrong again", "adas password"):
        with pytest.raises(TooManyAttempts):
            with_directory.identify(password, "ada")
    assert directory.asked == asked


def test_a_password_that_a_plugin_vouched_for_goes_on_when_its_user_is_locked(
    with_directory, directory
):
    assert with_directory.identify("adas password", "ada").user == "ada"
    for number in range(LIMITS.per_user):
        refused(with_directory, f"wrong {number}", "ada")
    assert with_directory.identify("adas password", "ada").user == "ada"


def test_a_plugin_is_asked_each_time_for_what_it_knows_by_itself(with_directory, directory):
    for asked in (1, 2, 3):
        assert with_directory.identify("adas password", "ada").user == "ada"
        assert directory.asked == asked
    directory.passwords.clear()
    refused(with_directory, "adas password", "ada")


def test_a_password_that_a_plugin_vouches_for_no_longer_is_a_guess_from_then_on(
    with_directory, directory
):
    with_directory.identify("adas password", "ada")
    directory.passwords.clear()
    refused(with_directory, "adas password", "ada")
    assert guesses_noted(with_directory) == 0
    refused(with_directory, "adas password", "ada")
    assert guesses_noted(with_directory) == 1


def test_a_plugin_that_says_yes_does_not_make_the_hash_on_record_match(with_directory, directory):
    directory.passwords["dev"] = "by the plugin"
    assert with_directory.identify("by the plugin", "dev").user == "dev"
    directory.passwords.clear()
    refused(with_directory, "by the plugin")


def test_a_plugin_that_cannot_tell_costs_no_guess(with_directory, directory):
    directory.trouble = Overloaded("busy")
    for _ in range(LIMITS.per_user + 1):
        with pytest.raises(Overloaded):
            with_directory.identify("adas password", "ada")
    directory.trouble = None
    assert with_directory.identify("adas password", "ada").user == "ada"


def test_a_plugin_that_refuses_for_good_costs_a_guess(with_directory, directory):
    directory.trouble = NotAuthenticated("no")
    for _ in range(3):
        refused(with_directory, "wrong 0", "ada")
    assert (guesses_noted(with_directory), directory.asked) == (1, 1)
    for number in range(LIMITS.per_user):
        refused(with_directory, f"wrong {number}", "ada")
    assert guesses_noted(with_directory) == LIMITS.per_user
    with pytest.raises(TooManyAttempts):
        with_directory.identify("adas password", "ada")


def test_a_plugin_may_add_to_what_the_accounts_say_without_a_new_computation(clock):
    class Grouping:
        @hookimpl(tryfirst=True)
        def stillroom_authenticate(self, credentials, accounts):
            identity = accounts.by_password(credentials)
            return identity and replace(identity, groups=frozenset({"staff"}))

    cases = UseCases(clock=clock, plugins=Plugins({"grouping": Grouping()}))
    for _ in range(3):
        assert "staff" in cases.identify(PASSWORD, "dev").groups
    assert cases.hasher.verified == 1


def test_a_wrong_password_is_computed_once_whoever_asks_the_accounts(clock):
    class Curious:
        @hookimpl(tryfirst=True)
        def stillroom_authenticate(self, credentials, accounts):
            accounts.by_password(credentials)

    cases = UseCases(clock=clock, plugins=Plugins({"curious": Curious()}))
    refused(cases)
    assert cases.hasher.verified == 1


def test_what_is_known_of_one_password_says_nothing_of_another_that_a_plugin_tries(clock):
    class Aliases:
        """Asks with another password in the place of the one that was sent."""

        @hookimpl(tryfirst=True)
        def stillroom_authenticate(self, credentials, accounts):
            return accounts.by_password(Credentials("dev", f"{credentials.secret}!"))

    cases = UseCases(clock=clock, plugins=Plugins({"aliases": Aliases()}))
    assert cases.identify(PASSWORD, "dev").user == "dev"
    assert cases.hasher.verified == 2
    cases.users.change(DEV, DEV_NAME, {"title": "new"})
    assert cases.identify(PASSWORD, "dev").user == "dev"
    assert cases.hasher.verified == 3
