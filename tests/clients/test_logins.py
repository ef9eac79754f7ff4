"""Private indexes, and every way in which clients say who asks.

The index may be read and written by dev alone, and so may its base, which inherits from a mirror.
Tokens are limited to the index and to what is done.
"""

import json
import sys
from pathlib import Path

import pytest

from clients.drivers import (
    INSTALLERS,
    PUBLISHERS,
    Hatch,
    Installer,
    OldestPip,
    Pdm,
    Pip,
    Poetry,
    Publisher,
    Uv,
    for_clients,
)
from clients.home import Home
from clients.table import Say
from clients.world import PASSWORD, SANDBOX, Release, Source, World
from support.distributions import make_wheel
from support.file_keyring import VARIABLE

TESTS = Path(__file__).parents[1]
TOKEN_USER = "__token__"
SHOWN = "shows “{}”"


@pytest.fixture
def team(world: World) -> Source:
    """A private index whose private base inherits from the mirror, with dev's login."""
    base, index = (f"dev/{world.new_name(stem)}" for stem in ("base", "team"))
    for name, bases in ((base, "root/pypi"), (index, base)):
        made = world.dev.create_index(name, bases=bases, acl_read="dev")
        assert made.done, made.message
    return world.source(index)


def token_for(world: World, source: Source, *actions: str) -> Source:
    """The same index for who has a token that is good for these actions there alone."""
    made = world.dev.token(source.index, *actions)
    assert made.done, made.message
    return source.of(TOKEN_USER, made.data["token"])


def filled(world: World, team: Source) -> tuple[str, str, str]:
    """Projects that need each other: of the index, of its base, and of the mirror."""
    (base,) = world.dev.index(team.index).data["bases"]
    public = world.mirrored()
    below, top = world.new_name("below"), world.new_name("private")
    for index, wheel in (
        (base, make_wheel(below, requires_dist=[public])),
        (team.index, make_wheel(top, requires_dist=[below])),
    ):
        outcome = world.dev.upload(index, wheel)
        assert outcome.done, outcome.message
    return top, below, public


# With a token


@for_clients(*INSTALLERS)
def test_a_token_that_may_only_read(client: Installer, world: World, team: Source) -> None:
    """Installs from a private index, its private base and a mirror, with a token to read it."""
    projects = filled(world, team)
    installed = client.install(token_for(world, team, "read"), projects[0])
    assert [installed.version(name) for name in projects] == ["1.0", "1.0", "3.0"]


@for_clients(*(driver for driver in PUBLISHERS if driver is not Hatch))
def test_a_token_that_may_only_upload(client: Publisher, world: World, team: Source) -> None:
    """Publishes to a private index with a token that may only upload to it."""
    release = Release(world.new_name("published"))
    published = client.publish(token_for(world, team, "upload"), release)
    assert world.stored(release.name, team.index) == published.files


@for_clients(Hatch)
def test_a_token_that_may_upload_and_read(client: Publisher, world: World, team: Source) -> None:
    """Publishes to a private index with a token that may upload to it and read it."""
    release = Release(world.new_name("published"))
    published = client.publish(token_for(world, team, "upload", "read"), release)
    assert world.stored(release.name, team.index) == published.files


@for_clients(*PUBLISHERS)
def test_a_token_after_the_name_of_its_user(client: Publisher, world: World, team: Source) -> None:
    """Publishes with a token in the place of the user's password."""
    release = Release(world.new_name("published"))
    token = token_for(world, team, "upload", "read").password
    client.publish(team.of("dev", token), release)
    assert world.stored(release.name, team.index)


# Where credentials are kept


@for_clients(Pip, OldestPip, Uv)
def test_netrc(client: Pip | Uv, world: World, team: Source, home: Home) -> None:
    """Installs with the login in `.netrc`."""
    private = filled(world, team)[0]
    netrc = home.folder / ".netrc"
    netrc.write_text(f"machine localhost login dev password {PASSWORD}\n")
    netrc.chmod(0o600)
    installed = client.install_without_login(team.page, private)
    assert installed.version(private) == "1.0"


@for_clients(Pip, Uv)
def test_a_keyring(
    client: Pip | Uv, world: World, team: Source, home: Home, tmp_path: Path
) -> None:
    """Installs with a token in a keyring, and the user's name in the URL."""
    private = filled(world, team)[0]
    token = token_for(world, team, "read").password
    places = (team.page, team.root.removeprefix("http://"), team.page_of("dev"))
    keyring = tmp_path / "keyring.json"
    keyring.write_text(json.dumps({f"dev@{place}": token for place in places}))
    home.environment |= {
        VARIABLE: str(keyring),
        "PYTHON_KEYRING_BACKEND": "support.file_keyring.FileKeyring",
        "PATH": f"{_keyring_command(home)}:{home.environment['PATH']}",
    }
    installed = client.install_without_login(
        team.page_of("dev"), "--keyring-provider", "subprocess", private
    )
    assert installed.version(private) == "1.0"


def _keyring_command(home: Home) -> Path:
    """A folder with the command `keyring`, which finds the backend of the tests."""
    folder = home.new_folder("bin")
    command = folder / "keyring"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={TESTS} exec {sys.executable} -m keyring "$@"\n')
    command.chmod(0o755)
    return folder


# Wrong ones


ONLY_READS = "the token in use is limited to the action read, and this is upload"
WRONG_TOKEN = "Wrong user name, password or token, or the token has expired or was revoked."


@for_clients(*PUBLISHERS)
def test_publishing_with_a_wrong_token(
    client: Publisher, world: World, team: Source, say: Say
) -> None:
    """Publishes with a token that is none."""
    wrong = team.of(TOKEN_USER, f"stillroom_{'x' * 43}")
    ran = client.publish(wrong, Release(world.new_name("refused")), status=None).ran
    assert WRONG_TOKEN in ran.text
    say(SHOWN.format(WRONG_TOKEN))


@for_clients(*(driver for driver in PUBLISHERS if driver is not Hatch))
def test_publishing_with_a_token_to_read(
    client: Publisher, world: World, team: Source, say: Say
) -> None:
    """Publishes with a token that may only read."""
    only_reads = token_for(world, team, "read")
    ran = client.publish(only_reads, Release(world.new_name("refused")), status=None).ran
    assert ONLY_READS in ran.text
    say(SHOWN.format(ONLY_READS))


@for_clients(Pip, OldestPip, Uv, Poetry, Pdm)
def test_installing_with_a_token_for_another_index(
    client: Installer, world: World, team: Source, say: Say
) -> None:
    """Installs with a token for another index."""
    private = filled(world, team)[0]
    elsewhere = token_for(world, world.source(SANDBOX), "read")
    installed = client.install(team.of(TOKEN_USER, elsewhere.password), private, status=None)
    said = {
        Pip: "No matching distribution found for",
        OldestPip: "No matching distribution found for",
        Uv: "returned a 403 Forbidden error",
        Poetry: "Authorization error accessing",
        Pdm: "Unable to find candidates for",
    }[type(client)]
    assert said in installed.ran.text
    assert installed.version(private) is None
    say(SHOWN.format(said))
