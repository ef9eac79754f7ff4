"""Two servers on one database: what one of them acknowledges, the other shows at once."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from e2e.team import PASSWORD
from functional.http_driver import HttpDriver
from functional.installer import Installer
from stillroom_server.testing import LocalUpstream
from support.databases import PostgresServer
from support.distributions import make_wheel
from support.servers import ServerProcess

INDEX = "dev/index"


@pytest.fixture(scope="module")
def servers(
    postgres_server: PostgresServer,
    upstream: LocalUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two servers with a database and a folder of files in common."""
    folder = tmp_path_factory.mktemp("two")
    with ExitStack() as stack:
        settings = {
            "database": stack.enter_context(postgres_server.database()),
            "public_index": upstream.url,
        }
        first = stack.enter_context(ServerProcess(folder / "first", **settings))
        # As a network file system would be mounted in both places.
        (folder / "second").mkdir()
        (folder / "second" / "files").symlink_to(folder / "first" / "files")
        second = stack.enter_context(ServerProcess(folder / "second", **settings))
        yield first, second


@pytest.fixture(scope="module")
def writer(servers: tuple[ServerProcess, ServerProcess]) -> Iterator[HttpDriver]:
    """The user dev, at the first server."""
    first, _second = servers
    with closing(HttpDriver(first.url)) as root, closing(HttpDriver(first.url)) as dev:
        assert root.login("root", first.root_password).done
        assert root.create_user("dev", PASSWORD).done
        assert dev.login("dev", PASSWORD).done
        assert dev.create_index(INDEX, bases="root/pypi", acl_read=":ANONYMOUS:").done
        yield dev


@pytest.fixture
def reader(servers: tuple[ServerProcess, ServerProcess]) -> Iterator[Installer]:
    """Somebody's pip or uv, at the second server."""
    with closing(Installer(servers[1].url)) as installer:
        yield installer


def test_every_change_is_seen_by_the_next_request_to_the_other(
    writer: HttpDriver, reader: Installer
) -> None:
    shown = set()
    for number in range(25):
        wheel = make_wheel("example", f"{number}.0")
        assert writer.upload(INDEX, wheel).done
        shown.add(wheel.filename)
        page = reader.page(INDEX, "example")
        assert page.status == 200, page.said
        assert page.names == shown
        assert writer.yank(INDEX, "example", f"{number}.0", reason="too old").done
        assert reader.page(INDEX, "example").files[wheel.filename]["yanked"] == "too old"


def test_a_file_sent_to_one_is_served_by_the_other(writer: HttpDriver, reader: Installer) -> None:
    wheel = make_wheel("shared")
    assert writer.upload(INDEX, wheel).done
    assert reader.download(INDEX, "shared", wheel.filename) == wheel.content


def test_a_right_taken_away_at_one_is_gone_at_the_other(
    writer: HttpDriver, reader: Installer
) -> None:
    index = "dev/private"
    assert writer.create_index(index, acl_read=":ANONYMOUS:").done
    assert writer.upload(index, make_wheel()).done
    assert reader.page(index, "example").status == 200
    assert writer.change_index(index, "acl_read=dev").done
    assert reader.page(index, "example").status == 401
    login = writer.installer_login(index).data
    assert reader.page(index, "example", login).status == 200
    assert reader.page(index, "example", ("dev", PASSWORD)).status == 200


def test_a_token_revoked_at_one_is_refused_by_the_next_request_to_the_other(
    writer: HttpDriver, reader: Installer
) -> None:
    index = "dev/tokens"
    assert writer.create_index(index).done
    assert writer.upload(index, make_wheel()).done
    for _ in range(10):
        token = writer.token(index, "read").data
        login = ("__token__", token["token"])
        # Twice, so that the other one has it in memory.
        assert [reader.page(index, "example", login).status for _ in range(2)] == [200, 200]
        assert writer.revoke_token(token["id"]).done
        assert reader.page(index, "example", login).status == 401


def test_a_password_changed_at_one_is_wrong_at_the_other(
    servers: tuple[ServerProcess, ServerProcess], reader: Installer
) -> None:
    first, second = servers
    index = "ada/index"
    with closing(HttpDriver(first.url)) as root, closing(HttpDriver(second.url)) as ada:
        assert root.login("root", first.root_password).done
        assert root.create_user("ada", "the first password").done
        assert ada.login("ada", "the first password").done
        assert ada.create_index(index).done
        assert ada.upload(index, make_wheel()).done
        assert reader.page(index, "example", ("ada", "the first password")).status == 200
        assert root.change_user("ada", password="the second password").done
        assert not ada.projects(index).done
    assert reader.page(index, "example", ("ada", "the first password")).status == 401
    assert reader.page(index, "example", ("ada", "the second password")).status == 200


def test_a_public_file_fetched_by_one_is_not_fetched_by_the_other(
    servers: tuple[ServerProcess, ServerProcess], upstream: LocalUpstream, reader: Installer
) -> None:
    wheel = make_wheel("public")
    upstream.add(wheel)
    with closing(Installer(servers[0].url)) as at_first:
        assert at_first.download("root/pypi", "public", wheel.filename) == wheel.content
    upstream.stop()
    try:
        assert reader.download("root/pypi", "public", wheel.filename) == wheel.content
    finally:
        upstream.start()
