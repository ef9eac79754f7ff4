"""Law 1: no network, archive or hashing work while a unit of work is open; a GET writes nothing.

The use cases are run through the web on a real database, on adapters that are watched.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest

from stillroom_server.app.assembly import utc_now
from stillroom_server.archives.inspector import ArchiveInspector
from stillroom_server.domain.upstream import Validators
from stillroom_server.services.name_lists import BATCH
from stillroom_server.services.sweep import Sweep
from stillroom_server.storage.database import SqlDatabase, unit_is_open
from stillroom_server.storage.disk import DiskBlobStore
from support.distributions import Distribution, make_sdist, make_wheel
from support.fake_upstream import FakeUpstream
from support.servers import QuickHasher
from support.site import HTML, JSON, Site, file_url, new_index, new_site, page, upload
from support.values import an_upstream_file
from support.watched import Watch

WHEEL, SDIST = make_wheel("demo"), make_sdist("demo")
PUBLIC, PUSHED = make_wheel("public"), make_wheel("pushed")


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def upstream() -> FakeUpstream:
    """An upstream with two projects, one of them with metadata beside its file."""
    upstream = FakeUpstream()
    upstream.names = [f"name-{number}" for number in range(3 * BATCH)]
    for wheel in (PUBLIC, PUSHED):
        _offer(upstream, wheel)
    return upstream


def _offer(upstream: FakeUpstream, wheel: Distribution) -> None:
    project = wheel.filename.partition("-")[0]
    file = an_upstream_file(
        wheel.filename,
        hashes={"sha256": wheel.sha256},
        size=len(wheel.content),
        core_metadata={"sha256": hashlib.sha256(wheel.metadata).hexdigest()},
    )
    beside = an_upstream_file(url=f"{file.url}.metadata")
    upstream.offer(project, file, etag="v1")
    upstream.put(file, wheel.content)
    upstream.put(beside, wheel.metadata)


@pytest.fixture
def site(
    watch: Watch,
    upstream: FakeUpstream,
    blob_store: DiskBlobStore,
    fresh_database: Callable[[str], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """A site whose adapters are watched, and with them all that hashes."""
    for name in ("sha256", "new", "blake2b", "md5"):
        watched = watch.calling(f"hashlib.{name}", getattr(hashlib, name))
        monkeypatch.setattr(hashlib, name, watched)
    inspect = watch.calling("inspector.inspect", ArchiveInspector.inspect)
    monkeypatch.setattr(ArchiveInspector, "inspect", inspect)
    with fresh_database("sqlite") as url:
        database = SqlDatabase(url)
        adapters = {
            "upstream": watch.over("upstream", upstream),
            "hasher": watch.over("hasher", QuickHasher()),
        }
        with new_site(database, watch.over("store", blob_store), **adapters) as site:
            yield site
        database.close()


def _done(answer: httpx.Response, status: int = 200) -> httpx.Response:
    assert answer.status_code == status, answer.text
    return answer


def _read_everything(client: httpx.Client) -> None:
    """Every kind of page, view and file."""
    for path in ("/", "/dev", "/dev/top", "/dev/+tokens", "/dev/top/demo", "/dev/top/demo/1.0"):
        _done(client.get(path))
    found = _done(client.get("/dev/top/+projects?prefix=Name_2"))
    assert found.json()["result"][:2] == ["name-2", "name-20"]
    for accept in (HTML, JSON):
        for path in ("/dev/top/simple/", "/dev/top/simple/demo/", "/dev/top/simple/public/"):
            _done(client.get(path, headers={"Accept": accept}))
    for project, file in (("demo", WHEEL), ("demo", SDIST), ("public", PUBLIC)):
        url = file_url("dev/top", project, file)
        _done(client.head(url))
        assert _done(client.get(url)).content == file.content
        part = _done(client.get(url, headers={"Range": "bytes=1-9"}), 206)
        assert part.content == file.content[1:10]
    for project, file in (("demo", WHEEL), ("public", PUBLIC)):
        metadata = _done(client.get(file_url("dev/top", project, file) + ".metadata"))
        assert metadata.content == file.metadata


@pytest.fixture
def dev(site: Site) -> httpx.Client:
    """A user with two stages, the second of which inherits from the first and from the mirror.

    The mirror lists what its upstream has.
    """
    _done(site.root.patch("/root/pypi", json={"mirror_no_project_list": False}))
    dev = site.new_user("dev")
    new_index(dev, "dev/base", bases=["root/pypi"])
    new_index(dev, "dev/top", bases=["dev/base"])
    upload(dev, "dev/base", WHEEL, SDIST)
    return dev


def _change_everything(site: Site, dev: httpx.Client) -> None:
    """Every kind of change."""
    upload(dev, "dev/base", make_wheel("demo", summary="replaced"))
    push = {"name": "pushed", "version": "1.0", "targetindex": "dev/base"}
    _done(site.root.patch("/dev/base", json=["acl_upload+=root"]))
    _done(site.root.post("/root/pypi", json=push))
    _done(dev.patch("/dev/base/demo/1.0", json={"yanked": "broken"}))
    _done(dev.delete("/dev/base/demo/1.0"))
    _done(dev.delete("/dev/base/pushed"))
    token = _done(dev.post("/dev/+tokens", json={"allow": ["read"]}), 201).json()["result"]
    _done(site.bearer(token["token"]).get("/dev/top"))
    _done(dev.delete(f"/dev/+tokens/{token['id']}"))
    _done(site.root.patch("/dev", json={"password": "another password"}))
    _done(site.anonymous.post("/+login", json={"user": "dev", "password": "another password"}))
    _done(site.root.delete("/dev/top"), 201)
    _done(site.root.delete("/dev"))


def test_slow_work_is_never_done_inside_a_unit(site: Site, dev, watch: Watch):
    _read_everything(dev)
    _change_everything(site, dev)
    assert Sweep(site.database, site.store, utc_now).run().doomed > 0
    assert watch.inside == []
    assert watch.seen >= {
        "upstream.project_page",
        "upstream.project_names.names: next",
        "upstream.fetch",
        "upstream.fetch.chunks: next",
        "inspector.inspect",
        "hasher.hash",
        "hasher.verify",
        "hashlib.sha256",
        "store.receive.write",
        "store.receive.keep",
        "store.open",
        "store.walk: next",
    }, "the use cases are not what they were: this test would prove little"


def test_the_watch_would_see_it(site: Site, watch: Watch, upstream: FakeUpstream, blob_store):
    with site.database.reading():
        with watch.over("upstream", upstream).project_names("", Validators()) as answer:
            list(answer.names)
        with watch.over("store", blob_store).receive() as writer:
            writer.write(b"")
        hashlib.sha256(b"")
    assert "upstream.project_names" in watch.inside
    assert "upstream.project_names.names: next" in watch.inside
    assert "store.receive.write" in watch.inside
    assert "hashlib.sha256" in watch.inside


def test_a_request_leaves_no_unit_open(site: Site, dev):
    for path in ("/dev", "/dev/top/simple/demo/", "/dev/nope", "/dev/top/+f/demo/-/nope"):
        dev.get(path)
        assert not unit_is_open()


def test_reading_takes_no_serial(site: Site, dev):
    page(dev, "dev/top", "public")
    before = site.database.serial()
    for _ in range(2):
        _read_everything(dev)
    assert site.database.serial() == before


@pytest.mark.parametrize(
    "path", ["/nope", "/dev/nope", "/dev/top/nope", "/dev/top/simple/nope/", "/dev/top/demo/9"]
)
def test_asking_for_what_is_not_there_takes_no_serial(site: Site, dev, path):
    before = site.database.serial()
    assert dev.get(path).status_code == 404
    assert site.database.serial() == before


def test_only_a_mirrors_page_that_changed_takes_a_serial(site: Site, dev, upstream):
    first = site.database.serial()
    page(dev, "root/pypi", "public")
    assert site.database.serial() == first + 1
    page(dev, "root/pypi", "public")
    dev.get("/root/pypi/simple/public/", headers={"Cache-Control": "no-cache"})
    assert site.database.serial() == first + 1
