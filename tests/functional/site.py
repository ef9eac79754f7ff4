"""A place of work: one running server, its upstream, and the people there."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from functional.command_line_driver import CommandLineDriver, as_a_process, in_this_process
from functional.http_driver import HttpDriver
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.canary import MARK
from support.servers import ServerProcess

MakeIndex = Callable[..., str]
"""`make_index(dev, bases="root/pypi")` makes an index of dev's; its full name."""


@dataclass
class Site:
    """A server with its upstream, and the people who work with it."""

    server: ServerProcess
    upstream: LocalUpstream
    folder: Path
    people: ExitStack
    staff: dict[tuple[str, str], Person] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def unique(self, word: str) -> str:
        """A name that nobody else at this site has."""
        return f"{word}-{next(self.numbers)}"

    def newcomer(self, driver: str) -> Person:
        """Somebody who is not logged in."""
        url = self.server.url
        person: Person
        if driver == "http":
            person = HttpDriver(url)
        else:
            home = self.folder / self.unique("home")
            home.mkdir()
            runner = as_a_process if driver == "process" else in_this_process
            person = CommandLineDriver(url, home, runner)
        self.people.callback(person.close)
        return person

    def root(self, driver: str) -> Person:
        """Root, who logs in once for all tests."""
        if (driver, "root") not in self.staff:
            person = self.newcomer(driver)
            assert person.login("root", self.server.root_password).done
            self.staff[driver, "root"] = person
        return self.staff[driver, "root"]

    def hire(self, driver: str) -> Person:
        """A new user, who is logged in."""
        name = self.unique("dev")
        created = self.root(driver).create_user(name, password_of(name))
        assert created.done, created.message
        person = self.newcomer(driver)
        logged_in = person.login(name, password_of(name))
        assert logged_in.done, logged_in.message
        return person

    def colleague(self, driver: str, desk: str) -> Person:
        """A user whom tests share."""
        if (driver, desk) not in self.staff:
            self.staff[driver, desk] = self.hire(driver)
        return self.staff[driver, desk]


def password_of(name: str) -> str:
    """The password that the tests give to a user."""
    return f"{name}{MARK}"
