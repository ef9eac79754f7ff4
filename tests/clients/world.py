"""The indexes that the clients work with, on a real server with an upstream on loopback.

`dev/sandbox` and `dev/release` inherit from a mirror of the upstream. Only dev may read them or
upload to them; the user guest has a password and no rights. `dev/release` is not volatile.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import quote

from functional.http_driver import HttpDriver
from functional.installer import Installer
from stillroom_server.testing import LocalUpstream
from support.canary import MARK
from support.distributions import (
    Distribution,
    import_name,
    make_metadata,
    make_sdist,
    make_tar_gz,
    make_wheel,
)
from support.servers import ServerProcess

PASSWORD = f"the-tests{MARK}"
"""Of dev and of guest."""

SANDBOX = "dev/sandbox"
RELEASE = "dev/release"


@dataclass(frozen=True)
class Source:
    """An index with a login, as it is given to a client. `root` is the URL of the server."""

    root: str
    index: str = SANDBOX
    user: str = "dev"
    password: str = PASSWORD

    @property
    def page(self) -> str:
        """What installers call the URL of an index, without a login."""
        return f"{self.root}/{self.index}/simple/"

    @property
    def page_with_login(self) -> str:
        """The same with the login in it."""
        user, password = (quote(part, safe="") for part in (self.user, self.password))
        return self.page.replace("://", f"://{user}:{password}@", 1)

    def page_of(self, user: str) -> str:
        """The URL of the index with the name of a user in it, and no password."""
        return self.page.replace("://", f"://{user}@", 1)

    @property
    def uploads(self) -> str:
        """Where files are posted."""
        return f"{self.root}/{self.index}/"

    def of(self, user: str, password: str = PASSWORD) -> Self:
        """The same index for somebody else."""
        return replace(self, user=user, password=password)


@dataclass(frozen=True)
class Release:
    """A release that is to be published: a wheel and an sdist.

    `members` are files of the wheel beside its module, by path.
    """

    name: str
    version: str = "1.0"
    summary: str = "A project of the tests"
    members: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def distributions(self) -> tuple[Distribution, Distribution]:
        """The wheel and the sdist."""
        return (
            make_wheel(self.name, self.version, summary=self.summary, members=self.members),
            make_sdist(self.name, self.version, summary=self.summary),
        )


class World:
    """A running server, its upstream, and people at the HTTP API."""

    def __init__(
        self,
        server: ServerProcess,
        upstream: LocalUpstream,
        root: HttpDriver,
        dev: HttpDriver,
        reader: Installer,
    ) -> None:
        self.server = server
        self.upstream = upstream
        self.root = root
        self.dev = dev
        self._reader = reader
        self._numbers = itertools.count(1)

    def source(self, index: str = SANDBOX) -> Source:
        """An index with dev's login."""
        return Source(self.server.url, index)

    def new_name(self, stem: str) -> str:
        """The name of a project that is nowhere yet."""
        return f"{stem}{next(self._numbers)}"

    def mirrored(self, make: Callable[..., Distribution] = make_wheel, **facts: object) -> str:
        """Add release 3.0 of a new project to the upstream; the project's name."""
        name = self.new_name("public")
        self.upstream.add(make(name, "3.0", **facts))
        return name

    def uploaded(self, make: Callable[..., Distribution] = make_wheel, **facts: object) -> str:
        """Upload release 1.0 of a new project to dev/sandbox; the project's name."""
        name = self.new_name("private")
        self.upload(make(name, "1.0", **facts))
        return name

    def upload(self, *distributions: Distribution, index: str = SANDBOX) -> None:
        """Upload files, which must work."""
        outcome = self.dev.upload(index, *distributions)
        assert outcome.done, outcome.message

    def stored(self, project: str, index: str = SANDBOX) -> dict[str, bytes]:
        """The content of the files on a project's page, by their names."""
        login = ("dev", PASSWORD)
        page = self._reader.page(index, project, login)
        return {name: self._reader.download(index, project, name, login) for name in page.names}


def set_up(server: ServerProcess, root: HttpDriver, dev: HttpDriver) -> None:
    """Make the users and the indexes, and log both people in."""
    assert root.login("root", server.root_password).done
    for user in ("dev", "guest"):
        assert root.create_user(user, PASSWORD).done
    assert dev.login("dev", PASSWORD).done
    for index, volatile in ((SANDBOX, "true"), (RELEASE, "false")):
        made = dev.create_index(index, bases="root/pypi", acl_read="dev", volatile=volatile)
        assert made.done, made.message


def make_legacy_sdist(
    name: str, version: str, *, requires_dist: tuple[str, ...] = ()
) -> Distribution:
    """An sdist with a `setup.py` alone: what pip could build before it knew `backend-path`."""
    pkg_info = make_metadata(name, version, requires_dist=requires_dist)
    module = import_name(name)
    setup = (
        "from setuptools import setup\n"
        f"setup(name={name!r}, version={version!r}, py_modules=[{module!r}],"
        f" install_requires={list(requires_dist)!r})\n"
    )
    files = {
        "PKG-INFO": pkg_info,
        "setup.py": setup.encode(),
        f"{module}.py": f"VERSION = {version!r}\n".encode(),
    }
    stem = f"{module}-{version}"
    content = make_tar_gz({f"{stem}/{path}": data for path, data in files.items()})
    return Distribution(f"{stem}.tar.gz", content, pkg_info)


def write_release(folder: Path, release: Release) -> None:
    """Write a project's `pyproject.toml` and, in `dist`, its files."""
    dist = folder / "dist"
    dist.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f"""\
[project]
name = "{release.name}"
version = "{release.version}"
description = "{release.summary}"
requires-python = ">=3.11"
"""
    )
    for distribution in release.distributions:
        distribution.write_to(dist)
