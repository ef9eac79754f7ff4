"""What concerns the whole server: the start page, status and health."""

from collections.abc import Callable

import httpx
import pytest

from stillroom_server.domain.errors import StorageBusy
from support.servers import QuickHasher
from support.site import API, BASE_URL, Site, basic, new_index, new_token, password_of

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_gets_a_page_with_the_lines_to_try(site: Site) -> None:
    answer = site.anonymous.get("/", headers=BROWSER)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Stillroom" in answer.text
    assert "Not logged in." in answer.text
    assert f"pip install --index-url {BASE_URL}/root/pypi/simple/" in answer.text
    assert f"uv pip install --index-url {BASE_URL}/root/pypi/simple/" in answer.text


def test_the_start_page_names_the_indexes_that_one_may_see(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/private", acl_read="dev")
    mine = dev.get("/", headers=BROWSER).text
    assert "Logged in as dev." in mine
    assert "dev/stage" in mine
    assert "dev/private" in mine
    others = site.new_user("other").get("/", headers=BROWSER).text
    assert "dev/stage" in others
    assert "dev/private" not in others
    assert "dev/" not in site.anonymous.get("/", headers=BROWSER).text


def test_the_start_page_runs_nothing_and_is_kept_by_nobody(site: Site) -> None:
    headers = site.anonymous.get("/", headers=BROWSER).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-store"
    assert {"Accept", "Authorization"} <= set(headers["Vary"].split(", "))


def test_a_forged_host_is_not_markup_on_the_start_page(site: Site) -> None:
    answer = site.anonymous.get("/", headers=BROWSER | {"Host": 'x"><script>alert(1)</script>'})
    assert "<script>" not in answer.text


@pytest.mark.parametrize("accept", [API, "*/*", f"{API}, text/html;q=0.5"])
def test_clients_get_the_users_instead(site: Site, accept: str) -> None:
    answer = site.anonymous.get("/", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["type"] == "list:userconfig"


def test_a_token_that_reads_nothing_sees_what_strangers_do(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/open", acl_read=[":ANONYMOUS:"], acl_upload=["dev", "ann"])
    strangers = site.anonymous.get("/").json()
    assert set(strangers["result"]) == {"dev", "root"}
    assert set(strangers["result"]["dev"]["indexes"]) == {"open"}
    for allow in (["upload"], ["account", "admin", "delete"]):
        client = site.bearer(new_token(dev, "dev", allow=allow)["token"])
        assert client.get("/dev").status_code == 403
        assert client.get("/").json() == strangers
        page = client.get("/", headers=BROWSER).text
        assert "Logged in as dev." in page
        assert "dev/open" in page
        assert "dev/stage" not in page
    reading = site.bearer(new_token(dev, "dev", allow=["read"], indexes=["dev/open"])["token"])
    assert set(reading.get("/").json()["result"]["dev"]["indexes"]) == {"open", "stage"}


def test_the_status_names_versions_and_the_serial(site: Site, dev: httpx.Client) -> None:
    body = site.anonymous.get("/+status").json()
    assert body["type"] == "status"
    assert body["result"]["versioninfo"]["stillroom-server"]
    assert body["result"]["serial"] == site.database.serial()


@pytest.mark.parametrize(
    "credentials",
    [
        basic("dev", "wrong password"),
        basic("nobody", "wrong password"),
        {"Authorization": "Bearer stillroom_bad"},
    ],
)
def test_wrong_credentials_are_refused_where_the_answer_depends_on_who_asks(
    site: Site, dev: httpx.Client, credentials: dict[str, str]
) -> None:
    client = site.client(**credentials)
    for path, accept in (("/", API), ("/", BROWSER["Accept"]), ("/+status", API)):
        answer = client.get(path, headers={"Accept": accept})
        assert answer.status_code == 401, path
        assert "Wrong user name, password or token" in answer.text
        assert "WWW-Authenticate" in answer.headers
    # What clients ask before they log in anew, and balancers with whatever they are given.
    for path in ("/+api", "/dev/+api", "/dev/stage/+api", "/+live", "/+ready"):
        assert client.get(path).status_code == 200, path
    login = {"user": "dev", "password": password_of("dev")}
    assert client.post("/+login", json=login).status_code == 200


def test_health_is_seen_by_everyone(site: Site) -> None:
    assert site.anonymous.get("/+live").json() == {"status": "live"}
    assert site.anonymous.get("/+ready").json()["status"] == "ready"


def test_a_server_without_its_database_lives_and_is_not_ready(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise StorageBusy("the database cannot be reached", retry_after=3)

    monkeypatch.setattr(site.database, "serial", away)
    assert site.anonymous.get("/+live").status_code == 200
    for path in ("/+ready", "/root/pypi", "/root/pypi/simple/example/", "/dev/stage"):
        answer = site.anonymous.get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "3"


@pytest.mark.parametrize("path", ["/+live", "/+ready"])
def test_a_probe_is_not_asked_who_it_is(make_site: Callable[..., Site], path: str) -> None:
    hasher = QuickHasher()
    site = make_site(hasher=hasher, login_failures_per_user=1)
    verified = hasher.verified
    for number in range(3):
        client = site.client(**basic("root", f"wrong {number}"))
        assert client.get(path).status_code == 200
    assert hasher.verified == verified
    # None of them was a guess.
    assert site.client(**basic("root", "wrong")).get("/root").status_code == 401
