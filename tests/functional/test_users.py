"""Users, and what they may do to one another."""

import pytest

from functional.site import MakeIndex, Site, password_of
from functional.vocabulary import Person


@pytest.fixture
def dev(site: Site, driver: str) -> Person:
    """A user whom no other test knows."""
    return site.hire(driver)


def test_root_creates_a_user_who_then_logs_in(site: Site, root: Person, somebody: Person) -> None:
    name = site.unique("ada")
    assert root.create_user(name, password_of(name), email="ada@example.com").done
    assert somebody.login(name, password_of(name)).done
    assert somebody.whoami().data == name
    assert somebody.user(name).data["email"] == "ada@example.com"
    assert name in somebody.users().data


def test_only_root_creates_users(site: Site, dev: Person, somebody: Person, root: Person) -> None:
    name = site.unique("ada")
    refused = dev.create_user(name, password_of(name))
    assert not refused.done
    assert "only root creates users" in refused.message
    assert not somebody.create_user(name, password_of(name)).done
    assert name not in root.users().data


def test_a_user_who_exists_is_not_created_again(root: Person, dev: Person) -> None:
    refused = root.create_user(dev.name, "another password")
    assert not refused.done
    assert f"User {dev.name} exists already" in refused.message


def test_all_that_is_wrong_with_a_new_user_is_told_at_once(site: Site, root: Person) -> None:
    refused = root.create_user(site.unique("ada"), "short", favourite="six")
    assert not refused.done
    assert "password: use text of at least 8 characters" in refused.message
    assert "favourite: unknown field" in refused.message


def test_a_name_that_breaks_the_rules_is_refused(root: Person) -> None:
    refused = root.create_user("a:da", password_of("ada"))
    assert not refused.done
    assert "'a:da' is not a user name" in refused.message


def test_a_wrong_password_is_refused_as_an_unknown_user_is(dev: Person, somebody: Person) -> None:
    wrong = somebody.login(dev.name, "not the password")
    unknown = somebody.login("nobody-of-that-name", "not the password")
    assert not wrong.done
    assert not unknown.done
    assert wrong.message.replace(dev.name, "") == unknown.message.replace(
        "nobody-of-that-name", ""
    )


def test_strangers_do_not_see_who_is_there(dev: Person, sandbox: str, somebody: Person) -> None:
    assert dev.name not in somebody.users().data
    assert sandbox not in somebody.indexes().data
    assert not somebody.user(dev.name).done


def test_users_see_the_names_of_others_but_not_what_is_personal(
    root: Person, dev: Person, other: Person
) -> None:
    assert root.change_user(dev.name, email="dev@example.com", title="Developer").done
    seen = other.user(dev.name).data
    assert seen["title"] == "Developer"
    assert "email" not in seen


def test_users_change_themselves_and_nobody_else(dev: Person, other: Person) -> None:
    assert dev.change_user(dev.name, title="Developer").done
    assert not other.change_user(dev.name, title="Intruder").done
    assert dev.user(dev.name).data["title"] == "Developer"


def test_an_empty_value_removes_a_field(dev: Person) -> None:
    assert dev.change_user(dev.name, title="Developer").done
    assert dev.change_user(dev.name, title="").done
    assert "title" not in dev.user(dev.name).data


def test_a_new_password_ends_all_other_logins(site: Site, driver: str, dev: Person) -> None:
    elsewhere = site.newcomer(driver)
    assert elsewhere.login(dev.name, password_of(dev.name)).done
    assert dev.change_user(dev.name, password="another password").done
    assert dev.user(dev.name).done
    assert not elsewhere.user(dev.name).done
    assert not elsewhere.login(dev.name, password_of(dev.name)).done
    assert elsewhere.login(dev.name, "another password").done


def test_root_sets_a_forgotten_password(root: Person, dev: Person, somebody: Person) -> None:
    assert root.change_user(dev.name, password="another password").done
    assert not dev.user(dev.name).done
    assert somebody.login(dev.name, "another password").done


def test_logging_out_ends_the_login(dev: Person, sandbox: str) -> None:
    assert dev.index(sandbox).done
    assert dev.logout().done
    assert not dev.whoami().done
    assert not dev.index(sandbox).done


def test_a_deleted_user_is_gone_with_their_indexes(
    root: Person, dev: Person, sandbox: str, make_index: MakeIndex
) -> None:
    heir = make_index(dev, bases=sandbox)
    assert root.delete_user(dev.name).done
    assert dev.name not in root.users().data
    assert not root.index(sandbox).done
    assert not root.index(heir).done
    assert not dev.whoami().done


def test_users_delete_themselves_and_nobody_else(dev: Person, other: Person) -> None:
    assert not other.delete_user(dev.name).done
    assert dev.delete_user(dev.name).done
    assert dev.name not in other.users().data


def test_a_user_with_a_non_volatile_index_stays(root: Person, dev: Person, sandbox: str) -> None:
    assert dev.change_index(sandbox, "volatile=false").done
    refused = root.delete_user(dev.name)
    assert not refused.done
    assert sandbox in refused.message
    assert dev.name in root.users().data


def test_a_user_whose_index_another_one_inherits_from_stays(
    root: Person, dev: Person, other: Person, sandbox: str, make_index: MakeIndex
) -> None:
    heir = make_index(other, bases=sandbox)
    refused = root.delete_user(dev.name)
    assert not refused.done
    assert f"{heir} inherits from it" in refused.message
    assert dev.index(sandbox).done


def test_root_cannot_be_deleted(root: Person) -> None:
    refused = root.delete_user("root")
    assert not refused.done
    assert "root cannot be deleted" in refused.message


def test_an_unknown_user_does_not_exist_for_who_may_know(dev: Person) -> None:
    refused = dev.user("nobody-of-that-name")
    assert not refused.done
    assert "There is no user nobody-of-that-name" in refused.message
