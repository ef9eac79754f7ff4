import email.parser
import email.policy
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillroom_client.platform import Platform
from support.command_line import Stillroom
from support.distributions import make_metadata, make_sdist, make_wheel, source_tree
from support.stub_server import Asked, Reply, StubServer, message_reply
from support.stub_stillroom import TOKEN, bearer, offer_index

TARGET = "/dev/sandbox/"


@dataclass(frozen=True)
class Form:
    """An upload as it arrived."""

    fields: dict[str, str]
    filename: str
    content: bytes


def form_in(asked: Asked) -> Form:
    header = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    fields: dict[str, str] = {}
    filename, content = "", b""
    for part in parser.parsebytes(header + asked.body).iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is None:
            fields[name] = part.get_content().rstrip("\r\n")
        else:
            filename, content = part.get_filename(), part.get_content()
    return Form(fields, filename, content)


@pytest.fixture
def uploads(stub: StubServer) -> list[Form]:
    """The uploads that the index accepted."""
    forms: list[Form] = []

    def accept(asked: Asked) -> Reply:
        forms.append(form_in(asked))
        return message_reply("uploaded to dev/sandbox")

    stub.script("POST", TARGET, accept)
    return forms


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that builds without a network, in the working folder."""
    folder = tmp_path / "work"
    metadata = make_metadata("my-project", "1.0", metadata_version="2.2")
    for name, content in source_tree("my-project", "1.0", metadata).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_a_file_is_sent_with_the_fields_of_the_form(
    logged_in: Stillroom, stub: StubServer, uploads: list[Form], tmp_path: Path
) -> None:
    wheel = make_wheel("demo", "1.0", requires_python=">=3.9", tag="py3-none-any")
    result = logged_in("upload", str(wheel.write_to(tmp_path)))
    assert result.status == 0, result.err
    (form,) = uploads
    assert form == Form(
        {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": "demo",
            "version": "1.0",
            "filetype": "bdist_wheel",
            "pyversion": "py3",
            "requires_python": ">=3.9",
            "sha256_digest": wheel.sha256,
        },
        wheel.filename,
        wheel.content,
    )
    asked = stub.last("POST", TARGET)
    assert bearer(asked) == TOKEN
    assert asked.headers["accept"] == "application/json"
    assert result.out == f"{wheel.filename}: uploaded to dev/sandbox\n"


def test_an_sdist_says_that_it_is_one(
    logged_in: Stillroom, uploads: list[Form], tmp_path: Path
) -> None:
    sdist = make_sdist("demo", "1.0")
    assert logged_in("upload", str(sdist.write_to(tmp_path))).status == 0
    assert (uploads[0].fields["filetype"], uploads[0].fields["pyversion"]) == ("sdist", "source")


def test_a_folder_gives_its_distributions_once_and_wheels_first(
    logged_in: Stillroom, uploads: list[Form], tmp_path: Path
) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    sdist = make_sdist("demo").write_to(folder)
    make_wheel("demo").write_to(folder)
    (folder / "notes.txt").write_text("not a distribution")
    result = logged_in("upload", str(folder), str(sdist), "--json")
    assert [form.filename for form in uploads] == ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz"]
    rows = json.loads(result.out)
    assert [row["accepted"] for row in rows] == [True, True]
    assert rows[0]["index"] == "dev/sandbox"


def test_another_index_can_be_named(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    offer_index(stub, "dev/release")
    stub.script("POST", "/dev/release/", message_reply("ok"))
    path = make_wheel().write_to(tmp_path)
    assert logged_in("upload", str(path), "--index", "release").status == 0


def test_a_refused_file_does_not_keep_the_others_back(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    def accept_wheels(asked: Asked) -> Reply:
        if form_in(asked).filename.endswith(".whl"):
            return message_reply("uploaded")
        return message_reply("File already exists, with other content", 409)

    stub.script("POST", TARGET, accept_wheels)
    files = [str(make_sdist().write_to(tmp_path)), str(make_wheel().write_to(tmp_path))]
    result = logged_in("upload", *files)
    assert result.status == 1
    assert result.out.splitlines() == [
        "example-1.0-py3-none-any.whl: uploaded",
        "example-1.0.tar.gz: File already exists, with other content",
    ]
    assert result.err == "error: dev/sandbox refused 1 of 2 files\n"
    rows = json.loads(logged_in("upload", *files, "--json").out)
    assert [row["accepted"] for row in rows] == [True, False]


def test_a_lost_login_stops_at_the_first_file(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    stub.script("POST", TARGET, message_reply("the token has expired", 401))
    files = [str(make_sdist().write_to(tmp_path)), str(make_wheel().write_to(tmp_path))]
    result = logged_in("upload", *files)
    assert result.status == 1
    assert result.err == "error: the token has expired; log in again: stillroom login dev\n"
    assert stub.methods().count(f"POST {TARGET}") == 1


def test_a_mirror_is_not_even_sent_the_file(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    offer_index(stub, "root/pypi", is_mirror=True)
    path = make_wheel().write_to(tmp_path)
    result = logged_in("upload", str(path), "--index", "root/pypi")
    assert result.status == 1
    assert "root/pypi is a mirror" in result.err
    assert stub.methods() == ["GET /root/pypi/+api"]


def test_nothing_to_upload_is_a_sentence(logged_in: Stillroom, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path / "work", tmp_path / "notes.txt"):
        result = logged_in("upload", str(path))
        assert result.status == 1
        assert result.err.startswith(f"error: no file to upload: {path}")
    assert logged_in("upload", str(tmp_path / "gone.whl")).status == 2


def test_no_project_in_the_folder_is_a_sentence(logged_in: Stillroom) -> None:
    result = logged_in("upload")
    assert result.status == 1
    assert "neither pyproject.toml nor setup.py" in result.err
    assert len(result.err.splitlines()) == 2


def broken_files(folder: Path) -> list[Path]:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    contents = {
        "not_a_zip-1.0-py3-none-any.whl": b"nonsense",
        "empty-1.0-py3-none-any.whl": empty.getvalue(),
        "not_a_tar-1.0.tar.gz": b"nonsense",
        "void-1.0.tar.gz": b"",
        "bad_name.whl": make_wheel().content,
        "nameless-1.0-py3-none-any.whl": make_wheel(
            members={"example-1.0.dist-info/METADATA": b"Version: 1.0\n"}
        ).content,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def test_every_file_that_cannot_be_read_is_named_and_none_is_sent(
    logged_in: Stillroom, uploads: list[Form], tmp_path: Path
) -> None:
    paths = broken_files(tmp_path)
    good = make_wheel("good").write_to(tmp_path)
    result = logged_in("upload", *map(str, paths), str(good))
    assert result.status == 1
    assert all(str(path) in result.err for path in paths)
    assert str(good) not in result.err
    assert uploads == []


def test_without_paths_the_project_is_built_in_a_folder_of_its_own(
    logged_in: Stillroom, uploads: list[Form], project: Path
) -> None:
    (project / "dist").mkdir()
    make_wheel("old", "0.1").write_to(project / "dist")
    result = logged_in("upload", "--no-isolation")
    assert result.status == 0, result.err
    names = [form.filename for form in uploads]
    assert names == ["my_project-1.0-py3-none-any.whl", "my_project-1.0.tar.gz"]
    assert [path.name for path in (project / "dist").iterdir()] == ["old-0.1-py3-none-any.whl"]
    with tarfile.open(fileobj=io.BytesIO(uploads[1].content)) as archive:
        assert "my_project-1.0/PKG-INFO" in archive.getnames()


@pytest.mark.parametrize(("flag", "ending"), [("--wheel", ".whl"), ("--sdist", ".tar.gz")])
def test_one_kind_alone_can_be_built(
    logged_in: Stillroom, uploads: list[Form], project: Path, flag: str, ending: str
) -> None:
    assert logged_in("upload", flag, "--no-isolation").status == 0
    (form,) = uploads
    assert form.filename.endswith(ending)


def test_a_build_that_fails_shows_its_last_lines(
    logged_in: Stillroom, uploads: list[Form], project: Path
) -> None:
    (project / "_backend.py").write_text("raise RuntimeError('the backend is unwell')\n")
    result = logged_in("upload", "--no-isolation")
    assert result.status == 1
    assert "the backend is unwell" in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith(f"error: the build of {project} failed, and nothing was uploaded")
    assert (result.out, uploads) == ("", [])


def test_a_build_reads_what_is_configured_for_the_active_environment(
    logged_in: Stillroom,
    uploads: list[Form],
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configured = tmp_path / "venv" / "pip.conf"
    configured.parent.mkdir()
    configured.write_text("[global]\nindex-url = http://localhost:9/simple/\n")
    monkeypatch.setenv("VIRTUAL_ENV", str(configured.parent))
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    backend = project / "_backend.py"
    says = "import os, sys\nprint('pip reads', os.environ['PIP_CONFIG_FILE'])\nsys.exit(1)\n"
    backend.write_text(says)
    result = logged_in("upload", "--no-isolation")
    assert f"pip reads {configured}" in result.err


def test_a_module_named_build_in_the_folder_is_not_taken_for_the_tool(
    logged_in: Stillroom, uploads: list[Form], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "build.py").write_text("raise SystemExit('the wrong build')\n")
    monkeypatch.chdir(project)
    assert logged_in("upload", "--wheel", "--no-isolation").status == 0


def test_options_for_building_do_not_go_with_files(logged_in: Stillroom, tmp_path: Path) -> None:
    path = make_wheel().write_to(tmp_path)
    assert logged_in("upload", "--wheel", str(path)).status == 2


def test_a_terminal_gets_a_progress_bar_on_standard_error(
    logged_in: Stillroom, uploads: list[Form], tmp_path: Path
) -> None:
    wheel = make_wheel()
    result = logged_in("upload", str(wheel.write_to(tmp_path)), is_terminal=True)
    assert result.status == 0
    assert uploads[0].content == wheel.content
    assert result.out == f"{wheel.filename}: uploaded to dev/sandbox\n"


def test_a_large_file_is_not_read_into_memory(
    logged_in: Stillroom, stub: StubServer, platform: Platform, tmp_path: Path
) -> None:
    stub.script("POST", TARGET, message_reply("uploaded"))
    size = 64 * 1024 * 1024
    path = tmp_path / "example-1.0-py3-none-any.whl"
    # What stands before a zip is skipped by those who read it.
    path.write_bytes(bytes(size) + make_wheel().content)
    measured = (
        "import sys, tracemalloc; from stillroom_client.main import main; tracemalloc.start(); "
        "status = main(); print(tracemalloc.get_traced_memory()[1]); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, "upload", str(path)],
        env=dict(platform.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    message, peak = done.stdout.splitlines()
    assert message == f"{path.name}: uploaded"
    assert int(peak) < size / 4
    assert len(stub.last("POST", TARGET).body) > size
