"""Installing from a private index that inherits from a mirror."""

from clients.drivers import INSTALLERS, Installer, for_clients
from clients.world import Source, World


@for_clients(*INSTALLERS)
def test_a_wheel_that_needs_a_mirrored_project(
    client: Installer, world: World, sandbox: Source
) -> None:
    """Installs a private wheel, and the project that it needs, which only the mirror has."""
    public = world.mirrored()
    private = world.uploaded(requires_dist=[public])
    installed = client.install(sandbox, private)
    assert installed.version(private) == "1.0"
    assert installed.version(public) == "3.0"


@for_clients(*INSTALLERS)
def test_an_sdist_that_needs_a_mirrored_project(
    client: Installer, world: World, sandbox: Source
) -> None:
    """Builds and installs a private sdist, and the project that it needs from the mirror."""
    public = world.mirrored()
    private = world.uploaded(client.make_sdist, requires_dist=[public])
    installed = client.install(sandbox, private)
    assert installed.version(private) == "1.0"
    assert installed.version(public) == "3.0"
