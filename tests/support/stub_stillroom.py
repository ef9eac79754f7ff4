"""A stub server that looks like a Stillroom where `dev` may log in."""

from typing import Any

from .stub_server import Asked, Reply, StubServer, message_reply, result_reply

TOKEN = "secret-token-of-dev"
PASSWORD = "secret-password-of-dev"


def bearer(asked: Asked) -> str | None:
    """The token that a request carries."""
    scheme, _, token = asked.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


def offer_root(server: StubServer, prefix: str = "") -> None:
    """Script the root's `+api`, and the login; a prefix is the path at which it all lives."""

    def api(asked: Asked) -> Reply:
        return result_reply(_entrance(f"{server.url}{prefix}", asked), "apiconfig")

    def login(asked: Asked) -> Reply:
        if asked.json["password"] != PASSWORD:
            return message_reply("user or password is wrong", 401)
        token = {"password": TOKEN, "expiration": 36_000, "token_id": "t1"}
        return result_reply(token, "proxyauth")

    server.script("GET", f"{prefix}/+api", api)
    server.script("POST", f"{prefix}/+login", login)


def offer_index(
    server: StubServer,
    name: str,
    *,
    prefix: str = "",
    is_open: bool = False,
    is_mirror: bool = False,
) -> None:
    """Script an index: its `+api`, and its Simple page for those who may read it."""

    def api(asked: Asked) -> Reply:
        root = f"{server.url}{prefix}"
        entrance = _entrance(root, asked)
        entrance |= {"index": f"{root}/{name}", "simpleindex": f"{root}/{name}/simple/"}
        if not is_mirror:
            entrance["pypisubmit"] = f"{root}/{name}/"
        return result_reply(entrance, "apiconfig")

    def simple(asked: Asked) -> Reply:
        if is_open or "authorization" in asked.headers:
            return Reply(200, b"{}")
        return message_reply("log in first", 401)

    server.script("GET", f"{prefix}/{name}/+api", api)
    server.script("GET", f"{prefix}/{name}/simple/", simple)


def _entrance(root: str, asked: Asked) -> dict[str, Any]:
    known = bearer(asked) == TOKEN
    return {
        "login": f"{root}/+login",
        "authstatus": ["ok", "dev", [":team"]] if known else ["noauth", "", []],
        "features": [],
    }
