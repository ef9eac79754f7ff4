"""In which order an index and its bases are asked."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.lineage import inherits_from, lineage_of
from stillroom_server.domain.names import IndexName
from support.values import a_lineage, a_mirror, a_stage


def _names(lineage):
    return [str(index.name) for index in lineage]


def test_an_index_without_bases_is_alone():
    lineage = a_lineage(a_stage("dev/a"))
    assert _names(lineage) == ["dev/a"]


def test_bases_are_asked_breadth_first_in_their_order():
    lineage = a_lineage(
        a_stage("dev/top", "dev/left", "dev/right"),
        a_stage("dev/left", "dev/left-base"),
        a_stage("dev/right", "dev/right-base"),
        a_stage("dev/left-base"),
        a_stage("dev/right-base"),
    )
    expected = ["dev/top", "dev/left", "dev/right", "dev/left-base", "dev/right-base"]
    assert _names(lineage) == expected


def test_mirrors_come_last_wherever_they_stand():
    lineage = a_lineage(
        a_stage("dev/top", "root/one", "dev/base"),
        a_mirror("root/one"),
        a_stage("dev/base", "root/two", "dev/far"),
        a_mirror("root/two"),
        a_stage("dev/far"),
    )
    assert _names(lineage) == ["dev/top", "dev/base", "dev/far", "root/one", "root/two"]
    assert [str(index.name) for index in lineage.stages] == ["dev/top", "dev/base", "dev/far"]
    assert [str(index.name) for index in lineage.mirrors] == ["root/one", "root/two"]


def test_the_common_base_of_a_diamond_is_asked_once():
    lineage = a_lineage(
        a_stage("dev/top", "dev/left", "dev/right"),
        a_stage("dev/left", "dev/bottom"),
        a_stage("dev/right", "dev/bottom"),
        a_stage("dev/bottom"),
    )
    assert _names(lineage) == ["dev/top", "dev/left", "dev/right", "dev/bottom"]


def test_the_index_that_was_asked_is_known_also_when_it_is_a_mirror():
    mirror = a_mirror("root/one")
    assert a_lineage(mirror).asked is mirror


def test_a_base_that_is_missing_is_an_error_and_not_passed_over():
    with pytest.raises(LookupError, match="dev/top inherits from dev/gone, which does not exist"):
        a_lineage(a_stage("dev/top", "dev/gone"))


def test_a_cycle_in_the_database_would_not_hang_the_server():
    lineage = a_lineage(a_stage("dev/a", "dev/b"), a_stage("dev/b", "dev/a"))
    assert _names(lineage) == ["dev/a", "dev/b"]


@pytest.mark.parametrize(
    ("start", "bases", "leads_back"),
    [
        ("dev/new", [], False),
        ("dev/new", ["dev/a"], False),
        ("dev/new", ["dev/new"], True),
        ("dev/c", ["dev/a"], True),
        ("dev/b", ["dev/c"], False),
        ("dev/c", ["dev/other", "dev/b"], True),
        ("dev/new", ["dev/unknown"], False),
    ],
)
def test_following_bases_finds_the_way_back_to_the_start(start, bases, leads_back):
    known = [a_stage("dev/a", "dev/b"), a_stage("dev/b", "dev/c"), a_stage("dev/c")]
    known.append(a_stage("dev/other"))
    by_name = {index.name: index for index in known}
    parsed = [IndexName.parse(base) for base in bases]
    assert inherits_from(IndexName.parse(start), parsed, by_name.get) is leads_back


def test_the_way_back_is_found_also_when_others_turn_in_a_circle():
    known = [a_stage("dev/a", "dev/b"), a_stage("dev/b", "dev/a")]
    by_name = {index.name: index for index in known}
    assert not inherits_from(IndexName.parse("dev/x"), [known[0].name], by_name.get)


@st.composite
def _graphs(draw):
    """Up to nine indexes with any bases among them, cycles too; mirrors have none."""
    size = draw(st.integers(1, 9))
    numbers = st.lists(st.integers(0, size - 1), unique=True)
    indexes: list[Index] = []
    for number in range(size):
        name = f"dev/i{number}"
        if draw(st.booleans()):
            indexes.append(a_mirror(name))
        else:
            indexes.append(a_stage(name, *(f"dev/i{base}" for base in draw(numbers))))
    return indexes


def _reachable(start: Index, by_name: dict[IndexName, Index]) -> set[IndexName]:
    reached = {start.name}
    todo = [start]
    while todo:
        for name in todo.pop().bases:
            if name not in reached:
                reached.add(name)
                todo.append(by_name[name])
    return reached


@settings(deadline=None)
@given(_graphs())
def test_every_reachable_index_is_asked_once_the_start_first_and_mirrors_last(indexes):
    by_name = {index.name: index for index in indexes}
    lineage = lineage_of(indexes[0], by_name.get)
    found = [index.name for index in lineage]
    assert len(found) == len(set(found))
    assert set(found) == _reachable(indexes[0], by_name)
    assert found[0] == indexes[0].name
    assert lineage.asked is indexes[0]
    kinds = [index.has_upstream for index in lineage]
    assert kinds == sorted(kinds)


@settings(deadline=None)
@given(_graphs())
def test_an_index_inherits_from_itself_exactly_when_one_of_its_bases_reaches_it(indexes):
    by_name = {index.name: index for index in indexes}
    start = indexes[0]
    reached = {name for base in start.bases for name in _reachable(by_name[base], by_name)}
    assert inherits_from(start.name, start.bases, by_name.get) is (start.name in reached)
