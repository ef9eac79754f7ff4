"""A second index beside ours, as many have it: what is unknown here comes from there."""

from clients.drivers import OldestPip, Pip, Uv, for_clients
from clients.world import Source, World
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel


@for_clients(Pip, OldestPip)
def test_pip_goes_on_where_a_name_is_unknown(
    client: Pip, world: World, sandbox: Source, elsewhere: LocalUpstream
) -> None:
    """Installs from the `--extra-index-url` what the index answers with 404."""
    unknown, private = world.new_name("unknown"), world.uploaded()
    elsewhere.add(make_wheel(unknown, "2.0"))
    installed = client.install(sandbox, "--extra-index-url", elsewhere.url, unknown, private)
    assert installed.version(unknown) == "2.0"
    assert installed.version(private) == "1.0"


@for_clients(Uv)
def test_uv_goes_on_where_a_name_is_unknown(
    client: Uv, world: World, sandbox: Source, elsewhere: LocalUpstream
) -> None:
    """Installs from the next index what ours answers with 404, and never a private name."""
    unknown, private = world.new_name("unknown"), world.uploaded()
    elsewhere.add(make_wheel(unknown, "2.0"))
    elsewhere.add(make_wheel(private, "99.0"))
    environment = client.home.venv()
    client.run(
        *("pip", "install", "--python", environment.python),
        *("--index", sandbox.page_with_login, "--default-index", elsewhere.url),
        *(unknown, private),
    )
    assert environment.version(unknown) == "2.0"
    assert environment.version(private) == "1.0"
    assert f"/simple/{private}/" not in elsewhere.paths
