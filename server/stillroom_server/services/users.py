"""Users: create, change, delete."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stillroom_server.domain.differences import differences
from stillroom_server.domain.errors import (
    Conflict,
    Fault,
    Forbidden,
    InvalidRequest,
    NotFound,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity, User
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ROOT, UserName

from .accounts import MAX_SECRET, TOKEN_PREFIX
from .changes import changing
from .groups import forget_member, is_named
from .ports import Clock, CommonPasswords, Database, PasswordHasher, Unit
from .publishing import forget_publishers
from .tokens import forget_index

_PUBLIC = ("title", "description")
_TEXTS = ("email", *_PUBLIC)
_FIELDS = (*_TEXTS, "custom_data")
# devpi's client sends the whole user back when it changes one field of it.
_ECHOED = frozenset(
    {"created", "modified", "username", "indexes", "groups", "has_password", "tokens"}
)


@dataclass(frozen=True, slots=True)
class Belongings:
    """The names of the groups of a user, and how many tokens there are that have not expired."""

    groups: tuple[str, ...]
    has_password: bool
    tokens: int


class UserService:
    """Accounts, as administrators and their owners see them."""

    def __init__(
        self,
        database: Database,
        hasher: PasswordHasher,
        clock: Clock,
        *,
        password_length: int,
        common_passwords: CommonPasswords,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._password_length = password_length
        self._common_passwords = common_passwords

    def get(self, name: UserName) -> tuple[User, list[Index]]:
        """A user and their indexes; raises NotFound."""
        with self._database.reading() as unit:
            return _existing(unit, name), unit.indexes.of_user(name)

    def belongings(self, user: User) -> Belongings:
        """What else a user has: groups, a password, tokens."""
        now = self._clock()
        with self._database.reading() as unit:
            groups = unit.groups.of_user(user.name)
            tokens = [one for one in unit.tokens.of_user(user.name) if one.expires > now]
        return Belongings(tuple(sorted(groups)), user.password_hash is not None, len(tokens))

    def all(self) -> list[tuple[User, list[Index]]]:
        """All users, each with their indexes."""
        with self._database.reading() as unit:
            users, indexes = unit.users.all(), unit.indexes.all()
        return [(user, [i for i in indexes if i.name.user == user.name]) for user in users]

    def create(self, identity: Identity, name: UserName, body: Mapping[str, object]) -> User:
        """Create a user; raises InvalidRequest naming all faults, or Conflict.

        `body` holds `password` and perhaps `email`, `title`, `description`, `custom_data`. With
        the password None, which only root may give, the user has none: for those who log in by a
        plugin or by tokens alone.
        """
        faults = self._faults(name, body)
        if "password" not in body:
            faults.append(Fault("password", "it is missing; a user needs one to log in"))
        if faults:
            raise InvalidRequest(faults)
        password = body["password"]
        if password is None and not identity.is_root:
            raise InvalidRequest.one("password", "only root creates users without one")
        if password is not None:
            _check_unlimited(identity)
        with self._database.reading() as unit:
            if unit.users.get(name) is not None:
                raise Conflict(f"User {name} exists already.")
        password_hash = None if password is None else self._hasher.hash(str(password))
        user = User(id=0, name=name, password_hash=password_hash, created=self._clock())
        user = _with_fields(user, body)
        with changing(self._database, identity) as unit:
            if not identity.is_root and is_named(unit, name):
                raise Conflict(
                    f"User {name} cannot be signed up for: access lists or projects name it "
                    "already, so root has to create it."
                )
            user = unit.users.add(user)
            unit.journal.record(Event.by(identity, EventKind.USER_CREATED, user=name))
        return user

    def change(self, identity: Identity, name: UserName, body: Mapping[str, object]) -> User:
        """Change some fields; an empty text deletes one.

        A new password ends all tokens and what stands against the user of wrong ones; None takes
        the password away, and ends all tokens as well.
        """
        changes = {key: value for key, value in body.items() if key not in _ECHOED}
        faults = self._faults(name, changes)
        if faults:
            raise InvalidRequest(faults)
        password = changes.get("password")
        sets_password = "password" in changes
        if sets_password:
            _check_unlimited(identity)
        password_hash = None if password is None else self._hasher.hash(str(password))
        with changing(self._database, identity) as unit:
            before = _existing(unit, name)
            after = _with_fields(before, changes)
            if sets_password:
                after = replace(after, password_hash=password_hash)
                unit.tokens.delete_all(name)
                unit.guesses.forget(name)
            if sets_password or after != before:
                after = replace(after, modified=self._clock())
                unit.users.change(after)
                kind = EventKind.USER_CHANGED
                details = _changed(before, after, sets_password=sets_password)
                unit.journal.record(Event.by(identity, kind, user=name, details=details))
        return after

    def delete(self, identity: Identity, name: UserName) -> None:
        """Delete a user with their indexes, and take them out of groups, lists and owners.

        No trusted publisher acts for them any more.

        Raises Forbidden if one of them is not volatile or the token in use is limited, Conflict
        if another user's index inherits from one of them.
        """
        with changing(self._database, identity) as unit:
            user = _existing(unit, name)
            indexes = unit.indexes.of_user(name)
            if indexes and identity.limits is not None:
                raise Forbidden(
                    f"Not allowed: the token in use is limited, and {name} has indexes, which "
                    "would go too; delete them first, or log in to do this."
                )
            for index in indexes:
                if not index.volatile:
                    raise Forbidden(
                        f"User {name} has the non-volatile index {index.name}; set volatile=true "
                        "on it first."
                    )
            _delete_indexes(unit, indexes)
            forget_publishers(unit, identity, name)
            forget_member(unit, identity, name)
            unit.users.delete(user)
            unit.journal.record(Event.by(identity, EventKind.USER_DELETED, user=name))
            for index in indexes:
                unit.journal.record(Event.by(identity, EventKind.INDEX_DELETED, index=index.name))
                forget_index(unit, identity, index.name)

    def _faults(self, name: UserName, body: Mapping[str, object]) -> list[Fault]:
        faults = [
            Fault(
                key, "unknown field; a user has password, email, title, description, custom_data"
            )
            for key in body
            if key not in {"password", *_FIELDS}
        ]
        for key in _TEXTS:
            value = body.get(key)
            if not (value is None or (isinstance(value, str) and len(value) <= 10_000)):
                faults.append(Fault(key, "it must be text of up to 10,000 characters"))
        custom = body.get("custom_data")
        if not (custom in (None, "") or isinstance(custom, Mapping)):
            faults.append(Fault("custom_data", "it must be a JSON object"))
        if "password" in body:
            faults.extend(self._password_faults(name, body["password"]))
        return faults

    def _password_faults(self, name: UserName, password: object) -> list[Fault]:
        if password is None:
            if name != ROOT:
                return []
            rule = "root needs one"
        elif not isinstance(password, str) or len(password) < self._password_length:
            rule = f"use text of at least {self._password_length} characters"
        elif len(password.encode(errors="surrogatepass")) > MAX_SECRET:
            rule = f"use at most {MAX_SECRET} bytes"
        elif password.startswith(TOKEN_PREFIX):
            rule = f"it must not begin with {TOKEN_PREFIX}, which marks a token"
        elif len(set(password.lower())) == 1:
            rule = "it must not be one character again and again"
        elif _without_decoration(password) in {_without_decoration(name), "stillroom"}:
            rule = "it must be more than the user's name, or the word stillroom, with digits"
        elif password in self._common_passwords:
            rule = f"it is among the {len(self._common_passwords):,} most used passwords"
        else:
            return []
        return [Fault("password", rule)]


def _without_decoration(text: str) -> str:
    """A text in lower case, without the digits and signs around its letters; as it is without."""
    letters = [position for position, char in enumerate(text) if char.isalpha()]
    return text[letters[0] : letters[-1] + 1].lower() if letters else text


def _check_unlimited(identity: Identity) -> None:
    if identity.limits is not None:
        raise Forbidden(
            "Not allowed: the token in use is limited, and whoever sets a password could log in "
            "without its limits; log in to do this."
        )


def _existing(unit: Unit, name: UserName) -> User:
    user = unit.users.get(name)
    if user is None:
        raise NotFound(f"There is no user {name}.")
    return user


def _with_fields(user: User, body: Mapping[str, object]) -> User:
    def text(key: str, current: str | None) -> str | None:
        return str(body[key] or "") or None if key in body else current

    custom = body.get("custom_data", user.custom_data)
    return replace(
        user,
        email=text("email", user.email),
        title=text("title", user.title),
        description=text("description", user.description),
        custom_data=custom if isinstance(custom, Mapping) else None,
    )


def _changed(before: User, after: User, *, sets_password: bool) -> dict[str, object]:
    """What the audit tells: which fields are others now, and how what everybody may read is."""
    fields = [key for key in _FIELDS if getattr(before, key) != getattr(after, key)]
    if sets_password:
        fields.append("password")
    one, other = ({key: getattr(user, key) for key in _PUBLIC} for user in (before, after))
    changes = differences(one, other)
    return {"fields": sorted(fields), **({"changes": changes} if changes else {})}


def _delete_indexes(unit: Unit, indexes: list[Index]) -> None:
    """Heirs first, so that no index ever inherits from one that is gone."""
    remaining = {index.name: index for index in indexes}
    while remaining:
        free = [name for name in remaining if not unit.indexes.heirs(name)]
        if not free:
            name = min(remaining)
            heirs = ", ".join(map(str, unit.indexes.heirs(name)))
            raise Conflict(f"Index {name} cannot be deleted: {heirs} inherits from it.")
        for name in free:
            unit.indexes.delete(remaining.pop(name))
