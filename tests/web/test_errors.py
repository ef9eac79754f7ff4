"""How errors are told: one table, one sentence, in the place where each client looks."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from stillroom_server.domain import errors
from stillroom_server.domain.errors import (
    InvalidRequest,
    MintRefused,
    NotFound,
    Refusal,
    StillroomError,
    TooManyAttempts,
    Trouble,
    UpstreamFailed,
)
from stillroom_server.web.errors import MAX_REASON, STATUS, TITLES
from support.distributions import make_wheel
from support.site import API, HTML, JSON, Site, file_url, send, upload

EXPECTED = {
    "InvalidRequest": 400,
    "NotAuthenticated": 401,
    "Forbidden": 403,
    "NeedsApproval": 403,
    "NotFound": 404,
    "NotAcceptable": 406,
    "Conflict": 409,
    "Gone": 410,
    "PreconditionFailed": 412,
    "TooLarge": 413,
    "MintRefused": 422,
    "TooManyAttempts": 429,
    "UpstreamFailed": 502,
    "UpstreamFileUnusable": 502,
    "UpstreamLeftAlone": 502,
    "UpstreamTimeout": 504,
    "Overloaded": 503,
    "StorageBusy": 503,
    "StorageFull": 507,
    "Trouble": 503,
}
KINDS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, StillroomError)
    and kind not in {StillroomError, Refusal}
}


def an_error(name: str, message: str = "field: the rule; what to do.") -> StillroomError:
    if name == "InvalidRequest":
        return InvalidRequest.one(*message.split(": ", 1))
    if name == "MintRefused":
        return MintRefused("invalid-token", message)
    if name == "TooManyAttempts":
        return TooManyAttempts(message, retry_after=7)
    return KINDS[name](message)


@pytest.fixture
def failing(shared_site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Whatever error is put into this list is raised by the view of `/`."""
    raised: list[BaseException] = []

    def fail() -> None:
        raise raised[-1]

    monkeypatch.setattr(shared_site.services.users, "all", fail)
    return raised


def ask(site: Site, accept: str) -> httpx.Response:
    return site.anonymous.get("/", headers={"Accept": accept})


# The table


def test_every_error_of_the_domain_has_a_status() -> None:
    assert {kind.__name__: status for kind, status in STATUS.items()} == EXPECTED
    assert set(KINDS) == set(EXPECTED)
    assert set(TITLES) >= set(EXPECTED.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_is_told_in_json_with_code_and_message(
    shared_site: Site, failing: list[BaseException], name: str
) -> None:
    failing.append(an_error(name))
    answer = ask(shared_site, f"{API};q=0.9, text/plain;q=0.8")
    status = EXPECTED[name]
    assert answer.status_code == status
    # uv reads exactly this type, and shows the code; devpi's client shows the message.
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["message"] == "field: the rule; what to do."
    assert body["code"] == f"{status} field: the rule; what to do."
    assert body["title"] == TITLES[status]
    assert answer.headers["Cache-Control"] == "no-store"


PROBLEM = "application/problem+json"
INSTALLERS = {
    "pip": f"{JSON}, {HTML}; q=0.1, text/html; q=0.01",
    "uv": f"{JSON}, {HTML};q=0.2, text/html;q=0.01",
    "poetry": f"{JSON}, */*;q=0.1",
    "who wants a problem": PROBLEM,
    "who wants rather a problem": f"{API};q=0.5, {PROBLEM}",
}


@pytest.mark.parametrize("client", INSTALLERS)
@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_is_told_as_a_problem_and_in_the_reason_phrase(
    shared_site: Site, failing: list[BaseException], name: str, client: str
) -> None:
    failing.append(an_error(name))
    answer = ask(shared_site, INSTALLERS[client])
    status = EXPECTED[name]
    # uv reads exactly this type, pip shows the reason phrase.
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.reason_phrase == "field: the rule; what to do."
    faults = {"faults": [{"field": "field", "rule": "the rule; what to do."}]}
    assert answer.json() == {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": "field: the rule; what to do.",
        **(faults if name == "InvalidRequest" else {}),
    }
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (f"{API}, {PROBLEM}", API),
        (f"{PROBLEM}, {API}", API),
        (f"{JSON}, {API}", API),
        (f"{API};q=0, text/plain", "text/plain; charset=utf-8"),
        (f"{PROBLEM};q=0, */*", "text/plain; charset=utf-8"),
        (API.upper(), API),
        (f"{API};q=x", API),
        (f"{API}, " + "x" * 10_000, "text/plain; charset=utf-8"),
        ("", "text/plain; charset=utf-8"),
        (HTML, "text/plain; charset=utf-8"),
    ],
)
def test_an_error_is_told_in_the_form_that_is_liked_best(
    shared_site: Site, failing: list[BaseException], accept: str, media_type: str
) -> None:
    failing.append(NotFound("it is not there"))
    answer = ask(shared_site, accept)
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_is_told_in_the_reason_phrase_and_as_a_line_of_text(
    shared_site: Site, failing: list[BaseException], name: str
) -> None:
    failing.append(an_error(name))
    answer = ask(shared_site, "*/*")
    assert answer.status_code == EXPECTED[name]
    assert answer.reason_phrase == "field: the rule; what to do."
    assert answer.text == "field: the rule; what to do.\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("accept", [API, "*/*"])
@pytest.mark.parametrize("name", EXPECTED)
def test_trouble_says_when_to_come_back_and_refusals_do_not(
    shared_site: Site, failing: list[BaseException], name: str, accept: str
) -> None:
    failing.append(an_error(name))
    answer = ask(shared_site, accept)
    assert (answer.status_code >= 500) == issubclass(KINDS[name], Trouble)
    wait = answer.headers.get("Retry-After")
    told = "7" if name == "TooManyAttempts" else None
    assert wait == ("10" if answer.status_code >= 500 else told)
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)


def test_an_error_says_its_own_time_to_wait(
    shared_site: Site, failing: list[BaseException]
) -> None:
    failing.append(UpstreamFailed("later", retry_after=7))
    assert ask(shared_site, API).headers["Retry-After"] == "7"


def test_nobody_is_made_to_wait_long_for_another_attempt(
    shared_site: Site, failing: list[BaseException]
) -> None:
    failing.append(TooManyAttempts("later", retry_after=300))
    assert ask(shared_site, API).headers["Retry-After"] == "10"


def test_an_error_of_a_plugin_is_told_as_the_one_that_it_refines(
    shared_site: Site, failing: list[BaseException]
) -> None:
    class Missing(NotFound):
        """A kind of its own."""

    failing.append(Missing("it is not there"))
    assert ask(shared_site, API).status_code == 404


def test_all_faults_are_listed_for_who_reads_json(
    shared_site: Site, failing: list[BaseException]
) -> None:
    faults = [errors.Fault("first", "rule"), errors.Fault("second", "other rule")]
    failing.append(InvalidRequest(faults))
    body = ask(shared_site, API).json()
    assert body["message"] == "first: rule; second: other rule"
    assert body["faults"] == [
        {"field": "first", "rule": "rule"},
        {"field": "second", "rule": "other rule"},
    ]


# The status line

MESSAGES = {
    "line breaks": "one\r\ntwo\nthree\vfour",
    "a header": "x\r\nSet-Cookie: a=b",
    "NULs and escapes": "a\x00b\x1b[31mc\x7f",
    "other letters": "größer als 10 €: \u202e\U0001f4a3",
    "half a character": "\ud800",
    "much text": "word " * 1_000,
    "one long word": "x" * 5_000,
    "nothing": "",
}


@pytest.mark.parametrize("accept", [API, "*/*"])
@pytest.mark.parametrize("what", MESSAGES)
def test_a_reason_phrase_is_one_short_line_of_ascii(
    shared_site: Site, failing: list[BaseException], what: str, accept: str
) -> None:
    failing.append(NotFound(MESSAGES[what]))
    answer = ask(shared_site, accept)
    assert answer.status_code == 404
    phrase = answer.reason_phrase
    assert phrase.isascii()
    assert phrase == "" or phrase.isprintable()
    assert len(phrase) <= MAX_REASON
    assert "Set-Cookie" not in answer.headers
    if accept == API:
        assert answer.json()["code"].isprintable()


# Bugs


@pytest.mark.parametrize("accept", [API, "*/*", HTML])
@pytest.mark.parametrize("bug", [RuntimeError("secret detail"), KeyError("x"), OSError(5, "EIO")])
def test_a_bug_is_a_500_that_tells_nothing_but_the_log(
    shared_site: Site,
    failing: list[BaseException],
    caplog: pytest.LogCaptureFixture,
    bug: Exception,
    accept: str,
) -> None:
    failing.append(bug)
    with caplog.at_level(logging.ERROR):
        answer = ask(shared_site, accept)
    assert answer.status_code == 500
    assert "the server's log says what" in answer.text
    for inside in ("Traceback", "secret", ".py", type(bug).__name__):
        assert inside not in answer.text
        assert inside not in str(answer.headers)
    assert type(bug).__name__ in caplog.text


def test_an_address_forges_no_line_of_the_log(
    shared_site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise UpstreamFailed("later")

    monkeypatch.setattr(shared_site.services.files, "content", fail)
    target = b"/dev/stage/+f/x/-/a%0aERROR:%20all%20is%20lost%1b[31m"
    answer = shared_site.user("dev").get("/", extensions={"target": target})
    assert answer.status_code == 502
    [line] = [r.getMessage() for r in caplog.records if r.name == "stillroom_server.web.errors"]
    assert line.isprintable()


@pytest.mark.parametrize(
    "accept", ["\xff\xfe", ";;;", "application/json;q=x", "a/b;c=" + "d" * 10_000, ""]
)
@pytest.mark.parametrize("path", ["/dev/stage", "/dev/absent", "/+nothing", "/dev/stage/x/y/z"])
def test_an_error_is_told_whatever_the_client_wants_to_read(
    shared_site: Site, path: str, accept: str
) -> None:
    answer = shared_site.anonymous.get(path, headers={"Accept": accept.encode("latin-1")})
    assert answer.status_code in {401, 403}


# Every answer says which API it speaks


def test_every_answer_names_the_version_of_the_api(site: Site, dev: httpx.Client) -> None:
    wheel = make_wheel("example", "1.0")
    upload(dev, "dev/stage", wheel)
    page, file = "/dev/stage/simple/example/", file_url("dev/stage", "example", wheel)
    read = {"Accept": JSON}
    answers = [
        *(dev.get(page, headers=read) for _ in range(2)),
        dev.get(page, headers=read | {"If-None-Match": "*"}),
        dev.head(page, headers=read),
        dev.get(f"{page}?beyond-the-gate", headers=read),
        dev.get(page, headers={"Accept": "application/xml"}),
        dev.get("/dev/stage/simple/Example", headers=read),
        dev.get(file),
        dev.get(file, headers={"Range": "bytes=0-0"}),
        dev.get(file, headers={"Range": "bytes=99999999-"}),
        dev.get(file, headers={"If-None-Match": "*"}),
        dev.get("/", headers={"Accept": "text/html"}),
        dev.get("/+api"),
        dev.get("/+nothing"),
        dev.get("/dev/absent"),
        dev.put("/dev", content=b"{"),
        dev.put("/new", json={}),
        dev.post("/dev", json={}),
        dev.get("/", extensions={"target": b"/%ff"}),
        dev.get("/", extensions={"target": b"/dev/%00"}),
        site.anonymous.get("/dev/stage"),
        site.anonymous.get(page, headers=read),
        send(site.anonymous, "dev/stage", wheel),
        send(dev, "root/pypi", wheel),
        site.root.get("/root/pypi/simple/example/", headers=read),
    ]
    statuses = {answer.status_code for answer in answers}
    assert statuses >= {200, 206, 302, 304, 400, 401, 403, 404, 405, 406, 416, 502}
    for answer in answers:
        assert answer.headers.get_list("X-DEVPI-API-VERSION") == ["2"]
        assert "Traceback" not in answer.text
