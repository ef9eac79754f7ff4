"""Users and `:groups` in lists. A server takes names that nobody has, since somebody may come."""

from collections.abc import Iterable

from ..errors import ServerError
from ..principals import names, nobody
from ..session import Session


def tell_of_nobody(session: Session, principals: Iterable[str]) -> None:
    """Say on standard error which of these users and `:groups` there are not."""
    named = names(principals)
    known = known_principals(session) if named else None
    for sentence in nobody(named, known) if known is not None else ():
        session.output.say(sentence)


def known_principals(session: Session) -> frozenset[str] | None:
    """All users and `:groups`; None where the server does not tell whoever asks."""
    try:
        # Refused to who is not logged in, to whom the list of users would not be whole.
        groups = session.server.groups()
        users = session.server.users()
    except ServerError:
        return None
    return frozenset([*users, *(f":{group}" for group in groups)])


def marked(principals: Iterable[str], known: frozenset[str] | None) -> list[str]:
    """Principals as they are shown, with a word to those that there are not."""
    return [
        principal if known is None or principal in known else f"{principal} (unknown)"
        for principal in principals
    ]
