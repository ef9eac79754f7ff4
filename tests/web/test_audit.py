"""What people did, and who fetched what, as administrators ask for it."""

from typing import Any

import httpx
import pytest

from stillroom_server.testing import LocalUpstream
from support.distributions import make_sdist, make_wheel
from support.site import (
    Site,
    basic,
    faulty_fields,
    file_url,
    new_index,
    new_token,
    password_of,
    upload,
)

WHEEL, SDIST, OLD = make_wheel("demo", "1.0"), make_sdist("demo", "1.0"), make_wheel("demo", "0.9")


def entries(client: httpx.Client, path: str = "/+audit", **filters: str) -> list[dict[str, Any]]:
    answer = client.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "list:audit"
    return answer.json()["result"]


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [entry["event"] for entry in found]


def fetches(
    site: Site, client: httpx.Client, path: str = "/+fetches", **filters: str
) -> list[dict[str, Any]]:
    """What was fetched, once it is written down."""
    site.services.fetches.flush()
    answer = client.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "list:fetches"
    return answer.json()["result"]


# What people did


def test_an_entry_says_who_did_what_by_which_token_and_from_where(
    site: Site, dev: httpx.Client
) -> None:
    token = new_token(dev, "dev", expires_in=60)
    client = site.client(remote_addr="192.0.2.7", Authorization=f"Bearer {token['token']}")
    upload(client, "dev/stage", WHEEL)
    entry = entries(site.root)[0]
    assert entry["event"] == "file-added"
    assert (entry["actor"], entry["token"]) == ("dev", token["id"])
    assert entry["address"] == "192.0.2.7"
    assert (entry["index"], entry["project"], entry["user"]) == ("dev/stage", "demo", None)
    assert entry["details"]["filename"] == WHEEL.filename
    assert entry["at"].endswith("Z")


def test_a_change_of_options_tells_who_was_let_in_and_who_out(
    site: Site, dev: httpx.Client
) -> None:
    dev.patch("/dev/stage", json=["acl_upload+=ann", "acl_upload-=dev", "title=Team"])
    changed, _created = entries(dev, "/dev/stage/+audit")
    assert changed["details"]["options"] == {
        "acl_upload": {"added": ["ann"], "removed": ["dev"]},
        "title": {"from": None, "to": "Team"},
    }


def test_an_entry_names_the_request_as_its_answer_did(site: Site, dev: httpx.Client) -> None:
    answer = dev.patch("/dev", json={"title": "new"})
    assert entries(site.root)[0]["request"] == answer.headers["X-Request-ID"]


def test_a_login_is_traced_to_its_address(site: Site, dev: httpx.Client) -> None:
    client = site.client(remote_addr="192.0.2.9")
    answer = client.post("/+login", json={"user": "dev", "password": password_of("dev")})
    assert answer.status_code == 200
    entry = entries(site.root)[0]
    assert (entry["event"], entry["actor"]) == ("token-created", "dev")
    assert entry["address"] == "192.0.2.9"
    assert entry["request"] == answer.headers["X-Request-ID"]


def test_the_audit_of_an_index_is_what_happened_there(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/other")
    upload(dev, "dev/stage", WHEEL)
    assert kinds(entries(dev, "/dev/stage/+audit")) == ["file-added", "index-created"]
    assert kinds(entries(dev, "/dev/other/+audit/")) == ["index-created"]
    assert entries(dev, "/dev/stage/+audit") == entries(site.root, index="dev/stage")


def test_the_audit_is_filtered(site: Site, dev: httpx.Client) -> None:
    site.new_user("ann")
    upload(dev, "dev/stage", WHEEL)
    assert kinds(entries(site.root, user="ann")) == ["user-created"]
    assert kinds(entries(site.root, user="dev", project="Demo")) == ["file-added"]
    assert kinds(entries(site.root, project="other")) == []
    [created] = entries(site.root, user="ann")
    assert kinds(entries(site.root, since=created["at"])) == ["file-added", "user-created"]
    assert "user-created" not in kinds(entries(site.root, since=created["at"], user="dev"))
    assert "file-added" not in kinds(entries(site.root, until=created["at"]))
    assert entries(site.root, since="2200-01-01") == []
    assert entries(site.root, until="2001-02-03T04:05:06+01:00") == []


def test_the_audit_comes_in_pages(site: Site, dev: httpx.Client) -> None:
    for title in "abc":
        assert dev.patch("/dev", json={"title": title}).status_code == 200
    whole = entries(site.root)
    found: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    for _ in whole:
        body = site.root.get("/+audit", params={"limit": "2", **before}).json()
        found += body["result"]
        if body["next"] is None:
            break
        before = {"before": body["next"]}
    assert found == whole
    assert len(whole) > 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("index", "dev"),
        ("project", "-"),
        ("user", "a b"),
        ("since", "yesterday"),
        ("since", "0001-01-01T00:00:00+14:00"),
        ("until", "2026-13-01"),
        ("before", "1"),
        ("before", "1.2.3"),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "ten"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(site: Site, field: str, value: str) -> None:
    assert faulty_fields(site.root.get("/+audit", params={field: value})) == {field}


def test_all_faults_are_told_at_once(site: Site) -> None:
    answer = site.root.get("/+audit?limit=0&since=x&usr=ann")
    assert faulty_fields(answer) == {"limit", "since", "'usr'"}
    assert "there are before, index, limit, project, since, until, user" in answer.text


def test_an_index_is_no_filter_below_an_index(site: Site, dev: httpx.Client) -> None:
    for path in ("/dev/stage/+audit", "/dev/stage/+fetches"):
        assert faulty_fields(dev.get(path, params={"index": "root/pypi"})) == {"'index'"}


# Who fetched what


def test_a_fetch_says_who_got_which_file_from_where(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/heir", bases="dev/stage")
    upload(dev, "dev/stage", WHEEL)
    token = new_token(dev, "dev", expires_in=60)
    client = site.client(remote_addr="192.0.2.7", Authorization=f"Bearer {token['token']}")
    for _ in range(2):
        assert client.get(file_url("dev/heir", "demo", WHEEL)).status_code == 200
    found = fetches(site, site.root)
    assert sum(row.pop("count") for row in found) == 2
    for row in found:
        assert row.pop("minute").endswith(":00.000000Z")
        assert row == {
            "user": "dev",
            "token": token["id"],
            "address": "192.0.2.7",
            "asked": "dev/heir",
            "held": "dev/stage",
            "project": "demo",
            "version": "1",
            "filename": WHEEL.filename,
            "sha256": WHEEL.sha256,
        }
    assert len(fetches(site, dev, "/dev/heir/+fetches")) == len(found)
    assert len(fetches(site, dev, "/dev/stage/+fetches")) == len(found)


def test_an_index_that_comes_again_tells_nothing_of_the_one_that_was(
    clock: Any, site: Site, dev: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.database, "_clock", clock)
    upload(dev, "dev/stage", WHEEL)
    assert dev.get(file_url("dev/stage", "demo", WHEEL)).status_code == 200
    assert len(fetches(site, dev, "/dev/stage/+fetches")) == 1
    assert dev.delete("/dev/stage").status_code == 201
    clock.advance(60)
    new_index(dev, "dev/stage")
    assert kinds(entries(dev, "/dev/stage/+audit")) == ["index-created"]
    assert entries(dev, "/dev/stage/+audit", project="demo") == []
    for since in ({}, {"since": "2001-02-03"}):
        assert fetches(site, dev, "/dev/stage/+fetches", **since) == []
    upload(dev, "dev/stage", SDIST)
    # Of the minute in which it was created, everything is told.
    assert dev.get(file_url("dev/stage", "demo", SDIST)).status_code == 200
    assert kinds(entries(dev, "/dev/stage/+audit")) == ["file-added", "index-created"]
    [row] = fetches(site, dev, "/dev/stage/+fetches")
    assert row["filename"] == SDIST.filename
    # Root sees both.
    assert kinds(entries(site.root, index="dev/stage", project="demo")) == ["file-added"] * 2
    assert len(kinds(entries(site.root, index="dev/stage"))) == 5
    assert len(fetches(site, site.root, index="dev/stage")) == 2


def test_an_anonymous_fetch_has_an_address_at_least(site: Site, dev: httpx.Client) -> None:
    new_index(dev, "dev/open", acl_read=[":ANONYMOUS:"])
    upload(dev, "dev/open", WHEEL)
    client = site.client(remote_addr="2001:db8::7")
    assert client.get(file_url("dev/open", "demo", WHEEL)).status_code == 200
    [row] = fetches(site, site.root)
    assert (row["user"], row["token"], row["address"]) == (None, None, "2001:db8::7")


def test_what_counts_as_a_fetch(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", WHEEL)
    url = file_url("dev/stage", "demo", WHEEL)
    etag = dev.head(url).headers["ETag"]
    assert dev.get(url, headers={"If-None-Match": etag}).status_code == 304
    assert dev.get(url, headers={"Range": "bytes=999999999-"}).status_code == 416
    assert dev.get(f"{url}.metadata").status_code == 200
    assert dev.get(url.replace("1.0", "1.1")).status_code == 404
    assert site.anonymous.get(url).status_code == 401
    assert fetches(site, site.root) == []
    assert dev.get(url, headers={"Range": "bytes=0-1"}).status_code == 206
    assert dev.get(url).status_code == 200
    assert sum(row["count"] for row in fetches(site, site.root)) == 2


@pytest.mark.parametrize(
    ("options", "status"), [({}, 200), ({"mirror_use_external_urls": True}, 302)]
)
def test_a_file_of_a_mirror_is_fetched_from_there(
    site: Site, dev: httpx.Client, upstream: LocalUpstream, options: dict[str, Any], status: int
) -> None:
    upstream.add(WHEEL)
    new_index(site.root, "root/mirror", type="mirror", mirror_url=upstream.url, **options)
    new_index(dev, "dev/heir", bases="root/mirror")
    url = file_url("dev/heir", "demo", WHEEL)
    assert dev.head(url).status_code == status
    for _ in range(2):
        assert dev.get(url, follow_redirects=False).status_code == status
    found = fetches(site, site.root)
    assert sum(row["count"] for row in found) == 2
    assert {(row["asked"], row["held"]) for row in found} == {("dev/heir", "root/mirror")}
    assert {(row["version"], row["sha256"]) for row in found} == {("1", WHEEL.sha256)}


def test_a_file_without_a_digest_has_the_one_that_was_found(
    site: Site, dev: httpx.Client, upstream: LocalUpstream
) -> None:
    upstream.add(WHEEL, hashes={})
    new_index(site.root, "root/mirror", type="mirror", mirror_url=upstream.url)
    url = file_url("root/mirror", "demo", WHEEL).replace(WHEEL.sha256, "-")
    for _ in range(2):
        assert dev.get(url).content == WHEEL.content
    # Until its last byte has come, nobody knows the digest of the first.
    assert {row["sha256"] for row in fetches(site, site.root)} == {None, WHEEL.sha256}


def test_fetches_are_filtered(site: Site, dev: httpx.Client) -> None:
    ann = site.new_user("ann")
    upload(dev, "dev/stage", WHEEL, SDIST, OLD)
    for client, file in ((dev, WHEEL), (ann, SDIST), (ann, OLD)):
        assert client.get(file_url("dev/stage", "demo", file)).status_code == 200

    def found(**filters: str) -> set[tuple[str, str]]:
        rows = fetches(site, site.root, **filters)
        return {(row["user"], row["filename"]) for row in rows}

    by_dev, by_ann = ("dev", WHEEL.filename), ("ann", SDIST.filename)
    old = ("ann", OLD.filename)
    assert found(project="demo") == found(index="dev/stage") == {by_dev, by_ann, old}
    assert found(project="demo", version="1.0.0") == {by_dev, by_ann}
    assert found(version="1") == {by_dev, by_ann}
    assert found(file=SDIST.filename) == {by_ann}
    assert found(user="ann") == {by_ann, old}
    assert found(project="other") == found(index="root/pypi") == set()
    assert found(since="2001-01-01", until="2200-01-01") == {by_dev, by_ann, old}
    assert found(since="2200-01-01") == found(until="2001-01-01") == set()
    minute = fetches(site, site.root)[0]["minute"]
    assert found(since=minute.replace(":00.0", ":59.0"))


def test_there_are_more_fetches_than_were_asked_for(site: Site, dev: httpx.Client) -> None:
    upload(dev, "dev/stage", WHEEL, SDIST)
    for file in (WHEEL, SDIST):
        dev.get(file_url("dev/stage", "demo", file))
    site.services.fetches.flush()
    assert site.root.get("/+fetches?limit=1").json()["more"] is True
    assert site.root.get("/+fetches?limit=2").json()["more"] is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "-"),
        ("version", ""),
        ("version", "\x1b[31m"),
        ("file", "a\nb"),
        ("file", "a" * 256),
        ("user", ""),
        ("since", "10:39"),
        ("until", "x"),
        ("limit", "-1"),
        ("limit", "10001"),
        ("index", "x"),
    ],
)
def test_a_filter_of_fetches_that_makes_no_sense_is_named(
    site: Site, field: str, value: str
) -> None:
    assert faulty_fields(site.root.get("/+fetches", params={field: value})) == {field}


# What is too old


def test_what_is_too_old_is_told_no_more(clock: Any, make_site: Any) -> None:
    site = make_site(audit_days=2, fetches_days=1)
    dev = site.new_user("dev")
    new_index(dev, "dev/stage")
    upload(dev, "dev/stage", WHEEL)
    dev.get(file_url("dev/stage", "demo", WHEEL))
    clock.advance(86_400 - 60)
    assert len(entries(dev, "/dev/stage/+audit")) == 2
    assert len(fetches(site, dev, "/dev/stage/+fetches")) == 1
    clock.advance(120)
    assert len(entries(dev, "/dev/stage/+audit")) == 2
    assert fetches(site, dev, "/dev/stage/+fetches") == []
    clock.advance(86_400)
    assert entries(dev, "/dev/stage/+audit", since="2001-01-01") == []


# Behind proxies


@pytest.mark.parametrize(
    ("trusted", "address"), [(("192.0.2.1",), "203.0.113.9"), ((), "192.0.2.1")]
)
def test_the_address_is_the_clients_where_a_trusted_proxy_says_it(
    make_site: Any, trusted: tuple[str, ...], address: str
) -> None:
    site = make_site(trusted_proxies=trusted)
    dev = site.new_user("dev")
    headers = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "given-by-the-proxy"}
    client = site.client(remote_addr="192.0.2.1", **headers, **basic("dev", password_of("dev")))
    new_index(client, "dev/stage")
    upload(dev, "dev/stage", WHEEL)
    assert client.get(file_url("dev/stage", "demo", WHEEL)).status_code == 200
    [entry] = [each for each in entries(site.root) if each["event"] == "index-created"][:1]
    assert entry["address"] == address
    assert (entry["request"] == "given-by-the-proxy") is bool(trusted)
    assert {row["address"] for row in fetches(site, site.root)} == {address}
