"""The list of all projects, P-05."""

import json
import time
import tracemalloc
from contextlib import closing
from dataclasses import replace

import pytest

from stillroom_server.domain.errors import UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.upstream import Validators
from stillroom_server.services.ports import NamesFetched, NotModified
from stillroom_server.testing import generated_name
from support.distributions import make_wheel
from support.http_upstream import HASTY, PATIENT, UNKNOWN, DrippingServer, new_upstream, timeout_of

LIST = "/simple/"
JSON = "application/vnd.pypi.simple.v1+json"


def names_of(upstream, url):
    with upstream.project_names(url, UNKNOWN) as answer:
        assert isinstance(answer, NamesFetched)
        return list(answer.names)


def failure_of(upstream, up):
    """What reading the list ends in, and how many names came before that."""
    seen = []
    with pytest.raises((UpstreamFailed, UpstreamTimeout)) as caught:
        _read(upstream, up, seen)
    return caught.value, len(seen)


def _read(upstream, up, seen):
    with upstream.project_names(up.url, UNKNOWN) as answer:
        seen.extend(answer.names)


@pytest.mark.parametrize("form", ["json", "html"])
def test_all_names_are_read_in_both_forms(up, upstream, form):
    up.forms = {form}
    up.add(make_wheel("Other.Project"))
    assert names_of(upstream, up.url) == ["example", "other-project"]
    assert up.paths == [LIST]
    assert up.requests[0].headers["accept-encoding"] == "gzip"


def test_a_long_list_is_read_in_little_memory(up):
    up.generated_names = 60_000
    with (
        closing(new_upstream(limits=replace(PATIENT, names_bytes=10**8))) as upstream,
        upstream.project_names(up.url, UNKNOWN) as answer,
    ):
        first = next(answer.names)
        tracemalloc.start()
        try:
            last = first
            count = 1
            for name in answer.names:
                last, count = name, count + 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (first, last) == ("example", generated_name(59_999))
    assert count == 60_001
    # Both sides of the socket hold a few thousand names; all of them would take twice as much.
    assert peak < 10_000_000


@pytest.mark.parametrize("form", ["json", "html"])
def test_an_unchanged_list_is_not_sent_again(up, upstream, form):
    up.forms = {form}
    with upstream.project_names(up.url, UNKNOWN) as answer:
        known = answer.validators
    assert known.etag is not None
    with upstream.project_names(up.url, known) as answer:
        assert answer == NotModified()
    up.add(make_wheel("other"))
    with upstream.project_names(up.url, known) as answer:
        assert list(answer.names) == ["example", "other"]


def test_names_that_are_none_are_passed_over(up, upstream):
    rows = [{"name": name} for name in ("-x", "", "Good", "a b", "../up", "é")]
    up.fault(LIST, body=json.dumps({"projects": rows}).encode(), headers=IDENTITY)
    assert names_of(upstream, up.url) == ["good"]


IDENTITY = {"Content-Encoding": "identity"}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"status": 500},
        {"then": "close", "after": 5},
        {"then": "close"},
        {"headers": {"Content-Type": "application/json"}},
        {"headers": {"Content-Encoding": "br"}},
        {"body": b"no gzip"},
        {"body": b"{", "headers": IDENTITY},
        {"body": b"", "headers": IDENTITY},
        {"body": b'{"projects": {}}', "headers": IDENTITY},
        {
            "body": b"<html>Down for maintenance",
            "headers": IDENTITY | {"Content-Type": "text/html"},
        },
        {"bomb": 5_000_000},
        {"body": b" " * (PATIENT.names_bytes + 1), "headers": IDENTITY},
    ],
    ids=lambda fault: str(fault)[:40],
)
def test_a_list_of_names_that_does_not_come_is_a_failure(up, upstream, fault):
    up.fault(LIST, **fault)
    failure, seen = failure_of(upstream, up)
    assert seen == 0
    assert f"127.0.0.1:{up.port}" in failure.message


@pytest.mark.parametrize("form", ["json", "html"])
@pytest.mark.parametrize("ending", ["close", "reset", "stall"])
def test_a_list_that_breaks_off_is_a_failure_where_it_does(up, hasty, form, ending):
    """Names that came before it are no list: the caller has to throw them away."""
    up.forms, up.generated_names = {form}, 60_000
    up.fault(LIST, then=ending, after=150_000)
    failure, seen = failure_of(hasty, up)
    assert 0 < seen < 60_000
    assert isinstance(failure, UpstreamTimeout if ending == "stall" else UpstreamFailed)


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_list_without_end_is_a_failure(up, upstream, form):
    """The limit is one of what is unpacked: packed, this is a twentieth of it."""
    up.forms, up.generated_names = {form}, 200_000
    failure, seen = failure_of(upstream, up)
    assert f"larger than {PATIENT.names_bytes} bytes" in failure.message
    assert seen < 200_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"projects": [{"name": "a"}',
        b'{"projects": [{"name": "a"}]',
        b'{"projects": [{"name": "a"}]} and more',
        b'{"projects": [{"name": "a"}], "meta": {"api-version": "2.0"}}',
    ],
)
def test_json_that_ends_early_is_a_failure(up, upstream, body):
    up.fault(LIST, body=body, headers=IDENTITY)
    failure, seen = failure_of(upstream, up)
    assert seen <= 1
    assert "cannot be read" in failure.message


def test_a_list_that_drips_is_a_timeout(hasty):
    with DrippingServer(JSON) as dripping:
        assert timeout_of(lambda: names_of(hasty, dripping.root)) < 4


def test_a_list_takes_as_long_as_its_reader_needs(up, hasty):
    up.generated_names = 60_000
    with hasty.project_names(up.url, UNKNOWN) as answer:
        next(answer.names)
        time.sleep(HASTY.names + 0.1)
        assert len(list(answer.names)) == 60_000


def test_a_list_that_is_given_up_lets_go_of_its_connection(up, upstream):
    up.generated_names = 60_000
    with upstream.project_names(up.url, UNKNOWN) as answer:
        next(answer.names)
    assert len(names_of(upstream, up.url)) == 60_001


def test_a_question_without_a_condition_is_not_answered_by_not_modified(up, upstream):
    up.fault(LIST, status=304)
    with upstream.project_names(up.url, Validators(etag='"x"')) as answer:
        assert answer == NotModified()
    assert "304" in failure_of(upstream, up)[0].message
