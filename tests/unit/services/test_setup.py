"""The first start."""

import string

import pytest

from stillroom_server.domain.errors import Conflict
from stillroom_server.services.setup import is_set_up, new_password, set_up
from support.clock import SetClock
from support.fakes import FakeDatabase
from support.servers import QuickHasher
from support.values import INDEX_TYPES

URL = "https://index.test/simple/"


def _set_up(database, password="a password"):
    set_up(
        database,
        QuickHasher(),
        SetClock(),
        password=password,
        mirror=INDEX_TYPES["mirror"],
        mirror_url=URL,
    )


def test_the_first_start_makes_root_and_the_mirror_in_one_commit():
    database = FakeDatabase()
    assert not is_set_up(database)
    _set_up(database)
    assert is_set_up(database)
    assert database.serial() == 1
    with database.reading() as unit:
        [user], [index] = unit.users.all(), unit.indexes.all()
        entries = unit.journal.since(0, 10)
    assert (user.name, user.password_hash) == ("root", "quick:a password")
    assert (str(index.name), index.type, index.has_upstream) == ("root/pypi", "mirror", True)
    assert index.upstream_url == URL
    assert not index.lists_upstream_projects
    assert [entry.event.kind.value for entry in entries] == ["user-created", "index-created"]
    assert entries[-1].event.details == {
        "type": "mirror",
        "options": {
            "mirror_url": URL,
            "mirror_no_project_list": True,
            "title": "The public index",
        },
    }


def test_what_is_set_up_is_not_set_up_again():
    database = FakeDatabase()
    _set_up(database)
    with pytest.raises(Conflict):
        _set_up(database, "another")
    with database.reading() as unit:
        assert unit.users.all()[0].password_hash == "quick:a password"


def test_passwords_are_random_and_free_of_what_looks_alike():
    passwords = {new_password() for _ in range(50)}
    assert len(passwords) == 50
    used = set("".join(passwords))
    assert used <= set(string.ascii_letters + string.digits) - set("lIO01")
    assert {len(password) for password in passwords} == {20}
