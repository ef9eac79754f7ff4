import json
from pathlib import Path

from support.command_line import Stillroom
from support.stub_server import Reply, StubServer, json_reply, message_reply, result_reply
from support.stub_stillroom import TOKEN, bearer, offer_index, offer_root


def test_use_remembers_the_server(stillroom: Stillroom, stub: StubServer) -> None:
    assert stillroom("use", f"{stub.url}/").status == 0
    shown = stillroom("use")
    assert shown.status == 0
    assert shown.out == f"server: {stub.url}\nuser: -\nindex: -\n"
    assert "stillroom login USER" in shown.err


def test_use_without_arguments_makes_no_request(logged_in: Stillroom, stub: StubServer) -> None:
    value = json.loads(logged_in("use", "--json").out)
    assert value == {"server": stub.url, "user": "dev", "index": "dev/sandbox", "written": []}
    assert stub.asked == []


def test_nothing_chosen_says_how_to_choose(stillroom: Stillroom) -> None:
    result = stillroom("use")
    assert result.status == 1
    assert result.err.startswith("error: no server is in use: choose one with `stillroom use URL`")


def test_use_takes_the_url_of_an_index(stillroom: Stillroom, stub: StubServer) -> None:
    result = stillroom("use", f"{stub.url}/dev/sandbox", "--json")
    value = json.loads(result.out)
    assert (value["server"], value["index"]) == (stub.url, "dev/sandbox")


def test_a_path_prefix_is_found_from_the_login_url(stillroom: Stillroom, stub: StubServer) -> None:
    offer_root(stub, "/tools/index")
    offer_index(stub, "dev/sandbox", prefix="/tools/index")
    value = json.loads(stillroom("use", f"{stub.url}/tools/index/dev/sandbox", "--json").out)
    assert value["server"] == f"{stub.url}/tools/index"
    assert value["index"] == "dev/sandbox"
    assert stillroom("use", "dev/sandbox").status == 0


def test_relative_urls_in_the_answer_are_below_the_root(
    stillroom: Stillroom, stub: StubServer
) -> None:
    entrance = {
        "login": "/+login",
        "authstatus": ["noauth", "", []],
        "index": "dev/sandbox",
        "simpleindex": "dev/sandbox/simple/",
    }
    stub.script("GET", "/dev/sandbox/+api", result_reply(entrance))
    value = json.loads(stillroom("use", f"{stub.url}/dev/sandbox", "--json").out)
    assert (value["server"], value["index"]) == (stub.url, "dev/sandbox")


def test_an_unknown_index_is_refused_and_not_remembered(
    logged_in: Stillroom, stub: StubServer
) -> None:
    stub.script("GET", "/dev/nothing/+api", message_reply("the index dev/nothing is unknown", 404))
    result = logged_in("use", "dev/nothing")
    assert result.status == 1
    assert result.err == "error: the index dev/nothing is unknown\n"
    assert "index: dev/sandbox" in logged_in("use").out


def test_an_index_of_ones_own_needs_no_user(logged_in: Stillroom, stub: StubServer) -> None:
    offer_index(stub, "dev/base")
    assert "index: dev/base" in logged_in("use", "base").out


def test_an_index_that_is_not_open_is_asked_with_the_login(
    logged_in: Stillroom, stub: StubServer
) -> None:
    logged_in("use", f"{stub.url}/dev/sandbox")
    assert bearer(stub.last("GET", "/dev/sandbox/+api")) == TOKEN


def test_another_server_is_another_login(logged_in: Stillroom) -> None:
    with StubServer() as other:
        offer_root(other)
        result = logged_in("use", other.url)
    assert result.out == f"server: {other.url}\nuser: -\nindex: -\n"


def test_the_same_server_again_keeps_user_and_index(
    logged_in: Stillroom, stub: StubServer
) -> None:
    assert "user: dev\nindex: dev/sandbox" in logged_in("use", stub.url).out


def test_something_that_is_not_a_url_is_wrong_usage(stillroom: Stillroom) -> None:
    for text in ("ftp://localhost", "http://", "http://localhost:port", "http://localhost/?a=b"):
        result = stillroom("use", text)
        assert result.status == 2, text


def test_a_host_without_a_scheme_is_told_what_to_write(stillroom: Stillroom) -> None:
    result = stillroom("use", "localhost:3141")
    assert result.status == 2
    assert "http://" in result.err


def test_a_password_in_the_url_is_refused_and_not_repeated(stillroom: Stillroom) -> None:
    result = stillroom("use", "http://dev:hunter2@localhost:3141")
    assert result.status == 2
    assert "stillroom login USER" in result.err
    assert "hunter2" not in result.err


def test_a_server_that_names_another_host_for_the_login_is_not_believed(
    stillroom: Stillroom, stub: StubServer
) -> None:
    entrance = {"login": "http://elsewhere.example/+login", "authstatus": ["noauth", "", []]}
    stub.script("GET", "/+api", result_reply(entrance))
    result = stillroom("use", stub.url)
    assert result.status == 1
    assert "http://elsewhere.example" in result.err


def test_a_redirected_get_leads_to_the_real_root(stillroom: Stillroom, stub: StubServer) -> None:
    with StubServer() as old:
        old.script("GET", "/+api", Reply(302, headers={"Location": f"{stub.url}/+api"}))
        value = json.loads(stillroom("use", old.url, "--json").out)
    assert value["server"] == stub.url


def test_a_web_site_is_not_a_stillroom(stillroom: Stillroom, stub: StubServer) -> None:
    stub.script("GET", "/+api", Reply(200, b"<html>", api_version=None))
    result = stillroom("use", stub.url)
    assert result.status == 1
    assert "not as a Stillroom" in result.err
    assert "check the address" in result.err


def test_an_answer_without_a_login_url_is_not_a_stillroom(
    stillroom: Stillroom, stub: StubServer
) -> None:
    for body in ({}, {"result": []}, {"result": {}}, {"result": {"login": "/+login"}}):
        stub.script("GET", "/+api", json_reply(body))
        result = stillroom("use", stub.url)
        assert result.status == 1, body
        assert "check the address" in result.err or "without the data" in result.err


def test_the_environment_goes_before_what_is_remembered(
    logged_in: Stillroom, stub: StubServer, tmp_path: Path
) -> None:
    offer_index(stub, "dev/other")
    environ = {"STILLROOM_URL": f"{stub.url}/dev/other"}
    assert "user: dev\nindex: dev/other" in logged_in("use", environ=environ).out
    assert "index: dev/sandbox" in logged_in("use").out


def test_a_damaged_state_is_named(stillroom: Stillroom, tmp_path: Path) -> None:
    path = tmp_path / "client" / "client.json"
    for content in ("{", "[]", '{"url": "http://localhost"}', '{"url":"x","user":"","index":"a"}'):
        path.write_text(content)
        result = stillroom("use")
        assert result.status == 1
        assert f"{path} is damaged" in result.err
