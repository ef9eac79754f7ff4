"""The plugins of the documentation, the template and those of the guide, are really loaded."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from argon2 import PasswordHasher

from docs.examples import ROOT, Block, blocks, commands
from stillroom_server.storage.database import SqlDatabase
from stillroom_server.storage.disk import DiskBlobStore
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel
from support.servers import BIN, ServerProcess, clean_environment, installed_plugins
from support.site import new_index, new_site, page, password_of, upload
from support.stub_server import Reply, StubServer

TEMPLATE = ROOT / "plugins" / "stillroom-template"
GUIDE = "docs/plugins/writing-plugins.md"

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def block_with(language: str, text: str) -> Block:
    """The one block of the guide in a language that holds a text."""
    (found,) = [b for b in blocks(GUIDE) if b.language == language and text in b.text]
    return found


def installed(folder: Path, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """Make a folder of modules one with a distribution in it, as an installer leaves it."""
    lines = []
    for group, points in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    information = folder / "plugin-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("\n".join([*lines, ""]))
    return folder


# The template


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The template, installed by the entry points of its pyproject.toml."""
    module = tmp_path / "site" / "stillroom_template"
    module.mkdir(parents=True)
    source = TEMPLATE / "src" / "stillroom_template" / "__init__.py"
    (module / "__init__.py").write_bytes(source.read_bytes())
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    monkeypatch.syspath_prepend(installed(tmp_path / "site", project["entry-points"]))
    # Tests that ran before have looked for plugins already, and found no template.
    installed_plugins.cache_clear()
    yield
    installed_plugins.cache_clear()
    sys.modules.pop("stillroom_template", None)


@sqlite
@pytest.mark.usefixtures("template")
def test_the_template_tells_a_url_of_each_new_file(
    database: SqlDatabase, blob_store: DiskBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make_wheel()
    with StubServer() as chat, new_site(database, blob_store) as site:
        chat.script("POST", "/hook", Reply(204))
        monkeypatch.setenv("STILLROOM_TEMPLATE_URL", f"{chat.url}/hook")
        site.server.events.tell_all()
        new_index(site.root, "root/dev", acl_upload="root")
        upload(site.root, "root/dev", wheel)
        site.server.events.tell_all()

        assert chat.methods() == ["POST /hook"]
        told = chat.last("POST", "/hook").json
        assert told["event"] == "file-added"
        assert told["index"] == "root/dev"
        assert told["filename"] == wheel.filename
        assert told["sha256"] == wheel.sha256


def test_the_tests_of_the_template_pass() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_guide_shows_the_entry_point_of_the_template() -> None:
    shown = tomllib.loads(block_with("toml", "stillroom_server.plugins").text)
    real = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())
    assert shown["project"]["entry-points"] == real["project"]["entry-points"]


# Users from a file


@pytest.fixture
def file_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The plugin of the guide, with a file in which ana is of the team."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    file = tmp_path / "users"
    file.write_text(f"ana:team,release:{hasher.hash(password_of('ana'))}\n")
    monkeypatch.setenv("STILLROOM_USERS_FILE", str(file))
    module = ModuleType("acme_users")
    exec(block_with("python", "class FileUsers").text, module.__dict__)
    return module.plugin


@sqlite
def test_users_of_a_file_get_in_with_their_groups(
    database: SqlDatabase, blob_store: DiskBlobStore, file_users: object
) -> None:
    plugins = {"file_users": file_users}
    with new_site(database, blob_store, extra_plugins=plugins) as site:
        new_index(site.root, "root/team", acl_read=":team", acl_upload=":release")
        site.new_user("eve")
        ana, eve = site.user("ana"), site.user("eve")

        upload(ana, "root/team", make_wheel())

        assert page(ana, "root/team", "example")["files"]
        assert eve.get("/root/team/simple/example/").status_code == 403


@sqlite
def test_a_token_has_the_groups_that_the_file_names_now(
    database: SqlDatabase, blob_store: DiskBlobStore, file_users: object, tmp_path: Path
) -> None:
    plugins = {"file_users": file_users}
    with new_site(database, blob_store, extra_plugins=plugins) as site:
        new_index(site.root, "root/team", acl_read=":team")
        site.new_user("ana")
        login = {"user": "ana", "password": password_of("ana")}
        answer = site.anonymous.post("/+login", json=login)
        token = answer.json()["result"]["password"]
        assert site.bearer(token).get("/root/team").status_code == 200
    file = tmp_path / "users"
    file.write_text(file.read_text().replace("ana:team,release", "ana:"))
    with new_site(database, blob_store, extra_plugins=plugins) as later:
        assert later.bearer(token).get("/root/team").status_code == 403


@sqlite
def test_a_wrong_password_of_a_user_of_a_file_is_refused(
    database: SqlDatabase, blob_store: DiskBlobStore, file_users: object
) -> None:
    plugins = {"file_users": file_users}
    with new_site(database, blob_store, extra_plugins=plugins) as site:
        answer = site.anonymous.get("/root", auth=("ana", "wrong"))
        assert answer.status_code == 401


@sqlite
def test_who_is_only_in_the_file_is_told_that_tokens_need_an_account(
    database: SqlDatabase, blob_store: DiskBlobStore, file_users: object
) -> None:
    login = {"user": "ana", "password": password_of("ana")}
    plugins = {"file_users": file_users}
    with new_site(database, blob_store, extra_plugins=plugins) as site:
        refused = site.anonymous.post("/+login", json=login)
        site.new_user("ana")
        accepted = site.anonymous.post("/+login", json=login)
        token = accepted.json()["result"]["password"]

        assert refused.status_code == 403
        assert "account" in refused.json()["message"]
        assert site.anonymous.get("/root", auth=("ana", token)).status_code == 200


# A command


def test_the_command_of_the_guide_prints_what_the_guide_says(tmp_path: Path) -> None:
    (typed,) = commands(block_with("console", "stillroom newest"))
    modules = tmp_path / "modules"
    modules.mkdir()
    module = block_with("python", "def newest").text
    (modules / "acme_newest.py").write_text(module)
    installed(modules, {"stillroom_client.plugins": {"newest": "acme_newest"}})
    with (
        LocalUpstream() as upstream,
        ServerProcess(tmp_path / "data", public_index=upstream.url) as server,
    ):
        for version in ("1.0", "1.1"):
            upstream.add(make_wheel("six", version))
        environment = clean_environment(
            tmp_path, PYTHONPATH=str(modules), STILLROOM_URL=f"{server.url}/root/pypi"
        )
        ran = subprocess.run(
            [BIN / "stillroom", *typed.typed.split()[1:], "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert [json.loads(ran.stdout)] == list(typed.shown)
