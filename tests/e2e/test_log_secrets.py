"""What a server writes down at the level that writes down most."""

import base64
from contextlib import ExitStack, closing

import httpx
import pytest

from stillroom_server.testing import LocalUpstream, basic_authorization
from support.canary import MARK
from support.distributions import make_wheel
from support.servers import ServerProcess

WHEEL = make_wheel("example", "1.0")
UPSTREAM_PASSWORD = f"of-the-upstream{MARK}"
PASSWORD = f"dev{MARK}"
WRONG = f"guessed{MARK}"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The log of a server that people used at the level debug, and all secrets that it met."""
    data = tmp_path_factory.mktemp("log") / "data"
    with LocalUpstream() as upstream, ExitStack() as clients:
        upstream.authorization = basic_authorization("us", UPSTREAM_PASSWORD)
        upstream.add(WHEEL)
        known = upstream.url.replace("://", f"://us:{UPSTREAM_PASSWORD}@", 1)
        settings = {"public_index": upstream.url, "upstream_credentials": known}
        with ServerProcess(data, log_level="debug", **settings) as server:
            tokens = _use(server, clients)
            secrets = [UPSTREAM_PASSWORD, PASSWORD, WRONG, *tokens]
    return server.log.read_text(), secrets


def _use(server: ServerProcess, clients: ExitStack) -> list[str]:
    """Log in, rightly and wrongly; read, mirror, upload; the tokens that were given out."""
    root = clients.enter_context(closing(server.login()))
    assert root.put("/dev", json={"password": PASSWORD}).status_code == 201
    dev = clients.enter_context(closing(server.login("dev", PASSWORD)))
    made = dev.post("/dev/+tokens", json={}).json()["result"]["token"]
    basic = httpx.BasicAuth("dev", PASSWORD)
    file = f"/root/pypi/+f/example/{WHEEL.sha256}/{WHEEL.filename}"
    assert dev.get("/root/pypi/+simple/example/", headers={"Accept": "*/*"}).status_code == 200
    assert dev.get(file).content == WHEEL.content
    for auth in (basic, httpx.BasicAuth("dev", WRONG), httpx.BasicAuth("__token__", made)):
        with httpx.Client(base_url=server.url, auth=auth) as client:
            client.get("/root/pypi/simple/example/")
            client.post("/+login", json={"user": "dev", "password": WRONG})
            client.patch("/dev", json={"password": PASSWORD, "unknown": 1})
            client.get("/dev", params={"token": made})
    return [
        made,
        *(str(client.headers["Authorization"]).partition(" ")[2] for client in (root, dev)),
    ]


def test_the_http_library_writes_no_line_of_what_it_sends_and_receives(
    used: tuple[str, list[str]],
) -> None:
    log, _secrets = used
    assert "httpcore" not in log
    assert "httpx" not in log
    assert "uthorization" not in log


def test_no_secret_is_written_in_any_of_its_forms(used: tuple[str, list[str]]) -> None:
    log, secrets = used
    for secret in secrets:
        assert secret not in log
        for user in ("us", "dev", "root", "__token__"):
            whole = base64.b64encode(f"{user}:{secret}".encode()).decode()
            assert whole not in log
