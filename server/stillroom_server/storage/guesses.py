"""Guesses of passwords in SQL."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from stillroom_server.services.ports import GuessCounts

from . import schema

_guesses = schema.password_guesses


class SqlPasswordGuesses:
    """The port `PasswordGuesses`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(self, user: str, address: str, after: datetime) -> GuessCounts:
        """The guesses made after a time: against a user, from an address, and all."""
        number, oldest = func.count(), func.min(_guesses.c.at)
        of_user = _guesses.c.user_name == user
        of_address = _guesses.c.address == address
        query = select(
            number.filter(of_user),
            number.filter(of_address),
            number,
            oldest.filter(of_user),
            oldest.filter(of_address),
            oldest,
        ).where(_guesses.c.at > after)
        return GuessCounts(*self._connection.execute(query).one())

    def add(self, user: str, address: str, at: datetime) -> int:
        """Note a guess; its id."""
        statement = insert(_guesses).values(user_name=user, address=address, at=at)
        new_id: int = self._connection.scalars(statement.returning(_guesses.c.id)).one()
        return new_id

    def delete(self, guess_id: int) -> None:
        """Take a guess back; one that is gone already is passed over."""
        self._connection.execute(delete(_guesses).where(_guesses.c.id == guess_id))

    def forget(self, user: str) -> int:
        """Delete all that stands against a user; how many there were."""
        statement = delete(_guesses).where(_guesses.c.user_name == user)
        return self._connection.execute(statement).rowcount

    def delete_before(self, at: datetime) -> int:
        """Delete the guesses made at a time or before it; how many there were."""
        return self._connection.execute(delete(_guesses).where(_guesses.c.at <= at)).rowcount
