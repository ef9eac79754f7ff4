"""Law 5: refusals are domain errors, turned into HTTP by one table; success is returned."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from pyramid.request import Request

import stillroom_server
from stillroom_server.domain.errors import (
    Fault,
    InvalidRequest,
    MintRefused,
    NotFound,
    Refusal,
    StillroomError,
    TooManyAttempts,
    Trouble,
)
from stillroom_server.web.errors import STATUS, TITLES, error_response

ROOT = Path(stillroom_server.__file__).parent


def _all_kinds() -> list[type[StillroomError]]:
    """Every error of the domain that any module defines."""
    for module in pkgutil.walk_packages([str(ROOT)], "stillroom_server."):
        importlib.import_module(module.name)
    found: list[type[StillroomError]] = [StillroomError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__.startswith("stillroom_server.")]


KINDS = _all_kinds()
REFUSALS = [kind for kind in KINDS if issubclass(kind, Refusal) and kind is not Refusal]
TROUBLES = [kind for kind in KINDS if issubclass(kind, Trouble) and kind is not Trouble]


def _made(kind: type[StillroomError]) -> StillroomError:
    if kind is InvalidRequest:
        return InvalidRequest([Fault("name", "is wrong")])
    if kind is MintRefused:
        return MintRefused("invalid-token", "It is wrong.")
    if kind is TooManyAttempts:
        return TooManyAttempts("It is wrong.", retry_after=7)
    return kind("It is wrong.")


def _answered(kind: type[StillroomError]):
    error = _made(kind)
    request = Request.blank("/dev/base", headers={"Accept": "application/json"})
    return error_response(request, error)


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_is_the_clients_mistake(kind):
    answer = _answered(kind)
    assert 400 <= answer.status_code < 500
    # Only attempts that were too many are worth another one.
    assert ("Retry-After" in answer.headers) == (kind is TooManyAttempts)
    assert answer.json["message"]


@pytest.mark.parametrize("kind", TROUBLES, ids=lambda kind: kind.__name__)
def test_trouble_is_ours_and_worth_another_try(kind):
    answer = _answered(kind)
    assert answer.status_code >= 500
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_what_does_not_exist_is_not_found(kind):
    assert (_answered(kind).status_code == 404) is issubclass(kind, NotFound)


def test_the_table_names_every_error_that_a_request_can_meet():
    assert set(STATUS) >= {kind for kind in (*REFUSALS, *TROUBLES) if not kind.__subclasses__()}
    assert set(STATUS.values()) <= set(TITLES)


def _trees():
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def test_no_answer_is_ever_raised():
    raised = [
        f"{path}:{node.lineno}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and ast.unparse(node.exc).startswith(("HTTP", "httpexceptions.", "Response"))
    ]
    assert raised == []


def _statuses_set_in(tree: ast.AST) -> set[int]:
    """What is assigned to `status` or `status_code`, or given as the argument `status`."""
    values = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(getattr(target, "attr", "").startswith("status") for target in node.targets)
    ]
    values += [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "status"
    ]
    return {value.value for value in values if isinstance(value, ast.Constant)}


def test_the_statuses_of_refusals_are_decided_in_one_module():
    by_module = {str(path): _statuses_set_in(tree) for path, tree in _trees()}
    assert any(by_module.values()), "nobody sets a status: this test would prove nothing"
    by_module.pop("web/errors.py")
    assert not {path for path, found in by_module.items() if found & set(STATUS.values())}
