"""Row J-05: options are changed only if they are still what their editor has seen."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.distributions import make_wheel
from support.site import Site, upload

INDEX = "/dev/stage"


def tag(client: httpx.Client) -> str:
    return client.get(INDEX).headers["ETag"]


def change(client: httpx.Client, title: str, **headers: str) -> httpx.Response:
    return client.patch(
        INDEX, json={"title": title}, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def test_the_tag_names_the_state_of_the_options(site: Site, dev: httpx.Client) -> None:
    first = tag(dev)
    assert tag(site.root) == first
    changed = change(dev, "another")
    assert changed.headers["ETag"] == tag(dev) != first
    upload(dev, "dev/stage", make_wheel())
    assert tag(dev) == changed.headers["ETag"]


def test_who_saw_the_options_as_they_are_changes_them(dev: httpx.Client) -> None:
    answer = change(dev, "mine", If_Match=f'"another", {tag(dev)}')
    assert answer.status_code == 200
    assert dev.get(INDEX).json()["result"]["title"] == "mine"


def test_who_saw_other_options_changes_nothing(site: Site, dev: httpx.Client) -> None:
    seen = tag(dev)
    assert change(dev, "first", If_Match=seen).status_code == 200
    with site.unchanged():
        answer = change(dev, "second", If_Match=seen)
    assert answer.status_code == 412
    assert answer.json()["message"].startswith("If-Match: ")


@pytest.mark.parametrize("value", ['"x"', "x", "", 'W/"x"', "\xff"])
def test_a_tag_that_is_none_of_ours_never_matches(
    site: Site, dev: httpx.Client, value: str
) -> None:
    with site.unchanged():
        headers = {"If-Match": value.encode("latin-1")}
        answer = dev.patch(INDEX, json={"title": "x"}, headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 412


def test_a_star_matches_what_is_there(dev: httpx.Client) -> None:
    assert change(dev, "any", If_Match="*").status_code == 200


def test_a_weak_tag_is_no_match(dev: httpx.Client) -> None:
    assert change(dev, "weak", If_Match=f"W/{tag(dev)}").status_code == 412


def test_of_editors_at_the_same_time_one_wins(site: Site, dev: httpx.Client) -> None:
    seen = tag(dev)
    with ThreadPoolExecutor() as pool:
        answers = list(
            pool.map(lambda n: change(site.user("dev"), f"{n}", If_Match=seen), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


def test_who_may_not_change_them_learns_nothing_by_tags(site: Site, dev: httpx.Client) -> None:
    seen = tag(dev)
    other = site.new_user("other")
    for value in (seen, '"x"'):
        assert change(other, "x", If_Match=value).status_code == 403
