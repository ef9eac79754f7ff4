"""Files of `plan` and `apply`: what is read, and what is wrong with them."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from stillroom_client.declarative.read import Faults, Wanted, WantedIndex, load, read
from stillroom_client.errors import WrongUsage


def wanted_by(text: str, types: Mapping[str, str] | None = None) -> tuple[Wanted, Faults]:
    noted = Faults("f.toml")
    return read(tomllib.loads(text), types, noted), noted


def faults(text: str, types: Mapping[str, str] | None = None) -> list[str]:
    _wanted, noted = wanted_by(text, types)
    with pytest.raises(WrongUsage) as wrong:
        noted.settle()
    lines = str(wrong.value).splitlines()
    assert all(line.startswith("f.toml: ") for line in lines)
    return [line.removeprefix("f.toml: ") for line in lines]


def test_every_fault_of_a_file_is_told_at_once() -> None:
    text = """
    user = {}
    [users.ana]
    emial = "ana@example.com"
    title = 1
    password = "hunter2"
    [users."a b"]
    [groups.":team"]
    [groups.release]
    members = ["ana", ":team"]
    [indexes.prod]
    [indexes."ana/prod"]
    volatile = "maybe"
    acl_write = ["ci"]
    bases = ["ana/prod"]
    [indexes."ana/prod".owners]
    demo = [":ANONYMOUS:"]
    Demo = ["ci"]
    "-" = ["ci"]
    [indexes."root/pypi"]
    type = "mirror"
    bases = []
    mirror_url = "gitlab:example.com/42"
    [indexes."root/pypi".owners]
    demo = ["ci"]
    """
    found = faults(text)
    assert [fault.partition(": ")[0] for fault in found] == [
        "user",
        "users.ana.password",
        "users.ana.emial",
        "users.ana.title",
        "users.a b",
        "groups.:team",
        "groups.release.members",
        "indexes.prod",
        'indexes."ana/prod".volatile',
        'indexes."ana/prod".acl_write',
        'indexes."ana/prod".owners.demo',
        'indexes."ana/prod".owners.Demo',
        'indexes."ana/prod".owners.-',
        'indexes."ana/prod".bases',
        'indexes."root/pypi".bases',
        'indexes."root/pypi".mirror_url',
        'indexes."root/pypi".owners',
    ]
    assert "hunter2" not in " ".join(found)
    assert "users.ana.emial: unknown; there are description, email, title" in found


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("users = 1", "users"),
        ("[users]\nana = 1", "users.ana"),
        ('indexes = ["a/b"]', "indexes"),
        ('[indexes."a/b"]\ntype = 1', 'indexes."a/b".type'),
        ('[indexes."a/b"]\nowners = ["x"]', 'indexes."a/b".owners'),
        ('[indexes."a/b"]\n[indexes."/a/b/"]', "indexes./a/b/"),
    ],
)
def test_what_is_no_table_is_told(text: str, key: str) -> None:
    [fault] = faults(text)
    assert fault.startswith(f"{key}: ")


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"nowhere\.toml: it cannot be read: No such file"):
        load(tmp_path / "nowhere.toml")
    file = tmp_path / "stillroom.toml"
    for content in (b"[users.\xff]", b"[users.a"):
        file.write_bytes(content)
        with pytest.raises(WrongUsage, match="it is not TOML"):
            load(file)


def test_a_type_of_a_plugin_takes_what_the_server_takes() -> None:
    text = '[indexes."a/b"]\ntype = "shelf"\nheight = 3\nbooks = ["x"]'
    shelf = WantedIndex("shelf", {"height": 3, "books": ["x"]}, {})
    assert wanted_by(text)[0].indexes["a/b"] == shelf
    [fault] = faults('[indexes."a/b"]\ntype = "shelf"\nheight = 1.5')
    assert fault.startswith('indexes."a/b".height: ')
    # The type need not be said where the server has it.
    untyped = text.replace('type = "shelf"\n', "")
    wanted, noted = wanted_by(untyped, {"a/b": "shelf"})
    assert (wanted.indexes["a/b"], noted.found) == (shelf, [])


MIRROR = '[indexes."root/pypi"]\nmirror_cache_expiry = 60\nreserved = ["acme-*"]'


def test_an_index_without_a_type_has_that_of_the_server() -> None:
    options = {"mirror_cache_expiry": 60, "reserved": ["acme-*"]}
    for types in ({"root/pypi": "mirror"}, None):
        wanted, noted = wanted_by(MIRROR, types)
        assert noted.found == []
        assert wanted.indexes["root/pypi"].options == options
    assert wanted_by(MIRROR, {"root/pypi": "mirror"})[0].indexes["root/pypi"].type == "mirror"
    [fault] = faults(MIRROR, {"root/pypi": "stage"})
    assert fault.startswith('indexes."root/pypi".mirror_cache_expiry: unknown; there are acl_')


def test_a_new_index_with_options_of_mirrors_lacks_its_type() -> None:
    rule = 'mirror_cache_expiry: only mirrors have that; add type = "mirror"'
    assert faults(MIRROR, {}) == [f'indexes."root/pypi".type: {rule}']
    [fault] = faults(MIRROR.replace("]\n", ']\ntype = "stage"\n', 1), {})
    assert fault.startswith('indexes."root/pypi".mirror_cache_expiry: unknown; ')


def test_a_name_with_dots_is_to_stand_in_quotes() -> None:
    [user, owners] = faults(
        '[users.jane.doe]\n[indexes."a/b".owners]\nZope.interface.ext = ["ci"]\nplain = ["ci"]'
    )
    hint = "a name with dots stands in quotes:"
    assert user == (
        f'users.jane.doe: unknown; there are description, email, title; {hint} "jane.doe"'
    )
    rule = f'it must be a list of texts; {hint} "zope.interface.ext"'
    assert owners == f'indexes."a/b".owners.zope: {rule}'
