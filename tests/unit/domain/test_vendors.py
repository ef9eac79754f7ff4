"""The short forms of well-known indexes."""

import pytest

from stillroom_server.domain.options import check_upstream_url
from stillroom_server.domain.vendors import VENDORS, expand, short_forms

FORMS = {
    "artifactory:h.example/team-pypi": "h.example/artifactory/api/pypi/team-pypi/simple/",
    "nexus:h.example:8081/pypi-all": "h.example:8081/repository/pypi-all/simple/",
    "gitlab:h.example/42": "h.example/api/v4/projects/42/packages/pypi/simple/",
    "gitlab:h.example/a%2Fb": "h.example/api/v4/projects/a%2Fb/packages/pypi/simple/",
    "azure:h.example/org/feed": "h.example/org/_packaging/feed/pypi/simple/",
    "azure:h.example/org/project/feed": "h.example/org/project/_packaging/feed/pypi/simple/",
    "codeartifact:h.example/repository": "h.example/pypi/repository/simple/",
    "google:h.example/project/repository": "h.example/project/repository/simple/",
    "cloudsmith:h.example/owner/repo": "h.example/basic/owner/repo/python/simple/",
    "gitea:[::1]:3000/owner": "[::1]:3000/api/packages/owner/pypi/simple/",
    "devpi:h.example/user/index/": "h.example/user/index/+simple/",
    "PULP:h.example/base": "h.example/pypi/base/simple/",
}


@pytest.mark.parametrize(("short", "url"), FORMS.items())
def test_a_short_form_is_the_url_of_its_vendor(short, url):
    assert expand(short) == f"https://{url}"
    assert check_upstream_url(f" {short} ") == f"https://{url}"


def test_every_vendor_is_tried_above():
    assert {short.partition(":")[0].lower() for short in FORMS} == set(VENDORS)
    forms = [form for vendor in VENDORS.values() for form in vendor.paths]
    assert {len(form.split("/")) for form in forms} == {1, 2, 3}


@pytest.mark.parametrize(
    "text", ["https://h.example/", "unknown:h/x", "gitlab", "", "nexus.example"]
)
def test_any_other_text_stays_as_it_is(text):
    assert expand(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "gitlab:",
        "gitlab:h.example",
        "gitlab:h.example/",
        "gitlab:h.example/1/2",
        "gitlab:/1",
        "gitlab:h.example/..",
        "gitlab:h.example/1?x",
        "gitlab:h.example/1#x",
        "gitlab:h example/1",
        "gitlab:h.example/{project_id}",
        "gitlab:https://h.example/1",
        "gitlab:user:s3cret@h.example/1",
    ],
)
def test_what_is_not_of_the_form_is_refused_with_the_form_and_not_repeated(text):
    with pytest.raises(ValueError, match="gitlab:HOST/PROJECT_ID") as caught:
        check_upstream_url(text)
    assert "s3cret" not in str(caught.value)


def test_a_vendor_with_several_forms_names_them():
    assert short_forms("azure") == [
        "azure:HOST/ORGANIZATION/FEED",
        "azure:HOST/ORGANIZATION/PROJECT/FEED",
    ]
    with pytest.raises(ValueError, match="/FEED or azure:HOST"):
        expand("azure:h.example/org")
