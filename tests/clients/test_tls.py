"""Over https, with the certificate of an authority of the house."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from clients.drivers import INSTALLERS, PUBLISHERS, Installer, Pip, Publisher, for_clients
from clients.home import Home
from clients.world import Release, Source, World
from support.distributions import make_wheel
from support.front import Front


@pytest.fixture
def secure(world: World, home: Home, tmp_path: Path) -> Iterator[Source]:
    """dev/sandbox over https; the home trusts the authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    home.trust(tmp_path / "authority.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Front(world.server.url, tls=context) as front:
        yield Source(front.url)


@for_clients(*INSTALLERS)
def test_installing(client: Installer, world: World, secure: Source) -> None:
    """Installs over https."""
    public = world.mirrored()
    private = world.uploaded(requires_dist=[public])
    installed = client.install(secure, private)
    assert installed.version(private) == "1.0"
    assert installed.version(public) == "3.0"


@for_clients(*PUBLISHERS)
def test_publishing(client: Publisher, world: World, secure: Source) -> None:
    """Publishes over https."""
    release = Release(world.new_name("published"))
    published = client.publish(secure, release)
    assert world.stored(release.name) == published.files


@for_clients(Pip)
def test_a_fresh_upload_is_seen_at_once(client: Pip, world: World, secure: Source) -> None:
    """Installs a new release at once, though pip caches pages over https."""
    private = world.uploaded()
    assert client.install(secure, private).version(private) == "1.0"
    world.upload(make_wheel(private, "1.1"))
    assert client.install(secure, private).version(private) == "1.1"
