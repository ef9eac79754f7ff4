"""Writes the reference pages anew from the code: `python docs/reference.py [--check]`.

With `--check` nothing is written; the pages that differ from the code are named, and the exit
status is 1. One function below writes one page. `PAGES` is the list of them.
"""

import argparse
import inspect
import re
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import click

from _source import members, methods
from stillroom_client import hookspecs as client_hooks
from stillroom_client.main import command_line
from stillroom_client.plugins import Plugins as ClientPlugins
from stillroom_server.app import settings as server_settings
from stillroom_server.builtin import mirror, stage
from stillroom_server.cli.main import cli as server_command
from stillroom_server.domain.access import Permission
from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.plugin import specs as server_hooks
from stillroom_server.web.routes import ROUTES, Route, View

FOLDER = Path(__file__).parent / "reference"
CONFORMANCE = Path(__file__).parents[1] / "tests" / "conformance" / "items.py"
HELP_WIDTH = 88
"""Columns of the help texts."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its title, one sentence on what it is for, and what writes its body."""

    title: str
    summary: str
    body: Callable[[], str]


# Markdown


def cell(text: object) -> str:
    """Text that may stand in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, without the columns that are empty throughout."""
    cells = [[cell(value) for value in row] for row in rows]
    shown = [i for i in range(len(header)) if any(row[i] for row in cells)]
    lines = [header, ["---"] * len(header), *cells]
    return "".join("| " + " | ".join(line[i] for i in shown) + " |\n" for line in lines)


def code(text: object) -> str:
    """Text as code, or nothing for nothing."""
    return f"`{text}`" if text not in {None, ""} else ""


def value(default: object) -> str:
    """The default of a setting or an option, as one would type it."""
    match default:
        case bool():
            return code(str(default).lower())
        case tuple():
            return code(",".join(default))
    return code(default)


def introduction(module: ModuleType) -> str:
    """The docstring of a module after its first sentence, which the page's summary replaces."""
    return re.sub(r"\A.*?\.\s+", "", inspect.cleandoc(module.__doc__ or ""), flags=re.DOTALL)


# The pages


def settings() -> str:
    """The settings of the server."""
    rows = [
        (
            code(setting.name),
            code(setting.flag),
            code(setting.variable),
            setting.kind,
            value(setting.default),
            setting.help + (" It is a secret and never shown." if setting.secret else ""),
        )
        for setting in server_settings.declared()
    ]
    header = ("setting", "flag", "environment", "kind", "default", "meaning")
    where = (
        f"The file is the one that `--config` or `{server_settings.CONFIG_VARIABLE}` names, else "
        f"`{server_settings.CONFIG_FILE}` in the data folder if it is there."
    )
    return f"{introduction(server_settings)}\n\n{where}\n\n{table(header, rows)}"


def server_cli() -> str:
    """The command line that runs a server."""
    return command_page(server_command, "stillroom-server")


def client_cli() -> str:
    """The command line of users."""
    return command_page(command_line(ClientPlugins(_no_plugin_may_fail)), "stillroom")


def _no_plugin_may_fail(message: str) -> None:
    raise RuntimeError(message)


def command_page(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    """A command and all below it, as its own help has them."""
    shape = {**command.context_settings, "terminal_width": HELP_WIDTH}
    context = click.Context(command, parent, name, **shape)
    heading = f"{'#' * (context.command_path.count(' ') + 2)} `{context.command_path}`"
    parts = [f"{heading}\n\n```text\n{command.get_help(context)}\n```"]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, "it is in the list"
            parts.append(command_page(found, child, context))
    return "\n\n".join(parts)


def options() -> str:
    """The options of an index, by its type."""
    parts = []
    for index_type in (*stage.stillroom_index_types(), *mirror.stillroom_index_types()):
        rows = [
            (code(option.name), option.kind, value(option.default), option.help)
            for option in index_type.options
        ]
        shown = table(("option", "kind", "default", "meaning"), rows)
        parts.append(f"## `type={index_type.name}`\n\n{shown}")
    return "\n".join(parts)


def http() -> str:
    """The addresses of the server, and the permissions that they ask for."""
    addresses = [
        (", ".join(view.methods), code(_path(route)), code(view.permission.value), _does(view))
        for route in ROUTES
        for view in route.views
    ]
    permissions = [
        (code(Permission[member.name].value), member.doc) for member in members(Permission)
    ]
    return (
        "`+simple` means the same as `simple`; `[/]` is a slash that may be left out.\n\n"
        f"{table(('method', 'address', 'permission', 'what it does'), addresses)}\n"
        f"## Permissions\n\n{table(('permission', 'what it is for'), permissions)}"
    )


def _path(route: Route) -> str:
    shown = {"slash": "[/]", "form": "simple"}
    return re.sub(
        r"\{(\w+)(?::[^}]*)?\}", lambda part: shown.get(part[1], f"{{{part[1]}}}"), route.pattern
    )


def _does(view: View) -> str:
    sentence = inspect.cleandoc(view.view.__doc__ or "").partition("\n\n")[0]
    return sentence + (f" The body is `{view.content_type}`." if view.content_type else "")


def hooks() -> str:
    """Every hook of server and client with its kind; one without a kind is an error."""
    parts = [f"## Server\n\n{introduction(server_hooks)}", *_hooks(server_hooks.ServerHooks)]
    parts += [f"## Client\n\n{introduction(client_hooks)}", *_hooks(client_hooks.Hooks)]
    return "\n\n".join(parts)


def _hooks(cls: type) -> list[str]:
    parts = []
    for hook in methods(cls):
        if not re.search(r"(\(|Kind: )(first answer|collect|filter|veto|notify)\b", hook.doc):
            raise ValueError(f"{hook.name}: the docstring does not say of which kind it is")
        parts.append(f"### `{hook.name}`\n\n```python\n{hook.signature}\n```\n\n{hook.doc}")
    return parts


def events() -> str:
    """What listeners are told."""
    kinds = [(code(EventKind[member.name].value), member.doc) for member in members(EventKind)]
    parts = [f"## Kinds\n\n{table(('kind', 'what happened'), kinds)}"]
    for thing in (Event, JournalEntry):
        fields = [(code(m.name), code(m.annotation), m.doc) for m in members(thing)]
        shown = table(("field", "type", "meaning"), fields)
        parts.append(f"## {thing.__name__}\n\n{inspect.getdoc(thing)}\n\n{shown}")
    return "\n".join(parts)


def conformance() -> str:
    """The conformance suite: how to run it, its items, and those that it leaves out."""
    body: str = runpy.run_path(str(CONFORMANCE))["page"]()
    return body


PAGES: Mapping[str, Page] = {
    "settings": Page("Settings", "What can be set on a server, and where.", settings),
    "server-cli": Page("stillroom-server", "The command that runs a server.", server_cli),
    "client-cli": Page("stillroom", "The command for users and administrators.", client_cli),
    "options": Page("Options of an index", "What can be set on an index, by its type.", options),
    "http": Page("HTTP", "Every address, with the permission that it asks for.", http),
    "hooks": Page("Hooks", "What a plugin may answer.", hooks),
    "events": Page("Events", "What listeners are told, after the commit.", events),
    "conformance": Page(
        "Conformance", "What is checked of an index server, of ours and of any other.", conformance
    ),
}

SEEN = {
    "clients": ("Clients", "What pip, uv, twine, poetry, pdm, hatch and flit were seen to do."),
    "statuses": ("Statuses", "What installers and publishing tools make of each status."),
}
"""Title and summary of the pages that test runs write, from what they saw."""


# Writing and checking


def index() -> str:
    """The page that lists the others."""
    listed = {name: (page.title, page.summary) for name, page in PAGES.items()} | SEEN
    rows = [(f"[{title}]({name}.md)", summary) for name, (title, summary) in listed.items()]
    names = "\n".join(listed)
    toctree = f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    return f"# Reference\n\n{table(('page', 'what it says'), rows)}\n{toctree}"


def rendered() -> dict[str, str]:
    """All pages by the name of their file."""
    note = "<!-- Written by docs/reference.py from the code, with `make reference`. -->\n"
    pages = {
        f"{name}.md": f"{note}\n# {page.title}\n\n{page.summary}\n\n{page.body().rstrip()}\n"
        for name, page in PAGES.items()
    }
    return {"index.md": f"{note}\n{index()}", **pages}


def stale(pages: Mapping[str, str], folder: Path) -> list[str]:
    """The files that differ from what the code says, are missing, or belong to nothing."""
    found = {
        path.name: path.read_text("utf-8") for path in folder.glob("*.md") if path.stem not in SEEN
    }
    return sorted(name for name in {*pages, *found} if pages.get(name) != found.get(name))


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description="Write the reference pages from the code.")
    parser.add_argument("--check", action="store_true", help="name stale pages, write nothing")
    check = parser.parse_args().check
    pages = rendered()
    names = stale(pages, FOLDER)
    for name in names:
        path = FOLDER / name
        print(f"{'stale' if check else 'written'}: docs/reference/{name}")
        if check:
            continue
        if name in pages:
            path.write_text(pages[name], "utf-8")
        else:
            path.unlink()
    if check and names:
        print("Run `make reference` and commit the result.", file=sys.stderr)
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main())
