"""Downloads that break off: each client goes on in its way, and the file is whole in the end."""

import os

import httpx
import pytest

from clients.drivers import Installer, Pip, Poetry, Uv, for_clients
from clients.world import PASSWORD, Source, World
from support.distributions import Distribution, make_wheel
from support.front import Front

BROKEN_AFTER = 1_000_000
SIZE = 3_000_000


@pytest.fixture(params=["mirror", "index"])
def large(request: pytest.FixtureRequest, world: World) -> Distribution:
    """A wheel of some megabytes, in the mirror or in the index itself."""
    name = world.new_name("large")
    wheel = make_wheel(name, members={f"{name}_data.bin": os.urandom(SIZE)})
    {"mirror": world.upstream.add, "index": world.upload}[request.param](wheel)
    return wheel


@for_clients(Pip, Poetry)
def test_a_download_is_resumed(
    client: Installer, watched: Source, front: Front, large: Distribution
) -> None:
    """Resumes a download from the {large} that broke off, from where it stopped."""
    client.home.environment["POETRY_REQUESTS_MAX_RETRIES"] = "1"  # none, unless it is told so
    project = large.filename.partition("-")[0]
    front.cut(f"*/{large.filename}", after=BROKEN_AFTER)
    installed = client.install(watched, project)
    assert installed.version(project) == "1.0"

    first, second = front.passed(f"*/{large.filename}")
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert "range" not in first.headers
    assert 0 < start <= BROKEN_AFTER
    assert ("if-range" in second.headers) == isinstance(client, Pip)
    # What it got to that second request, which the proxy does not keep.
    asked = {
        name: second.headers[name] for name in ("range", "if-range") if name in second.headers
    }
    url = f"{front.target.geturl()}{second.path}"
    rest = httpx.get(url, headers=asked, auth=("dev", PASSWORD))
    assert rest.status_code == 206
    size = len(large.content)
    assert rest.headers["Content-Range"] == f"bytes {start}-{size - 1}/{size}"
    assert rest.content == large.content[start:]


@for_clients(Uv)
def test_a_download_is_begun_anew(
    client: Uv, watched: Source, front: Front, large: Distribution
) -> None:
    """Begins a download from the {large} anew that broke off."""
    project = large.filename.partition("-")[0]
    front.cut(f"*/{large.filename}", after=BROKEN_AFTER)
    installed = client.install(watched, project)
    assert installed.version(project) == "1.0"
    first, second = front.passed(f"*/{large.filename}")
    assert "range" not in first.headers
    assert "range" not in second.headers
