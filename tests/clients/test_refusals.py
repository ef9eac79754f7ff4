"""What people read when something is refused.

The server says why in one sentence: as the HTTP reason phrase, and in the body. Publishers print
one of the two. Most installers print neither, so what these say by themselves is fixed here.
"""

from collections.abc import Callable

import pytest

from clients.drivers import (
    PUBLISHERS,
    Flit,
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
from clients.world import RELEASE, Release, Source, World
from e2e.machine import Ran
from stillroom_server.testing import LocalUpstream

WRONG_LOGIN = "Wrong user name, password or token, or the token has expired or was revoked."
NO_READER = "Not allowed: guest may not read dev/sandbox"
NO_UPLOADER = "Not allowed: guest may not upload to dev/sandbox"
IS_DOWN = "answers with status 503"

NOT_FOUND = "No matching distribution found for"
NO_CANDIDATES = "Unable to find candidates for"

Shows = Callable[..., None]
"""`shows(ran, "…")` asserts that a client printed a text, and says so in the table."""


@pytest.fixture
def shows(say: Say) -> Shows:
    """Checks what people read."""

    def check(ran: Ran, *texts: str) -> None:
        for text in texts:
            assert text in ran.text
        say("shows " + ", ".join(f"“{text}”" for text in texts))

    return check


# Uploads


@for_clients(*PUBLISHERS)
def test_publishing_with_a_wrong_password(client: Publisher, world: World, shows: Shows) -> None:
    """Publishes with a wrong password."""
    release = Release(world.new_name("refused"))
    published = client.publish(world.source().of("dev", "wrong"), release, status=None)
    shows(published.ran, "401", WRONG_LOGIN)
    assert world.stored(release.name) == {}


@for_clients(*PUBLISHERS)
def test_publishing_without_the_right_to(client: Publisher, world: World, shows: Shows) -> None:
    """Publishes without the right to upload."""
    release = Release(world.new_name("refused"))
    published = client.publish(world.source().of("guest"), release, status=None)
    shows(published.ran, "403", NO_UPLOADER)
    assert world.stored(release.name) == {}


@for_clients(*(driver for driver in PUBLISHERS if driver is not Hatch))
def test_publishing_other_bytes(client: Publisher, world: World, shows: Shows) -> None:
    """Publishes a file that exists with other content."""
    target, name = world.source(RELEASE), world.new_name("refused")
    first = client.publish(target, Release(name))
    published = client.publish(target, Release(name, summary="Other bytes"), status=None)
    shows(published.ran, "409", "File already exists (", "upload a new version instead.")
    assert world.stored(name, RELEASE) == first.files


@for_clients(Hatch)
def test_publishing_what_the_page_has(client: Hatch, world: World, shows: Shows) -> None:
    """Sends no file whose name the page has already."""
    target, name = world.source(RELEASE), world.new_name("refused")
    first = client.publish(target, Release(name))
    published = client.publish(target, Release(name, summary="Other bytes"))
    shows(published.ran, "already exists")
    assert world.stored(name, RELEASE) == first.files


@for_clients(*(driver for driver in PUBLISHERS if driver is not Flit))
def test_publishing_a_bad_archive(client: Publisher, world: World, shows: Shows) -> None:
    """Publishes a wheel with a file that would be unpacked elsewhere."""
    release = Release(world.new_name("refused"), members={"../elsewhere.py": b""})
    published = client.publish(world.source(), release, status=None)
    shows(published.ran, "400", "../elsewhere.py")
    assert not any(name.endswith(".whl") for name in world.stored(release.name))


# Pages


@for_clients(Pip, OldestPip, Uv, Poetry, Pdm)
def test_installing_with_a_wrong_password(client: Installer, world: World, shows: Shows) -> None:
    """Installs with a wrong password."""
    private = world.uploaded()
    installed = client.install(world.source().of("dev", "wrong"), private, status=None)
    said = {
        Pip: "401 Error, Credentials not correct for",
        OldestPip: NOT_FOUND,
        Uv: "lack of valid authentication credentials (401 Unauthorized)",
        Poetry: "Authorization error accessing",
        Pdm: NO_CANDIDATES,
    }
    shows(installed.ran, said[type(client)])
    assert installed.version(private) is None


@for_clients(Pip, OldestPip, Uv, Poetry, Pdm)
def test_installing_without_the_right_to(client: Installer, world: World, shows: Shows) -> None:
    """Installs without the right to read the index."""
    private = world.uploaded()
    installed = client.install(world.source().of("guest"), private, status=None)
    said = {
        Pip: NOT_FOUND,
        OldestPip: NOT_FOUND,
        Uv: "returned a 403 Forbidden error",
        Poetry: "Authorization error accessing",
        Pdm: NO_CANDIDATES,
    }
    shows(installed.ran, said[type(client)])
    assert installed.version(private) is None


@for_clients(Pip, OldestPip, Uv, Poetry, Pdm)
def test_installing_what_nobody_has(client: Installer, sandbox: Source, shows: Shows) -> None:
    """Installs a project that neither the index nor the mirror has."""
    installed = client.install(sandbox, "nobody-has-this", status=None)
    said = {
        Pip: NOT_FOUND,
        OldestPip: NOT_FOUND,
        Uv: "nobody-has-this was not found in the package registry",
        Poetry: "Could not find a matching version of package nobody-has-this",
        Pdm: NO_CANDIDATES,
    }
    shows(installed.ran, said[type(client)])


@for_clients(Pip, OldestPip, Uv, Poetry, Pdm)
def test_installing_while_the_upstream_is_down(
    client: Installer, broken: Source, shows: Shows
) -> None:
    """Installs what was never asked for from a mirror whose upstream is down."""
    installed = client.install(broken, "unknown-so-far", status=None)
    said = {
        Pip: (NOT_FOUND,),
        OldestPip: (NOT_FOUND,),
        Uv: ("502", IS_DOWN),
        Poetry: ("502", IS_DOWN),
        Pdm: (NO_CANDIDATES,),
    }
    shows(installed.ran, *said[type(client)])


@for_clients(Pip, OldestPip)
def test_pip_tells_the_reason_to_who_asks_for_every_detail(
    client: Pip, world: World, broken: Source, say: Say
) -> None:
    """Installs with `-vv` what is answered with 401, 403, 404 and 502."""
    private, sandbox = world.uploaded(), world.source()
    asked = [
        (sandbox.of("dev", "wrong"), private, "401 Client Error", WRONG_LOGIN),
        (sandbox.of("guest"), private, "403 Client Error", NO_READER),
        (sandbox, "nobody-has-this", "404 Client Error", "There is no project nobody-has-this"),
    ]
    for source, project, status, reason in asked:
        ran = client.install(source, "-vv", project, status=None).ran
        assert f"{status}: {reason}" in ran.text
    ran = client.install(broken, "-vv", "unknown-so-far", status=None).ran
    assert {Pip: "too many 502 error responses", OldestPip: IS_DOWN}[type(client)] in ran.text
    alone = {Pip: ", of 502 the number alone", OldestPip: ""}[type(client)]
    say(f"shows the reasons{alone}")


@pytest.fixture
def broken(world: World, elsewhere: LocalUpstream, home: Home) -> Source:
    """A mirror whose upstream does not answer, and nobody has the patience to try again."""
    elsewhere.fault("/simple/*", status=503, headers={"Retry-After": "1"})
    name = f"root/{world.new_name('broken')}"
    made = world.root.create_index(name, type="mirror", mirror_url=elsewhere.url)
    assert made.done, made.message
    home.environment |= {
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
        "POETRY_REQUESTS_MAX_RETRIES": "0",
    }
    return world.source(name)
