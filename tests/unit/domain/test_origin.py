"""First origin wins: which stages and mirrors may show a project of a lineage."""

from dataclasses import dataclass

import pytest

from stillroom_server.domain.lineage import origin_of
from stillroom_server.domain.names import ProjectName
from support.values import a_lineage, a_mirror, a_stage

DEMO = ProjectName("acme-demo")


@dataclass(frozen=True)
class Case:
    """Two stages and a mirror; which of them hold the project, and what their options say."""

    held_by: str
    shown_by: str
    claimed: bool = True
    whitelist: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    reserved: tuple[tuple[str, ...], ...] = ((), (), ())


CASES = {
    "nobody holds it: the mirror is asked": Case("", "mirror", claimed=False),
    "the first stage holds it": Case("top", "top"),
    "the base holds it": Case("base", "base"),
    "both hold it": Case("top base", "top base"),
    "whitelisted where it is held": Case("top", "top mirror", whitelist=((DEMO,), ())),
    "all whitelisted where it is held": Case("top", "top mirror", whitelist=(("*",), ())),
    "another one is whitelisted": Case("top", "top", whitelist=(("other",), ())),
    "whitelisted where it is not held": Case("base", "base", whitelist=(("*",), ())),
    "one of two holders whitelists it": Case("top base", "top base", whitelist=(("*",), ())),
    "both holders whitelist it": Case(
        "top base", "top base mirror", whitelist=(("*",), (DEMO, "other"))
    ),
    "whitelisted and held by nobody": Case("", "mirror", claimed=False, whitelist=(("*",), ())),
    "reserved by the first stage": Case("", "", reserved=(("acme-*",), (), ())),
    "reserved by the base": Case("", "", reserved=((), ("acme-demo",), ())),
    "reserved by the mirror": Case("", "", reserved=((), (), ("*-demo",))),
    "another name is reserved": Case(
        "", "mirror", claimed=False, reserved=(("acme",), ("acme-demo-*",), ("demo",))
    ),
    "reserved and held": Case("base", "base", reserved=(("acme-*",), (), ())),
    "reserved, held and whitelisted": Case(
        "top", "top", whitelist=(("*",), ()), reserved=((), (), ("acme-*",))
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_private_project_hides_the_public_one(case):
    top = a_stage(
        "dev/top", "dev/base", mirror_whitelist=case.whitelist[0], reserved=case.reserved[0]
    )
    base = a_stage(
        "dev/base", "root/pypi", mirror_whitelist=case.whitelist[1], reserved=case.reserved[1]
    )
    mirror = a_mirror("root/pypi", reserved=case.reserved[2])
    by_word = {"top": top, "base": base, "mirror": mirror}
    holders = [by_word[word].id for word in case.held_by.split()]
    origin = origin_of(a_lineage(top, base, mirror), DEMO, holders)
    assert [*origin.stages, *origin.mirrors] == [by_word[word] for word in case.shown_by.split()]
    assert origin.claimed is case.claimed


def test_a_name_that_one_mirror_reserves_is_asked_of_no_other_mirror_either():
    top = a_stage("dev/top", "root/one", "root/two")
    one, two = a_mirror("root/one"), a_mirror("root/two", reserved=("acme-*",))
    origin = origin_of(a_lineage(top, one, two), DEMO, [])
    assert origin.mirrors == ()
    assert origin.claimed


def test_a_holder_outside_of_the_lineage_changes_nothing():
    top, mirror = a_stage("dev/top", "root/one"), a_mirror("root/one")
    origin = origin_of(a_lineage(top, mirror), DEMO, [top.id + 1_000])
    assert origin.stages == ()
    assert origin.mirrors == (mirror,)


@pytest.mark.parametrize(
    ("pattern", "project", "covered"),
    [
        ("acme-*", "acme-demo", True),
        ("acme-*", "acme", False),
        ("acme*", "acme", True),
        ("*", "anything", True),
        ("*-internal", "tools-internal", True),
        ("acme", "acme", True),
        ("acme", "acme-demo", False),
        ("a*a*a*a*a*a*a*a*a*a*b", "a" * 60, False),
    ],
)
def test_a_pattern_covers_whole_names_with_a_star_for_anything(pattern, project, covered):
    assert a_stage(reserved=(pattern,)).reserves(ProjectName(project)) is covered
