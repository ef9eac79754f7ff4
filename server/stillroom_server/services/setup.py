"""The first start: the user root and the mirror root/pypi."""

import secrets

from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import User
from stillroom_server.domain.indexes import IndexType
from stillroom_server.domain.names import ROOT, IndexName

from .indexes import created_details
from .ports import Clock, Database, PasswordHasher

ROOT_MIRROR = IndexName(ROOT, "pypi")


def new_password() -> str:
    """A random password that is easily copied by hand: 20 letters and digits."""
    alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(20))


def is_set_up(database: Database) -> bool:
    """Whether the user root exists."""
    with database.reading() as unit:
        return unit.users.get(ROOT) is not None


def set_up(
    database: Database,
    hasher: PasswordHasher,
    clock: Clock,
    *,
    password: str,
    mirror: IndexType,
    mirror_url: str,
) -> None:
    """Create root and root/pypi, in one transaction."""
    password_hash = hasher.hash(password)
    now = clock()
    options = mirror.defaults() | {
        "mirror_url": mirror_url,
        # Millions of names: asked for never, unless an administrator turns this off.
        "mirror_no_project_list": True,
        "title": "The public index",
    }
    with database.writing() as unit:
        unit.users.add(User(id=0, name=ROOT, password_hash=password_hash, created=now))
        index = unit.indexes.add(
            ROOT_MIRROR,
            mirror.name,
            options,
            now,
            has_upstream=True,
        )
        unit.journal.record(Event(EventKind.USER_CREATED, user=ROOT))
        details = created_details(mirror, index)
        unit.journal.record(Event(EventKind.INDEX_CREATED, index=ROOT_MIRROR, details=details))
