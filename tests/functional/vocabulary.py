"""What people do with a Stillroom, in the words of the design; the drivers say how it is done.

A test written in this vocabulary runs against the HTTP API and against the command line alike.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from support.distributions import Distribution


@dataclass(frozen=True)
class Outcome:
    """What came of an act: whether it was done, the data that was given, and what was said."""

    done: bool
    data: Any = None
    message: str = ""


@dataclass(frozen=True)
class ReleasedFile:
    """A file of a project, as people list it; `index` is the one that holds it."""

    version: str
    filename: str
    index: str
    yanked: bool | str
    sha256: str


Login = tuple[str, str]
"""A user with a password or token, as installers send them."""


class Person(Protocol):
    """Somebody at work with one server. At first nobody is logged in.

    Where an outcome has data, the docstring says which; all acts can be refused. `name` is the
    user who logged in last.
    """

    name: str

    def close(self) -> None: ...

    # Who asks

    def login(self, user: str, password: str) -> Outcome: ...

    def logout(self) -> Outcome: ...

    def whoami(self) -> Outcome:
        """The name of the user."""
        ...

    def installer_login(self, index: str) -> Outcome:
        """Get a `Login` that can only read, and only this index."""
        ...

    # Users

    def create_user(self, name: str, password: str, **fields: str) -> Outcome: ...

    def change_user(self, name: str, password: str | None = None, **fields: str) -> Outcome: ...

    def delete_user(self, name: str) -> Outcome: ...

    def user(self, name: str) -> Outcome:
        """The fields of a user; `indexes` are names."""
        ...

    def users(self) -> Outcome:
        """The names of all users, sorted."""
        ...

    # Indexes, by their full names

    def create_index(self, name: str, **options: str) -> Outcome:
        """The options of the new index."""
        ...

    def change_index(self, name: str, *operations: str) -> Outcome:
        """Apply `key=value`, `key+=value` and `key-=value`; the options after that."""
        ...

    def index(self, name: str) -> Outcome:
        """The options of an index."""
        ...

    def indexes(self) -> Outcome:
        """The full names of all indexes, sorted."""
        ...

    def delete_index(self, name: str) -> Outcome: ...

    # What an index holds

    def upload(self, index: str, *distributions: Distribution) -> Outcome: ...

    def projects(self, index: str) -> Outcome:
        """The names of the projects of the index itself, sorted."""
        ...

    def files(self, index: str, project: str) -> Outcome:
        """The files of a project that the index shows, as `ReleasedFile`s, newest first."""
        ...

    def yank(
        self, index: str, project: str, version: str, *, reason: str = "", filename: str = ""
    ) -> Outcome: ...

    def unyank(self, index: str, project: str, version: str, *, filename: str = "") -> Outcome: ...

    def status(self, index: str, project: str) -> Outcome:
        """The `status` of a project, and the `reason` if there is one."""
        ...

    def set_status(
        self, index: str, project: str, status: str, *, reason: str = ""
    ) -> Outcome: ...

    def remove(
        self, index: str, project: str, version: str | None = None, *, force: bool = False
    ) -> Outcome: ...

    def push(self, source: str, project: str, version: str, target: str) -> Outcome: ...

    # Who owns projects

    def owners(self, index: str, project: str) -> Outcome:
        """The owners of a project, sorted."""
        ...

    def change_owners(self, index: str, project: str, operation: str) -> Outcome:
        """Apply `owners+=ci,:team` or `owners-=ci`; the owners after that."""
        ...

    def requests(self, index: str) -> Outcome:
        """Who asks to bring which project, as pairs of a project and a user."""
        ...

    def approve(self, index: str, project: str, user: str) -> Outcome: ...

    def decline(self, index: str, project: str) -> Outcome: ...
