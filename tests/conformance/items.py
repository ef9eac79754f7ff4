"""The checklist: what its items say, which tests check them, and which have none.

The names of the tests begin with the numbers of their items, their docstrings say what the items
ask for. The reference page is made from them.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ITEMS = 150
"""How many items the checklist has."""

_FOLDER = Path(__file__).parent
_TEST = re.compile(r"test_(?P<number>\d{3})_\w+")
_GROUP = re.compile(r"(?P<letter>[A-N])\. (?P<title>[^:]+): items? ")


@dataclass(frozen=True)
class Check:
    """A test of an item: the item's number, what it asks for, and the heading it stands under."""

    number: int
    asks: str
    group: str


@dataclass(frozen=True)
class LeftOut:
    """An item without a test."""

    asks: str
    reason: str


_ATTESTATIONS = (
    "Attestations that come with an upload are not kept yet: the field is ignored, as item 91 "
    "allows. Those of an upstream are passed on (items 36, 92, 147)."
)

LEFT_OUT: Mapping[int, LeftOut] = {
    90: LeftOut(
        "[S] An upload with `attestations` of a valid object: stored, and served as provenance.",
        _ATTESTATIONS,
    ),
}


def checks() -> Iterator[Check]:
    """All tests of the suite, in the order of its files. Raises ValueError for one unnamed."""
    for path in sorted(_FOLDER.glob("test_*.py")):
        module = ast.parse(path.read_text("utf-8"))
        group = _GROUP.match(ast.get_docstring(module) or "")
        if group is None:
            raise ValueError(f"{path.name} does not say which items it is for")
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield _check(node, f"{group['letter']}. {group['title']}")


def _check(function: ast.FunctionDef, group: str) -> Check:
    match = _TEST.fullmatch(function.name)
    asks = ast.get_docstring(function)
    if match is None or asks is None or not asks.startswith(("[S] ", "[s] ", "[C] ", "[P] ")):
        raise ValueError(f"{function.name} does not say its item, or what that asks for")
    return Check(int(match["number"]), " ".join(asks.split()), group)


_INTRODUCTION = """\
`tests/conformance` judges an index server by what it answers over HTTP and to real clients. Its
tests are named after the items of a checklist, which was put together from the standards and from
what clients were seen to need: **S** is a rule of a standard, **s** one of its recommendations,
**C** what a client needs, and **P** a policy that this project chose.

`make conformance` starts a Stillroom and has it judged. Another server is judged by its URL:

```text
make conformance CONFORMANCE_ARGS="--server https://index.example.com \\
    --user ci --password … --index ci/conformance"
```

| option | what it says |
| --- | --- |
| `--server` | the URL of the server |
| `--user`, `--password` | who may read the index and upload to it |
| `--index` | an index that may be filled with small projects, whose names no other run uses |
| `--adapter` | the module that knows the server's addresses and how it is managed |
| `--loopback-mirrors` | the server may mirror an upstream on the loopback of this machine |
| `--trusted-front` | it believes the `X-Forwarded-*` headers of a proxy on this machine |
| `--administrator` | who may have it believe issuers on the loopback of this machine |
| `--server-pid` | its process on this machine, whose memory is watched |
| `--max-file-size` | the largest file that it takes, in bytes |
| `--clients` | the folder with poetry, pdm, hatch, flit and the HTTP/2 proxy: `.clients` |

Without one of the last options the tests that need it are left out, and so are those of what an
adapter cannot do. All options of pytest work as well: `-k test_06` selects, and `-n 2` takes two
workers where the adapter can make indexes, so that they do not disturb each other.

`conformance.stillroom` (the default) can do everything; it needs `private_upstreams` and
`user_mirrors` for mirrors, and `trusted_proxies` for the front. `conformance.plain` is for any
server: its `--index` is two paths under the URL, of the Simple API and of the upload form
(`simple:legacy`), and it reads and uploads only. To yank, delete, set a status, make indexes or
tokens on another server, write a class like `conformance.stillroom.StillroomAdapter` with the
methods of `conformance.adapter.Abilities`.
"""


def page() -> str:
    """The body of the reference page, in Markdown."""
    left_out = [(n, left.asks, left.reason) for n, left in sorted(LEFT_OUT.items())]
    parts = [
        _INTRODUCTION,
        "## Not for us yet",
        _table(("item", "what it asks for", "why there is no test"), left_out),
    ]
    found = list(checks())
    for group in dict.fromkeys(check.group for check in found):
        rows = [(check.number, check.asks) for check in found if check.group == group]
        parts += [f"## {group}", _table(("item", "what it asks for"), sorted(rows))]
    return "\n\n".join(part.rstrip() for part in parts)


def _table(header: tuple[str, ...], rows: list[tuple[int | str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |\n"
        for line in lines
    )
