"""Doing the steps of a plan, one request each, and saying how far that went."""

from collections.abc import Callable, Iterator, Sequence

from ..addresses import IndexName
from ..errors import ClientError
from ..server import Server
from .compare import Kind, Plan, Step


class Interrupted(ClientError):
    """A step failed: what was done before it stays, what follows was not tried."""

    def __init__(self, cause: ClientError, done: Sequence[Step], left: Sequence[Step]) -> None:
        self.cause = cause
        lines = [str(cause), *_listed("done", done), *_listed("not done", left)]
        super().__init__("\n".join([*lines, "the same command goes on from there"]))


def _listed(label: str, steps: Sequence[Step]) -> list[str]:
    return [f"{label}: {step}" for step in steps] or [f"{label}: nothing"]


def apply(server: Server, plan: Plan) -> Iterator[Step]:
    """Do the steps in their order; each comes out when it is done. Raises Interrupted."""
    for number, step in enumerate(plan.steps):
        try:
            _DOERS[step.kind](server, step)
        except ClientError as error:
            raise Interrupted(error, plan.steps[:number], plan.steps[number:]) from error
        yield step


def _user(server: Server, step: Step) -> None:
    if step.is_new:
        server.create_user(step.name, step.fields, None)
    else:
        server.change_user(step.name, step.fields, None)


def _group(server: Server, step: Step) -> None:
    if step.is_new:
        server.create_group(step.name, step.fields)
    else:
        server.change_group(step.name, step.fields)


def _index(server: Server, step: Step) -> None:
    name = IndexName.parse(step.name)
    if step.is_new:
        server.create_index(name, step.fields)
    else:
        server.set_options(name, step.fields)


def _owners(server: Server, step: Step) -> None:
    server.set_owners(IndexName.parse(step.name), step.project, step.fields["owners"])


_DOERS: dict[Kind, Callable[[Server, Step], None]] = {
    Kind.USER: _user,
    Kind.GROUP: _group,
    Kind.INDEX: _index,
    Kind.OWNERS: _owners,
}
