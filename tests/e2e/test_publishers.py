"""twine and uv, as they publish to a Stillroom."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from e2e.machine import Machine, Ran, page_url
from e2e.team import PASSWORD, MakeIndex
from functional.http_driver import HttpDriver
from functional.installer import Installer
from support.distributions import Distribution, make_sdist, make_wheel
from support.servers import ServerProcess

both_tools = pytest.mark.parametrize("tool", ["twine", "uv"])

Publish = Callable[..., Ran]
"""`publish(index, wheel, sdist, user="dev", password=…, status=0)`."""


@pytest.fixture
def publish(machine: Machine, server: ServerProcess, tool: str, tmp_path: Path) -> Publish:
    """Publishes files with one of the tools."""

    def published(
        index: str,
        *distributions: Distribution,
        user: str = "dev",
        password: str = PASSWORD,
        status: int | None = 0,
        extra: tuple[str, ...] = (),
    ) -> Ran:
        files = [distribution.write_to(tmp_path) for distribution in distributions]
        command = {
            "twine": ("upload", "--non-interactive", "--repository-url"),
            "uv": ("publish", "--publish-url"),
        }[tool]
        url = f"{server.url}/{index}/"
        login = ("--username", user, "--password", password)
        return machine.run(tool, *command, url, *login, *extra, *files, status=status)

    return published


@pytest.fixture
def stage(make_index: MakeIndex) -> str:
    """An index of dev's that everyone may read."""
    return make_index(acl_read=":ANONYMOUS:")


@pytest.fixture
def release(make_index: MakeIndex) -> str:
    """A non-volatile index of dev's that everyone may read."""
    return make_index(acl_read=":ANONYMOUS:", volatile="false")


@pytest.fixture
def installer(server: ServerProcess) -> Iterator[Installer]:
    """Somebody's pip or uv."""
    with closing(Installer(server.url)) as reader:
        yield reader


@both_tools
def test_a_wheel_and_an_sdist_are_published(
    publish: Publish, stage: str, installer: Installer
) -> None:
    wheel, sdist = make_wheel(summary="An example"), make_sdist(summary="An example")
    publish(stage, wheel, sdist)
    assert installer.page(stage, "example").names == {wheel.filename, sdist.filename}
    assert installer.download(stage, "example", wheel.filename) == wheel.content
    assert installer.download(stage, "example", sdist.filename) == sdist.content


@both_tools
def test_publishing_again_is_no_mistake(
    publish: Publish, release: str, installer: Installer
) -> None:
    publish(release, make_wheel(), make_sdist())
    before = installer.page(release, "example")
    publish(release, make_wheel(), make_sdist())
    assert installer.page(release, "example") == before


@both_tools
def test_a_changed_file_is_refused_with_the_reason(
    publish: Publish, release: str, installer: Installer
) -> None:
    published = make_wheel(summary="old")
    publish(release, published)
    ran = publish(release, make_wheel(summary="new"), status=None)
    assert "409" in ran.text
    assert f"File already exists ('{published.filename}'" in ran.text
    assert installer.download(release, "example", published.filename) == published.content


@both_tools
@pytest.mark.parametrize("user", ["dev", "nobody"])
def test_a_wrong_password_is_told(
    publish: Publish, stage: str, user: str, dev: HttpDriver
) -> None:
    ran = publish(stage, make_wheel(), user=user, password="wrong", status=None)
    assert "401" in ran.text
    assert "Wrong user name, password or token" in ran.text
    assert dev.projects(stage).data == []


@both_tools
def test_who_may_not_upload_learns_why(
    publish: Publish, stage: str, root: HttpDriver, dev: HttpDriver, tool: str
) -> None:
    guest = f"guest-with-{tool}"
    assert root.create_user(guest, PASSWORD).done
    ran = publish(stage, make_wheel(), user=guest, status=None)
    assert "403" in ran.text
    assert f"{guest} may not upload to {stage}" in ran.text
    assert dev.projects(stage).data == []


@both_tools
def test_a_token_publishes(
    publish: Publish, stage: str, dev: HttpDriver, installer: Installer
) -> None:
    token = dev.token(stage, "upload").data["token"]
    publish(stage, make_wheel(), user="__token__", password=token)
    assert installer.page(stage, "example").status == 200


@both_tools
def test_a_token_that_only_reads_does_not_publish(
    publish: Publish, stage: str, dev: HttpDriver
) -> None:
    token = dev.token(stage, "read").data["token"]
    ran = publish(stage, make_wheel(), user="__token__", password=token, status=None)
    assert "403" in ran.text
    assert "limited to the action read" in ran.text


@both_tools
@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("owned_projects=true", "stillroom owner add example {guest} --index {stage}"),
        ("first_upload=restricted", "stillroom owner add example {guest} --index {stage}"),
        ("first_upload=approval", "stillroom owner approve example {guest} --index {stage}"),
    ],
)
def test_who_may_not_bring_a_project_learns_what_to_do(
    publish: Publish,
    stage: str,
    root: HttpDriver,
    dev: HttpDriver,
    tool: str,
    option: str,
    advice: str,
) -> None:
    guest = f"guest-with-{tool}-for-{option.replace('=', '-')}"
    assert root.create_user(guest, PASSWORD).done
    assert dev.change_index(stage, f"acl_upload+={guest}", option).done
    if option == "owned_projects=true":
        publish(stage, make_wheel())
    ran = publish(stage, make_wheel(version="2.0"), user=guest, status=None)
    assert "403" in ran.text
    assert f"{guest} may not upload example to {stage}" in ran.text
    command = advice.format(guest=guest, stage=stage)
    assert f"`{command}`" in ran.text
    # What the sentence advises is what lets the upload through.
    assert dev.change_owners(stage, "example", f"owners+={guest}").done
    publish(stage, make_wheel(version="2.0"), user=guest)


@both_tools
def test_a_mirror_says_that_it_takes_no_uploads(publish: Publish) -> None:
    ran = publish("root/pypi", make_wheel(), status=None)
    assert "root/pypi is a mirror and takes no uploads" in ran.text


@both_tools
@pytest.mark.parametrize("ending", ["/simple", "/+simple"])
def test_the_url_of_the_page_takes_uploads_too(
    publish: Publish, stage: str, ending: str, installer: Installer
) -> None:
    publish(f"{stage}{ending}", make_wheel())
    assert installer.page(stage, "example").status == 200


@both_tools
def test_a_large_wheel_arrives_whole(publish: Publish, stage: str, installer: Installer) -> None:
    wheel = make_wheel(members={"example_data.bin": os.urandom(30 * 1024 * 1024)})
    publish(stage, wheel)
    content = installer.download(stage, "example", wheel.filename)
    assert hashlib.sha256(content).hexdigest() == wheel.sha256


@pytest.mark.parametrize("tool", ["uv"])
def test_uv_skips_what_the_page_shows_already(
    publish: Publish, server: ServerProcess, stage: str
) -> None:
    page = page_url(server.url, stage)
    publish(stage, make_wheel())
    again = publish(stage, make_wheel(), extra=("--check-url", page))
    assert "already exists, skipping" in again.text
    changed = make_wheel(summary="new")
    refused = publish(stage, changed, extra=("--check-url", page), status=None)
    assert "does not match" in refused.text or "do not match" in refused.text
