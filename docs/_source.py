"""Reads classes from their source, for the reference pages.

Annotations stand as they are written, because how Python prints them differs by version. The
string below a field or member is its documentation.
"""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a class or a member of an enumeration, with the string that stands below it."""

    name: str
    annotation: str
    doc: str


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its name, its signature without `self`, and its docstring."""

    name: str
    signature: str
    doc: str


def members(cls: type) -> list[Member]:
    """The fields or members of a class, in the order of the source."""
    return [
        Member(target.id, _type(annotation), _string(following))
        for statement, following in itertools.pairwise([*_body(cls), ast.Pass()])
        for target, annotation in _targets(statement)
    ]


def methods(cls: type) -> list[Method]:
    """The methods of a class, in the order of the source."""
    return [
        Method(statement.name, _signature(statement), ast.get_docstring(statement) or "")
        for statement in _body(cls)
        if isinstance(statement, ast.FunctionDef)
    ]


def _body(cls: type) -> list[ast.stmt]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    return definition.body


def _targets(statement: ast.stmt) -> Iterator[tuple[ast.Name, ast.expr | None]]:
    match statement:
        case ast.AnnAssign(target=ast.Name() as target, annotation=annotation):
            yield target, annotation
        case ast.Assign(targets=[ast.Name() as target]):
            yield target, None


def _string(statement: ast.stmt) -> str:
    match statement:
        case ast.Expr(value=ast.Constant(value=str() as text)):
            return inspect.cleandoc(text)
    return ""


def _signature(function: ast.FunctionDef) -> str:
    arguments = [
        f"{argument.arg}: {_type(argument.annotation)}" for argument in function.args.args[1:]
    ]
    return f"{function.name}({', '.join(arguments)}) -> {_type(function.returns)}"


def _type(annotation: ast.expr | None) -> str:
    match annotation:
        case None:
            return ""
        case ast.Constant(value=str() as quoted):
            return quoted
    return ast.unparse(annotation)
