"""The life of an index, from its creation to its deletion."""

from functional.installer import Installer
from functional.site import MakeIndex, Site
from functional.vocabulary import Person
from stillroom_server.testing import LocalUpstream
from support.distributions import make_wheel


def test_a_new_index_is_volatile_and_its_owners_to_upload_to(
    site: Site, dev: Person, other: Person
) -> None:
    name = f"{dev.name}/{site.unique('index')}"
    created = dev.create_index(name, bases="root/pypi", title="Trials")
    assert created.done
    assert dev.index(name).data == created.data
    assert created.data["type"] == "stage"
    assert created.data["volatile"] is True
    assert created.data["bases"] == ["root/pypi"]
    assert created.data["acl_upload"] == [dev.name]
    assert created.data["acl_read"] == [":AUTHENTICATED:"]
    assert created.data["title"] == "Trials"
    assert name in other.indexes().data


def test_options_are_set_added_to_and_taken_from(dev: Person, other: Person, sandbox: str) -> None:
    changed = dev.change_index(
        sandbox, "title=Trials", f"acl_upload+={other.name}", "reserved=acme-*,tool"
    )
    assert changed.done
    assert changed.data["title"] == "Trials"
    assert changed.data["acl_upload"] == [dev.name, other.name]
    assert changed.data["reserved"] == ["acme-*", "tool"]
    assert dev.change_index(sandbox, f"acl_upload-={other.name}", "title-=").done
    after = dev.index(sandbox).data
    assert after["acl_upload"] == [dev.name]
    assert "title" not in after


def test_an_index_that_exists_is_not_created_again(dev: Person, sandbox: str) -> None:
    refused = dev.create_index(sandbox)
    assert not refused.done
    assert f"{sandbox} exists already" in refused.message
    assert dev.index(sandbox).data["bases"] == ["root/pypi"]


def test_nobody_makes_changes_or_deletes_the_index_of_another(
    site: Site, dev: Person, other: Person, sandbox: str
) -> None:
    assert not other.create_index(f"{dev.name}/{site.unique('index')}").done
    assert not other.change_index(sandbox, "title=Mine").done
    assert not other.delete_index(sandbox).done
    assert "title" not in dev.index(sandbox).data


def test_a_stranger_makes_no_index(site: Site, somebody: Person, dev: Person) -> None:
    refused = somebody.create_index(f"{dev.name}/{site.unique('index')}")
    assert not refused.done
    assert "Log in" in refused.message


def test_root_administers_the_indexes_of_all(root: Person, dev: Person, sandbox: str) -> None:
    assert root.change_index(sandbox, "title=Checked").done
    assert dev.index(sandbox).data["title"] == "Checked"
    assert root.delete_index(sandbox).done
    assert not dev.index(sandbox).done


def test_an_index_needs_a_user_who_exists(root: Person) -> None:
    refused = root.create_index("nobody-of-that-name/index")
    assert not refused.done
    assert "nobody-of-that-name" in refused.message


def test_all_that_is_wrong_with_the_options_is_told_at_once(site: Site, dev: Person) -> None:
    name = f"{dev.name}/{site.unique('index')}"
    refused = dev.create_index(name, colour="red", volatile="perhaps", acl_upload="a b")
    assert not refused.done
    assert "colour: unknown option" in refused.message
    assert "volatile: 'perhaps' is neither true nor false" in refused.message
    assert "acl_upload: 'a b' is not a user" in refused.message
    assert not dev.index(name).done


def test_every_wrong_change_is_told_and_none_is_made(dev: Person, sandbox: str) -> None:
    refused = dev.change_index(sandbox, "title=New", "colour=red", "acl_upload-=nobody")
    assert not refused.done
    assert "colour: unknown option" in refused.message
    assert "acl_upload: it does not hold nobody" in refused.message
    assert "title" not in dev.index(sandbox).data


def test_an_unknown_type_is_refused_with_those_there_are(site: Site, dev: Person) -> None:
    refused = dev.create_index(f"{dev.name}/{site.unique('index')}", type="cellar")
    assert not refused.done
    assert "'cellar' is not an index type; there are mirror, stage" in refused.message


def test_all_missing_bases_are_named(site: Site, dev: Person) -> None:
    refused = dev.create_index(
        f"{dev.name}/{site.unique('index')}", bases="root/pypi,no/such,nor/this"
    )
    assert not refused.done
    assert "no/such does not exist" in refused.message
    assert "nor/this does not exist" in refused.message


def test_no_index_inherits_from_itself(dev: Person, sandbox: str, make_index: MakeIndex) -> None:
    heir = make_index(dev, bases=sandbox)
    direct = dev.change_index(sandbox, f"bases={sandbox}")
    assert not direct.done
    assert f"{sandbox} would inherit from itself" in direct.message
    around = dev.change_index(sandbox, f"bases+={heir}")
    assert not around.done
    assert f"{sandbox} would inherit from itself" in around.message
    assert dev.index(sandbox).data["bases"] == ["root/pypi"]


def test_a_base_of_another_index_is_not_deleted(
    dev: Person, other: Person, sandbox: str, make_index: MakeIndex
) -> None:
    heir = make_index(other, bases=sandbox)
    refused = dev.delete_index(sandbox)
    assert not refused.done
    assert f"{heir} inherits from it" in refused.message
    assert other.delete_index(heir).done
    assert dev.delete_index(sandbox).done


def test_a_non_volatile_index_is_not_deleted(dev: Person, sandbox: str) -> None:
    assert dev.change_index(sandbox, "volatile=false").done
    refused = dev.delete_index(sandbox)
    assert not refused.done
    assert "non-volatile" in refused.message
    assert dev.change_index(sandbox, "volatile=true").done
    assert dev.delete_index(sandbox).done


def test_a_deleted_index_leaves_nothing_to_one_of_the_same_name(
    dev: Person, sandbox: str, installer: Installer
) -> None:
    assert dev.change_index(sandbox, "acl_read=:ANONYMOUS:").done
    assert dev.upload(sandbox, make_wheel("leftover")).done
    assert dev.delete_index(sandbox).done
    assert dev.create_index(sandbox, acl_read=":ANONYMOUS:").done
    assert dev.projects(sandbox).data == []
    assert installer.page(sandbox, "leftover").status == 404


def test_only_root_makes_mirrors(site: Site, dev: Person, root: Person) -> None:
    url = site.upstream.url
    refused = dev.create_index(
        f"{dev.name}/{site.unique('mirror')}", type="mirror", mirror_url=url
    )
    assert not refused.done
    assert "only root makes mirrors" in refused.message
    name = f"{dev.name}/{site.unique('mirror')}"
    assert root.create_index(name, type="mirror", mirror_url=url).done
    assert not dev.change_index(name, "mirror_url=http://127.0.0.1:9/simple/").done
    assert dev.change_index(name, "title=Ours").done


def test_a_mirror_shows_what_its_upstream_has(
    site: Site, root: Person, upstream: LocalUpstream, installer: Installer
) -> None:
    project = site.unique("public")
    wheel = make_wheel(project, "1.0")
    upstream.add(wheel)
    mirror = f"root/{site.unique('mirror')}"
    assert root.create_index(mirror, type="mirror", mirror_url=upstream.url).done
    assert [file.filename for file in root.files(mirror, project).data] == [wheel.filename]
    assert installer.download(mirror, project, wheel.filename) == wheel.content
    assert project in root.projects(mirror).data


def test_a_mirror_needs_the_url_of_its_upstream(site: Site, root: Person) -> None:
    name = f"root/{site.unique('mirror')}"
    missing = root.create_index(name, type="mirror")
    assert not missing.done
    assert "mirror_url" in missing.message
    wrong = root.create_index(name, type="mirror", mirror_url="ftp://127.0.0.1/simple/")
    assert not wrong.done
    assert "mirror_url: it is not an http or https URL" in wrong.message
    secret = root.create_index(name, type="mirror", mirror_url="http://u:p4ss@127.0.0.1/simple/")
    assert not secret.done
    assert "p4ss" not in secret.message


def test_an_unknown_index_does_not_exist_for_who_may_know(dev: Person) -> None:
    refused = dev.index(f"{dev.name}/no-such-index")
    assert not refused.done
    assert f"There is no index {dev.name}/no-such-index" in refused.message
