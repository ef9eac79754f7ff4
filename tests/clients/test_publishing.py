"""Publishing to a private index."""

from clients.drivers import PUBLISHERS, Pdm, Poetry, Publisher, Uv, for_clients
from clients.world import RELEASE, Release, World


@for_clients(*PUBLISHERS)
def test_a_wheel_and_an_sdist(client: Publisher, world: World) -> None:
    """Publishes a wheel and an sdist."""
    release = Release(world.new_name("published"))
    published = client.publish(world.source(), release)
    assert {name.rpartition(".")[2] for name in published.files} == {"whl", "gz"}
    assert world.stored(release.name) == published.files


@for_clients(*PUBLISHERS)
def test_the_same_files_again(client: Publisher, world: World) -> None:
    """Publishes the same files again, which changes nothing."""
    release = Release(world.new_name("published"))
    first = client.publish(world.source(RELEASE), release)
    again = client.publish(world.source(RELEASE), release)
    assert again.files == first.files
    assert world.stored(release.name, RELEASE) == first.files


@for_clients(Poetry, Pdm)
def test_files_that_exist_are_skipped(client: Publisher, world: World) -> None:
    """Skips files that exist with other content, with `--skip-existing`."""
    target, name = world.source(RELEASE), world.new_name("published")
    first = client.publish(target, Release(name))
    client.publish(target, Release(name, summary="Other bytes"), "--skip-existing")
    assert world.stored(name, RELEASE) == first.files


@for_clients(Uv)
def test_files_that_exist_are_checked_for(client: Uv, world: World) -> None:
    """Sends nothing that is there already, and tells of other content, with `--check-url`."""
    target, name = world.source(RELEASE), world.new_name("published")
    check = ("--check-url", target.page_with_login)
    first = client.publish(target, Release(name))
    again = client.publish(target, Release(name), *check)
    assert again.ran.text.count("already exists, skipping") == 2
    other = client.publish(target, Release(name, summary="Other bytes"), *check, status=None)
    assert "do not match" in other.ran.text
    assert world.stored(name, RELEASE) == first.files
