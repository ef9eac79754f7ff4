"""A secret never prints itself: a canary is looked for wherever it should not be."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.identity import Credentials, Identity
from support.canary import MARK
from support.site import Site, basic, new_token

CANARY = f"canary-1b2c3d{MARK}"


@pytest.fixture
def canary(site: Site, caplog: pytest.LogCaptureFixture) -> Iterator[httpx.Client]:
    """The user `canary`, whose secrets must not be found in any log line in the end."""
    caplog.set_level(logging.DEBUG)
    site.root.put("/canary", json={"password": CANARY})
    yield site.client(**basic("canary", CANARY))
    site.server.events.tell_all()
    assert CANARY not in caplog.text
    assert "stillroom_" not in caplog.text.replace("stillroom_server", "")


def test_no_answer_and_no_log_line_holds_a_password(site: Site, canary: httpx.Client) -> None:
    wrong = site.client(**basic("canary", CANARY + "-wrong"))
    answers = [
        canary.get("/"),
        canary.get("/canary"),
        canary.get("/+status"),
        canary.get("/+api"),
        canary.get("/canary/absent"),
        canary.put("/canary/stage", json={"unknown": CANARY.replace("1b2c3d", "")}),
        canary.patch("/canary", json={"password": CANARY}),
        canary.patch("/canary", json={"password": CANARY, "unknown": 1}),
        wrong.get("/canary"),
        site.anonymous.post("/+login", json={"user": "canary", "password": CANARY + "-wrong"}),
        site.root.put("/canary", json={"password": CANARY}),
        site.root.put("/canary2", json={"password": CANARY, "unknown": 1}),
    ]
    for answer in answers:
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)


def test_no_answer_and_no_log_line_holds_a_token(site: Site, canary: httpx.Client) -> None:
    made = new_token(canary, "canary", note="mine")
    client = site.bearer(made["token"])
    answers = [
        client.get("/canary"),
        client.get("/canary/+tokens"),
        client.get("/+status"),
        client.get("/canary/absent"),
        site.bearer(made["token"] + "x").get("/canary"),
        site.client(**basic("root", made["token"])).get("/root"),
        client.post("/+login", json={"user": "canary", "password": made["token"]}),
        client.put("/other", json={"password": made["token"]}),
        client.get("/canary/+tokens/current"),
        client.delete("/canary/+tokens/current"),
        client.get("/canary"),
    ]
    for answer in answers:
        assert made["token"] not in answer.text
        assert made["token"] not in str(answer.headers)


def test_a_token_is_stored_as_its_hash_alone(
    site: Site, canary: httpx.Client, database_url: str
) -> None:
    secret = new_token(canary, "canary")["token"]
    with site.database.reading() as unit:
        assert secret not in repr(unit.journal.since(0, 1_000))
    path = Path(database_url.removeprefix("sqlite:///"))
    files = list(path.parent.glob(f"{path.name}*"))
    assert path in files
    assert not any(secret.encode() in file.read_bytes() for file in files)


def test_what_holds_a_secret_does_not_show_it(site: Site, canary: httpx.Client) -> None:
    issued = site.services.tokens.login("canary", CANARY)
    user, _indexes = site.services.users.get(issued.token.user)
    credentials = Credentials(user="canary", secret=CANARY)
    identity = site.services.authenticator.identify(Credentials(None, issued.secret))
    shown = repr([issued, issued.token, user, credentials, identity])
    assert CANARY not in shown
    assert issued.secret not in shown
    assert issued.token.digest.hex() not in shown
    assert user.password_hash not in shown


def test_a_traceback_of_a_bug_does_not_show_credentials(
    site: Site, canary: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(site.services.users, "get", broken)
    answer = canary.get("/canary")
    assert answer.status_code == 500
    assert CANARY not in answer.text


def test_a_refusal_keeps_the_secret_out_of_its_message(site: Site, canary: httpx.Client) -> None:
    for credentials in (
        Credentials("canary", CANARY + "x"),
        Credentials(None, "stillroom_" + CANARY),
    ):
        with suppress(StillroomError):
            site.services.authenticator.identify(credentials)
            pytest.fail("these credentials are wrong")
    issued = site.services.tokens.issue_login(Identity("canary"))
    assert issued.secret not in str(issued)
