"""Tests that let a secret out, for the test of the canary, which runs a copy of this file.

The docstring of each says which place the canary has to name; without one it has to say nothing.
"""

import logging
import sqlite3
import warnings

import httpx
import psycopg
import pytest

from support.canary import MARK
from support.servers import ServerProcess

PASSWORD = f"dev{MARK}"
TOKEN = "stillroom_" + "Ab-_" * 10 + "xyz"


def ask(method: str, path: str, status: int, text: str = "", **headers: str) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text=text, headers=headers)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        client.request(method, f"http://stillroom.test{path}")


def test_log_line():
    """a log line of stillroom_server.x"""
    logging.getLogger("stillroom_server.x").debug("%s", PASSWORD)


def test_log_line_of_a_library():
    """a log line of pyramid"""
    logging.getLogger("pyramid").warning(TOKEN)


def test_traceback():
    """a log line of stillroom_client.y"""
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logging.getLogger("stillroom_client.y").exception("a bug")


def test_refusal():
    """the answer 401 to POST '/+login'"""
    ask("POST", "/+login", 401, PASSWORD)


def test_refusal_with_a_token():
    """the answer 401 to POST '/+login'"""
    ask("POST", "/+login", 401, TOKEN)


def test_page():
    """the answer 200 to GET '/dev/+tokens'"""
    ask("GET", "/dev/+tokens", 200, TOKEN)


def test_quoted_header():
    """the answer 302 to GET '/dev'"""
    ask("GET", "/dev", 302, location=f"/x?p={PASSWORD.replace('-', '%2D')}")


def test_password_after_a_login():
    """the answer 200 to POST '/+login'"""
    ask("POST", "/+login", 200, PASSWORD)


def test_tokens_for_who_may_have_them():
    ask("POST", "/+login", 200, TOKEN)
    ask("POST", "/dev/+tokens", 201, TOKEN)
    ask("PATCH", "/dev", 200, TOKEN)


def test_half_a_token():
    ask("GET", "/", 200, TOKEN[:30])


def test_warning():
    """a warning"""
    warnings.simplefilter("always")
    warnings.warn(TOKEN, stacklevel=1)


def test_log_of_a_server(tmp_path):
    """the file data.log"""
    with ServerProcess(tmp_path / "data") as server:
        server.log.write_text(TOKEN)


@pytest.mark.parametrize("value", [PASSWORD, TOKEN], ids=["password", "token"])
def test_row_of_sqlite(fresh_database, value):
    """the file stillroom.sqlite"""
    with fresh_database("sqlite") as url:
        database = sqlite3.connect(url.removeprefix("sqlite:///"))
        database.execute("CREATE TABLE planted (details)")
        database.execute("INSERT INTO planted VALUES (?)", (f'["{value}"]',))
        database.commit()
        database.close()


def test_row_of_postgres(fresh_database):
    """a Postgres database"""
    with fresh_database("postgres") as url, psycopg.connect(url) as database:
        database.execute("CREATE TABLE planted (details json)")
        database.execute("INSERT INTO planted VALUES (%s)", (f'["{TOKEN}"]',))
