"""Guesses of passwords, behind the ports."""

from datetime import timedelta

from stillroom_server.services.ports import Database, GuessCounts
from support.rows import NOW

SECOND = timedelta(seconds=1)


def test_guesses_are_counted_for_a_user_for_an_address_and_in_all(database: Database) -> None:
    with database.writing() as unit:
        for seconds, (user, address) in enumerate(
            [("dev", "192.0.2.1"), ("dev", "192.0.2.2"), ("ada", "192.0.2.2"), ("ada", "")]
        ):
            unit.guesses.add(user, address, NOW + seconds * SECOND)
    with database.reading() as unit:
        assert unit.guesses.counts("ada", "192.0.2.2", NOW - SECOND) == GuessCounts(
            user=2,
            address=2,
            everybody=4,
            oldest_of_user=NOW + 2 * SECOND,
            oldest_of_address=NOW + SECOND,
            oldest=NOW,
        )


def test_only_guesses_after_the_time_count(database: Database) -> None:
    with database.writing() as unit:
        unit.guesses.add("dev", "192.0.2.1", NOW)
        unit.guesses.add("dev", "192.0.2.1", NOW + SECOND)
    with database.reading() as unit:
        counts = unit.guesses.counts("dev", "192.0.2.1", NOW)
    assert (counts.user, counts.address, counts.everybody) == (1, 1, 1)
    assert counts.oldest_of_user == counts.oldest_of_address == counts.oldest == NOW + SECOND


def test_without_guesses_there_is_no_oldest(database: Database) -> None:
    with database.writing() as unit:
        unit.guesses.add("dev", "192.0.2.1", NOW)
    with database.reading() as unit:
        counts = unit.guesses.counts("ada", "", NOW - SECOND)
        assert counts == GuessCounts(0, 0, 1, None, None, NOW)
        assert unit.guesses.counts("ada", "", NOW) == GuessCounts(0, 0, 0, None, None, None)


def test_a_guess_is_taken_back_alone_and_once(database: Database) -> None:
    with database.writing() as unit:
        first = unit.guesses.add("dev", "192.0.2.1", NOW)
        second = unit.guesses.add("dev", "192.0.2.1", NOW)
        assert first != second
        unit.guesses.delete(first)
        unit.guesses.delete(first)
        assert unit.guesses.counts("dev", "", NOW - SECOND).user == 1


def test_all_that_stands_against_a_user_is_forgotten(database: Database) -> None:
    with database.writing() as unit:
        for user in ("dev", "dev", "DEV", "ada"):
            unit.guesses.add(user, "192.0.2.1", NOW)
        assert unit.guesses.forget("dev") == 2
        assert unit.guesses.forget("dev") == 0
        counts = unit.guesses.counts("dev", "192.0.2.1", NOW - SECOND)
        assert (counts.user, counts.address) == (0, 2)


def test_old_guesses_are_deleted(database: Database) -> None:
    with database.writing() as unit:
        for seconds in range(4):
            unit.guesses.add("dev", "192.0.2.1", NOW + seconds * SECOND)
        assert unit.guesses.delete_before(NOW + SECOND) == 2
        assert unit.guesses.counts("dev", "", NOW - SECOND).oldest == NOW + 2 * SECOND


def test_guesses_take_no_serial_and_a_failed_unit_leaves_none(database: Database) -> None:
    before = database.serial()
    with database.writing() as unit:
        unit.guesses.add("dev", "192.0.2.1", NOW)
    assert database.serial() == before
    try:
        with database.writing() as unit:
            unit.guesses.add("dev", "192.0.2.1", NOW)
            raise KeyError
    except KeyError:
        pass
    with database.reading() as unit:
        assert unit.guesses.counts("dev", "", NOW - SECOND).everybody == 1
