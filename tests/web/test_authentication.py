"""Who asks: every form of credentials, and what wrong, malformed and ended ones get."""

import base64
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from stillroom_server.plugin.api import hookimpl
from support.distributions import make_wheel
from support.observer import Observer
from support.servers import QuickHasher
from support.site import (
    JSON,
    Site,
    basic,
    new_index,
    new_site,
    new_token,
    password_of,
    upload,
)

WRONG = "Wrong user name, password or token, or the token has expired or was revoked."

PAGE = "/dev/stage/simple/demo/"


def encoded(text: str | bytes) -> bytes:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode())


def devpi_auth(user: str, secret: str) -> dict[str, str]:
    return {"X-Devpi-Auth": encoded(f"{user}:{secret}").decode()}


def who_is(client: httpx.Client) -> str:
    """The user whom the server takes the client for; empty for nobody."""
    answer = client.get("/+api")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"]["authstatus"][1])


# What is accepted

WAYS: dict[str, Callable[[str, str], dict[str, str]]] = {
    "Basic user:password": lambda password, _: basic("dev", password),
    "Basic user:token": lambda _, token: basic("dev", token),
    "Basic __token__:token": lambda _, token: basic("__token__", token),
    "Basic token:": lambda _, token: basic(token, ""),
    "Basic :token": lambda _, token: basic("", token),
    "basic in lower case": lambda password, _: {
        "Authorization": basic("dev", password)["Authorization"].replace("Basic", "basic")
    },
    "Bearer token": lambda _, token: {"Authorization": f"Bearer {token}"},
    "X-Devpi-Auth user:password": lambda password, _: devpi_auth("dev", password),
    "X-Devpi-Auth user:token": lambda _, token: devpi_auth("dev", token),
}


@pytest.mark.parametrize("way", WAYS)
def test_credentials_are_accepted_in_every_form_that_clients_send(
    shared_site: Site, way: str
) -> None:
    token = new_token(shared_site.user("dev"), "dev")["token"]
    client = shared_site.client(**WAYS[way](password_of("dev"), token))
    assert who_is(client) == "dev"
    assert client.get("/dev/stage").status_code == 200


def test_a_password_may_hold_colons_and_any_letters(site: Site) -> None:
    password = "kolon:ümläut:密码"
    site.root.put("/dev", json={"password": password})
    assert who_is(site.client(**basic("dev", password))) == "dev"


def test_a_user_name_in_a_header_of_latin_1_is_understood(site: Site) -> None:
    site.root.put("/dev", json={"password": "pässword"})
    value = b"Basic " + encoded("dev:pässword".encode("latin-1"))
    assert who_is(site.client(Authorization=value.decode())) == "dev"


def test_devpis_header_is_read_before_the_standard_one(site: Site, dev: httpx.Client) -> None:
    both = devpi_auth("dev", password_of("dev")) | basic("root", "wrong")
    assert who_is(site.client(**both)) == "dev"


# What is wrong

MISTAKES: dict[str, Callable[[str], dict[str, str]]] = {
    "a wrong password": lambda _: basic("dev", "wrong-password"),
    "an unknown user": lambda _: basic("nobody", password_of("dev")),
    "a name in another case": lambda _: basic("DEV", password_of("dev")),
    "another user's token": lambda token: basic("root", token),
    "half a token": lambda token: {"Authorization": f"Bearer {token[:-8]}"},
    "a token twice": lambda token: {"Authorization": f"Bearer {token}{token}"},
    "a password as a token": lambda _: {"Authorization": f"Bearer {password_of('dev')}"},
    "a password after __token__": lambda _: basic("__token__", password_of("dev")),
    "an empty password": lambda _: basic("dev", ""),
    "X-Devpi-Auth": lambda _: devpi_auth("dev", "wrong-password"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_whatever_is_wrong_is_answered_with_the_same_sentence(
    shared_site: Site, mistake: str
) -> None:
    token = new_token(shared_site.user("dev"), "dev")["token"]
    client = shared_site.client(**MISTAKES[mistake](token))
    answer = client.get("/dev")
    assert answer.status_code == 401
    assert answer.json()["message"] == WRONG
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    # devpi's client forgets its login when a 401 says where to go.
    assert "Location" not in answer.headers


@pytest.mark.parametrize("mistake", MISTAKES)
def test_on_open_paths_wrong_credentials_count_as_none(shared_site: Site, mistake: str) -> None:
    token = new_token(shared_site.user("dev"), "dev")["token"]
    client = shared_site.client(**MISTAKES[mistake](token))
    assert who_is(client) == ""
    assert client.get("/+live").status_code == 200


@pytest.mark.parametrize("mistake", MISTAKES)
def test_with_wrong_credentials_nobody_is_shown_what_strangers_see(
    shared_site: Site, mistake: str
) -> None:
    token = new_token(shared_site.user("dev"), "dev")["token"]
    client = shared_site.client(**MISTAKES[mistake](token))
    for path in ("/", "/+status"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["message"]) == (401, WRONG)


def test_wrong_credentials_do_not_read_what_is_open_to_everyone(site: Site) -> None:
    answer = site.client(**basic("root", "wrong-password")).get("/root/pypi")
    assert answer.status_code == 401


MALFORMED: dict[str, bytes] = {
    "nothing after the scheme": b"Basic",
    "no colon": b"Basic " + encoded("dev"),
    "not base64": b"Basic !!!!",
    "base64 with too much padding": b"Basic " + encoded("dev:x") + b"=",
    "not UTF-8": b"Basic " + encoded(b"\xff\xfe:\xff"),
    "100 KB of password": b"Basic " + encoded("dev:" + "x" * 100_000),
    "100 KB of user": b"Basic " + encoded("x" * 100_000 + ":secret"),
    "100 KB of token": b"Bearer stillroom_" + b"x" * 100_000,
    "control characters": b"Basic " + encoded("d\0v\r\n:\x1b[31m\0"),
    "bytes that are not ASCII": b"Basic \xe9\xe8\xff",
    "a token that is not ASCII": b"Bearer stillroom_\xe9\xff",
    "a name of many parts": b"Basic " + encoded("../../etc:secret"),
}


@pytest.mark.parametrize("header", ["Authorization", "X-Devpi-Auth"])
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_credentials_are_refused_in_one_sentence(
    shared_site: Site, what: str, header: str
) -> None:
    value = MALFORMED[what]
    if header == "X-Devpi-Auth":
        value = value.partition(b" ")[2]
    answer = shared_site.anonymous.get("/root", headers={header: value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert len(answer.json()["message"]) < 200
    assert shared_site.anonymous.get("/+api", headers={header: value}).status_code == 200


@pytest.mark.parametrize("value", ["", "Basic Og==", "Bearer", "Bearer  ", "Digest abc"])
def test_a_header_that_brings_nothing_of_ours_is_that_of_a_stranger(
    shared_site: Site, value: str
) -> None:
    client = shared_site.client(Authorization=value)
    assert who_is(client) == ""
    assert client.get("/root/pypi").status_code == 200
    assert client.get("/root").status_code == 401


# What it costs


@pytest.fixture
def hasher() -> QuickHasher:
    return QuickHasher()


@pytest.mark.parametrize("user", ["root", "nobody", "not a name!", "x" * 5_000])
def test_a_wrong_password_costs_one_check_whether_the_user_exists_or_not(
    make_site: Callable[..., Site], hasher: QuickHasher, user: str
) -> None:
    site = make_site(hasher=hasher)
    site.client(**basic(user, "wrong-password")).get("/root")
    assert hasher.verified == 1
    site.anonymous.post("/+login", json={"user": user, "password": "another-one"})
    assert hasher.verified == 2


def test_a_password_without_a_name_costs_no_check_of_a_user(
    make_site: Callable[..., Site], hasher: QuickHasher
) -> None:
    site = make_site(hasher=hasher)
    site.client(**basic("", "wrong-password")).get("/root")
    assert hasher.verified == 0
    site.anonymous.post("/+login", json={"user": "", "password": "wrong-password"})
    assert hasher.verified == 1


def test_a_verified_password_is_not_computed_again(
    make_site: Callable[..., Site], hasher: QuickHasher
) -> None:
    site = make_site(hasher=hasher)
    assert {site.root.get("/root").status_code for _ in range(10)} == {200}
    assert hasher.verified == 1


def test_the_same_wrong_password_is_not_computed_again_until_it_is_right(
    make_site: Callable[..., Site], hasher: QuickHasher
) -> None:
    site = make_site(hasher=hasher)
    client = site.client(**basic("root", "wrong-password"))
    assert {client.get("/root").status_code for _ in range(3)} == {401}
    assert hasher.verified == 1
    site.root.patch("/root", json={"password": "wrong-password"})
    assert client.get("/root").status_code == 200


def test_tokens_cost_no_password_check(
    make_site: Callable[..., Site], hasher: QuickHasher
) -> None:
    site = make_site(hasher=hasher)
    client = site.bearer(new_token(site.root, "root")["token"])
    verified = hasher.verified
    assert client.get("/root").status_code == 200
    assert site.bearer("stillroom_wrong").get("/root").status_code == 401
    assert site.bearer("wrong").get("/root").status_code == 401
    assert hasher.verified == verified


class CountingPlugin:
    """Knows nobody, and counts how often it is asked."""

    asked = 0

    @hookimpl(tryfirst=True)
    def stillroom_authenticate(self) -> None:
        self.asked += 1


def test_a_page_costs_one_serial_and_nothing_else_with_credentials_too(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = CountingPlugin()
    site = make_site(extra_plugins={"counting": plugin})
    dev = _with_page(site)
    clients = [
        site.client(),
        site.bearer(new_token(dev, "dev")["token"]),
        dev,
    ]
    observer = Observer(site, monkeypatch)
    for client in clients:
        assert client.get(PAGE, headers={"Accept": JSON}).status_code == 200
        asked = plugin.asked
        with observer.counting() as cost:
            assert client.get(PAGE, headers={"Accept": JSON}).status_code == 200
        assert cost.counted == {"statements": 0, "serials": 1, "hashes": 0}
        assert plugin.asked == asked


def _with_page(site: Site) -> httpx.Client:
    dev = site.new_user("dev")
    new_index(dev, "dev/stage", acl_read=[":ANONYMOUS:"])
    upload(dev, "dev/stage", make_wheel("demo"))
    return dev


class HeldHasher(QuickHasher):
    """Lets nobody pass before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.release = threading.Event()

    def verify(self, password_hash: str | None, password: str) -> bool:
        self.begun.set()
        assert self.release.wait(10)
        return super().verify(password_hash, password)


def test_equal_checks_at_the_same_time_are_joined(make_site: Callable[..., Site]) -> None:
    hasher = HeldHasher()
    site = make_site(hasher=hasher)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(site.root.get, "/root") for _ in range(8)]
        assert hasher.begun.wait(10)
        hasher.release.set()
        assert {answer.result().status_code for answer in waiting} == {200}
    assert hasher.verified == 1


# How it ends


def test_a_changed_password_ends_the_old_one_and_all_tokens_at_once(
    site: Site, dev: httpx.Client
) -> None:
    token = new_token(dev, "dev")["token"]
    login = dev.post("/+login", json={"user": "dev", "password": password_of("dev")})
    answer = dev.patch("/dev", json={"password": "another-password"})
    fresh = answer.json()["result"]["password"]
    assert dev.get("/dev").status_code == 401
    assert site.bearer(token).get("/dev").status_code == 401
    assert site.bearer(login.json()["result"]["password"]).get("/dev").status_code == 401
    assert site.client(**basic("dev", "another-password")).get("/dev").status_code == 200
    assert site.bearer(fresh).get("/dev").status_code == 200


def test_a_password_changed_in_one_process_is_void_in_the_others(
    site: Site, dev: httpx.Client
) -> None:
    with new_site(site.database, site.store) as second:
        elsewhere = second.user("dev")
        token = second.bearer(new_token(dev, "dev")["token"])
        assert elsewhere.get("/dev").status_code == token.get("/dev").status_code == 200
        dev.patch("/dev", json={"password": "another-password"})
        assert elsewhere.get("/dev").status_code == token.get("/dev").status_code == 401


@pytest.mark.parametrize("end", ["deleted", "without a password"])
def test_a_user_who_ends_in_one_process_is_nobody_in_the_others(
    site: Site, dev: httpx.Client, end: str
) -> None:
    with new_site(site.database, site.store) as second:
        elsewhere = second.user("dev")
        token = second.bearer(new_token(dev, "dev")["token"])
        assert elsewhere.get("/dev").status_code == token.get("/dev").status_code == 200
        if end == "deleted":
            assert site.root.delete("/dev").status_code == 200
        else:
            assert dev.patch("/dev", json={"password": None}).json() == {"message": "user updated"}
        assert elsewhere.get("/dev").status_code == token.get("/dev").status_code == 401


def test_a_deleted_user_is_nobody_even_if_the_name_is_taken_again(
    site: Site, dev: httpx.Client
) -> None:
    token = site.bearer(new_token(dev, "dev")["token"])
    assert site.root.delete("/dev").status_code == 200
    assert dev.get("/dev").status_code == token.get("/dev").status_code == 401
    site.root.put("/dev", json={"password": "another-password"})
    assert dev.get("/dev").status_code == token.get("/dev").status_code == 401


def test_a_refused_login_is_logged_without_the_password(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"user": "dev\nroot", "password": "a-wrong-password"}
    assert site.anonymous.post("/+login", json=body).status_code == 401
    assert "login refused for 'dev\\nroot'" in caplog.text
    assert "a-wrong-password" not in caplog.text
