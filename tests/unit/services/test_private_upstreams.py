"""Mirrors of upstreams that are not public are refused when they are configured: P-18."""

import pytest

from stillroom_server.domain.errors import InvalidRequest
from stillroom_server.domain.names import IndexName
from support.use_cases import ROOT

NAME = IndexName.parse("root/vendor")
PUBLIC = "https://index.example/simple/"

NOT_PUBLIC = [
    "http://169.254.169.254/",
    "http://[::1]/",
    "http://0x7f.2/",
    "http://10.1/",
    "http://3232235777:8080/",
    "https://[::ffff:10.0.0.1]/simple/",
    "gitea:192.168.0.1:3000/owner",
]


def create(cases, **options):
    return cases.indexes.create(ROOT, NAME, {"type": "mirror", **options})


def refused(ask, field):
    with pytest.raises(InvalidRequest) as caught:
        ask()
    (fault,) = caught.value.faults
    assert fault.field == field
    assert "name it in the setting private_upstreams if it may be used" in fault.rule


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_a_mirror_of_such_an_address_is_not_made(cases, url):
    refused(lambda: create(cases, mirror_url=url), "mirror_url")


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_a_mirror_is_not_changed_to_such_an_address(cases, url):
    create(cases, mirror_url=PUBLIC)
    refused(
        lambda: cases.indexes.change(ROOT, NAME, [f"mirror_url={url}"]),
        "mirror_url",
    )
    refused(
        lambda: cases.indexes.change(ROOT, NAME, [f"mirror_fallback_urls+={url}"]),
        "mirror_fallback_urls",
    )


def test_every_such_address_is_named(cases):
    urls = ["http://10.0.0.1/", "https://index.example/", "http://10.0.0.2/"]
    with pytest.raises(InvalidRequest) as caught:
        create(cases, mirror_url="http://10.0.0.3/", mirror_fallback_urls=urls)
    assert [fault.field for fault in caught.value.faults] == [
        "mirror_fallback_urls",
        "mirror_fallback_urls",
        "mirror_url",
    ]


def test_names_and_what_is_allowed_are_taken(cases):
    """What a name stands for is looked at when connecting."""
    index = create(
        cases, mirror_url="http://nexus.internal:8081/", mirror_fallback_urls="http://127.0.0.1:1/"
    )
    assert index.upstream_urls == ("http://nexus.internal:8081/", "http://127.0.0.1:1/")


def test_a_mirror_that_is_not_allowed_any_more_can_still_be_changed(cases):
    create(cases, mirror_url=PUBLIC)
    with cases.database.writing() as unit:
        index = unit.indexes.get(NAME)
        unit.indexes.change(index, {**index.options, "mirror_url": "http://10.0.0.1/"})
    changed = cases.indexes.change(ROOT, NAME, ["mirror_cache_expiry=5"])
    assert changed.cache_expiry == 5


def test_a_short_form_is_kept_as_its_url(cases):
    index = create(cases, mirror_url="gitlab:gitlab.example/42")
    assert index.upstream_url == "https://gitlab.example/api/v4/projects/42/packages/pypi/simple/"
