"""Law 12: a secret never prints itself."""

import ast
import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import stillroom_client
import stillroom_server
from stillroom_client.secret import Secret
from stillroom_server.app.settings import Settings
from stillroom_server.domain.identity import Credentials, Identity
from stillroom_server.domain.upstream_credentials import UpstreamCredential, UpstreamCredentials
from stillroom_server.services.accounts import AccountRecord
from stillroom_server.services.tokens import IssuedToken
from support.rows import a_token, a_user

SECRET = "s3cret"
NAMES = ("secret", "password", "authorization", "credential")
"""What stands in the names of fields that hold one."""

UPSTREAM = f"https://user:{SECRET}@index.example/simple/"

HOLDERS = {
    "User": a_user(password_hash=SECRET),
    "Token": a_token(digest=SECRET.encode()),
    "Credentials": Credentials("dev", SECRET, "192.0.2.1"),
    "IssuedToken": IssuedToken(a_token(digest=SECRET.encode()), SECRET, 60),
    "AccountRecord": AccountRecord(a_user(password_hash=SECRET)),
    "Settings": Settings(
        database=f"postgresql://user:{SECRET}@host/name", upstream_credentials=(UPSTREAM,)
    ),
    "UpstreamCredential": UpstreamCredential.parse(UPSTREAM),
    "UpstreamCredentials": UpstreamCredentials.parse([UPSTREAM]),
    "the client's Secret": Secret(SECRET),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_secret_never_prints_itself(holder):
    for shown in (repr(holder), str(holder), f"{[holder]} {holder!s}", f"{holder}"):
        assert SECRET not in shown
    assert SECRET.encode().hex() not in repr(holder)


def test_an_identity_holds_no_secret():
    names = {field.name for field in dataclasses.fields(Identity)}
    assert not any(secret in name for name in names for secret in NAMES)


# Those that are yet to come


def _dataclasses() -> Iterator[type]:
    for package in (stillroom_server, stillroom_client):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if dataclasses.is_dataclass(value) and value.__module__ == module.name:
                    yield value


def _is_text(annotation: object) -> bool:
    """Whether a field's type is str or bytes, or None beside them."""
    words = str(getattr(annotation, "__name__", annotation))
    return {"str", "bytes"} >= {word.strip() for word in words.split("|")} - {"None"}


def test_every_field_that_is_named_as_a_secret_is_left_out_of_the_repr():
    found = {
        f"{kind.__qualname__}.{field.name}": field
        for kind in set(_dataclasses())
        for field in dataclasses.fields(kind)
        if any(name in field.name for name in NAMES) and _is_text(field.type)
        if not field.name.endswith("_file")
    }
    assert {"Credentials.secret", "User.password_hash"} <= found.keys()
    assert [name for name, field in found.items() if field.repr] == []


# What is written down

TELLING = {
    *("secret", "password", "password_hash", "authorization", "credentials"),
    *("asdict", "vars", "__dict__", "reveal"),
}
SPEAKING = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def _log_calls() -> Iterator[tuple[Path, ast.Call]]:
    for package in (stillroom_server, stillroom_client):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in SPEAKING
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in {"log", "logger", "logging"}
                ):
                    yield path, node


def test_no_log_line_is_given_a_secret_or_all_that_a_value_holds():
    calls = list(_log_calls())
    assert len(calls) > 10
    for path, call in calls:
        for node in (part for argument in call.args for part in ast.walk(argument)):
            name = getattr(node, "attr", getattr(node, "id", None))
            assert name not in TELLING, f"{path.name}:{call.lineno}"
