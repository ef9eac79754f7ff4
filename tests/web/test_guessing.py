"""Passwords under attack: what guessing costs whom, over HTTP."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from support.distributions import make_wheel
from support.observer import Observer
from support.servers import QuickHasher
from support.site import (
    HTML,
    JSON,
    Site,
    basic,
    new_index,
    new_site,
    new_token,
    password_of,
    upload,
)

LIMITS = {
    "login_failures_per_user": 10,
    "login_failures_per_address": 50,
    "login_failures": 1000,
    "login_window_seconds": 300,
}
PAGE = "/dev/stage/simple/demo/"
TOO_MANY = (
    "Too many wrong passwords were sent; try again in 300 seconds, or use a token, which works "
    "meanwhile."
)


@pytest.fixture
def site(make_site: Callable[..., Site], clock: object) -> Site:
    """A site with the limits that a new server has, and the user `dev` with a page."""
    site = make_site(**LIMITS)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    upload(dev, "dev/stage", make_wheel("demo"))
    return site


def guesses(site: Site, number: int, user: str = "dev", address: str = "192.0.2.1") -> list[int]:
    """Send so many wrong passwords, no two alike, by the ways there are; the statuses."""
    statuses = []
    for count in range(number):
        password = f"wrong {address} {count}"
        if count % 2:
            with site.client(remote_addr=address) as client:
                answer = client.post("/+login", json={"user": user, "password": password})
        else:
            with site.client(remote_addr=address, **basic(user, password)) as client:
                answer = client.get(PAGE, headers={"Accept": JSON})
        statuses.append(answer.status_code)
    return statuses


def from_elsewhere(site: Site, user: str, password: str) -> httpx.Response:
    with site.client(remote_addr="198.51.100.9", **basic(user, password)) as client:
        return client.get(PAGE, headers={"Accept": JSON})


@pytest.mark.parametrize("user", ["dev", "nobody"])
def test_the_eleventh_guess_at_a_user_is_not_looked_at(site: Site, user: str) -> None:
    assert guesses(site, 12, user) == [401] * 10 + [429] * 2
    answer = from_elsewhere(site, user, "wrong in another way")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "10"
    assert answer.reason_phrase == answer.json()["detail"]
    assert answer.json()["title"] == "Too Many Requests"
    assert "WWW-Authenticate" not in answer.headers


def test_known_and_unknown_users_are_told_the_same(site: Site) -> None:
    said = []
    for user in ("root", "nobody"):
        guesses(site, 10, user)
        answer = site.anonymous.post("/+login", json={"user": user, "password": "one more"})
        said.append((answer.status_code, answer.json(), answer.headers["Retry-After"]))
    assert said[0] == said[1]


def test_tokens_and_verified_passwords_of_a_locked_user_go_on(site: Site) -> None:
    token = new_token(site.user("dev"), "dev")["token"]
    guesses(site, 10)
    assert site.user("dev").get(PAGE, headers={"Accept": HTML}).status_code == 200
    assert site.bearer(token).get(PAGE, headers={"Accept": HTML}).status_code == 200
    assert site.bearer(token).get("/dev/stage").status_code == 200


def test_an_address_has_fifty_guesses_and_others_go_on(site: Site) -> None:
    for number in range(25):
        assert guesses(site, 2, f"user{number}") == [401, 401]
    assert guesses(site, 2, "user25") == [429, 429]
    assert from_elsewhere(site, "user25", "wrong").status_code == 401


def test_a_hundred_addresses_guess_at_one_user_as_one(site: Site) -> None:
    statuses = [guesses(site, 1, "dev", f"192.0.2.{number}") for number in range(100)]
    assert Counter(status for [status] in statuses) == {401: 10, 429: 90}


def test_all_together_have_a_limit(make_site: Callable[..., Site]) -> None:
    site = make_site(**LIMITS | {"login_failures": 20})
    statuses = [guesses(site, 1, f"user{number}", f"192.0.2.{number}")[0] for number in range(25)]
    assert statuses == [401] * 20 + [429] * 5


def test_the_lock_ends_by_itself(site: Site, clock) -> None:
    guesses(site, 10, "root")
    fresh = site.client(**basic("root", "not the password"))
    assert fresh.get("/root").status_code == 429
    clock.advance(300)
    assert fresh.get("/root").status_code == 401


def test_an_old_password_in_a_job_locks_nobody_out(site: Site) -> None:
    job = site.client(**basic("dev", "last-years-password"))
    assert {job.get(PAGE, headers={"Accept": JSON}).status_code for _ in range(40)} == {401}
    login = {"user": "dev", "password": password_of("dev")}
    assert site.anonymous.post("/+login", json=login).status_code == 200
    assert guesses(site, 9)[-1] == 401


def test_open_pages_are_shown_to_who_is_locked_out(site: Site) -> None:
    guesses(site, 10)
    client = site.client(**basic("dev", "one more"))
    assert client.get("/+api").json()["result"]["authstatus"][0] == "noauth"
    assert client.get("/+ready").status_code == 200
    # What they may see there depends on who they are.
    assert client.get("/+status").status_code == 429


def test_another_process_and_one_after_a_restart_count_on(
    site: Site, database: SqlDatabase, blob_store: DiskBlobStore
) -> None:
    assert guesses(site, 6) == [401] * 6
    for left in (4, 0):
        # A process of its own, with nothing in its memory: the truth is in the database.
        with new_site(database, blob_store, **LIMITS) as other:
            statuses = guesses(other, 6, "dev", "192.0.2.2")
            assert statuses == [401] * left + [429] * (6 - left)
    assert from_elsewhere(site, "dev", "wrong").status_code == 429


def test_a_wrong_password_costs_the_same_whoever_it_is_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.root.put("/ci", json={"password": None})
    observer = Observer(site, monkeypatch)
    costs = {}
    for user in ("dev", "ci", "nobody"):
        observer.make_cold()
        client = site.client(**basic(user, "wrong"))
        for known in ("first", "again", "after a change"):
            if known == "after a change":
                observer.make_cold()
            with observer.counting() as cost:
                assert client.get("/dev").status_code == 401
            costs[user, known] = dict(cost.counted)
    for known in ("first", "again", "after a change"):
        assert costs["dev", known] == costs["ci", known] == costs["nobody", known]
    assert costs["dev", "first"]["hashes"] == 1
    assert costs["dev", "again"]["hashes"] == costs["dev", "again"]["statements"] == 0


class SlowHasher(QuickHasher):
    """Takes a moment for each hash, as a real one does; counts how many are at it."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.running = self.most = 0

    def verify(self, password_hash: str | None, password: str) -> bool:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1
        return super().verify(password_hash, password)


def test_parallel_guesses_do_not_pass_together(make_site: Callable[..., Site]) -> None:
    hasher = SlowHasher()
    site = make_site(hasher=hasher, **LIMITS)

    def one(number: int) -> int:
        body = {"user": "root", "password": f"wrong {number}"}
        return site.client().post("/+login", json=body).status_code

    with ThreadPoolExecutor(40) as pool:
        statuses = Counter(pool.map(one, range(100)))
    assert statuses == {401: 10, 429: 90}
    assert hasher.verified == 10
