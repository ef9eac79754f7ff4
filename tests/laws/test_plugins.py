"""Law 10: built-ins are plugins, registered by the public way."""

import ast
import importlib.metadata
from pathlib import Path

import pluggy

import stillroom_server
from stillroom_server import builtin
from stillroom_server.plugin.manager import ENTRY_POINTS, Plugins
from stillroom_server.plugin.specs import ServerHooks

ROOT = Path(stillroom_server.__file__).parent
MAY_KNOW_BUILT_INS = {"app", "cli", "builtin"}
"""The composition root takes the hasher of passwords from one."""


def test_every_built_in_is_found_by_its_entry_point():
    folder = Path(builtin.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    points = importlib.metadata.distribution("stillroom").entry_points
    ours = {point.name: point.value for point in points if point.group == ENTRY_POINTS}
    assert ours == {name: f"stillroom_server.builtin.{name}" for name in modules}


def test_without_entry_points_there_is_nothing(monkeypatch):
    monkeypatch.setattr(pluggy.PluginManager, "load_setuptools_entrypoints", lambda *_: 0)
    plugins = Plugins()
    assert plugins.names() == []
    assert plugins.index_types() == {}
    assert plugins.listeners() == []
    assert plugins.credentials({"authorization": "Bearer abc"}) is None


def test_nobody_but_the_composition_root_knows_a_built_in():
    knowing = set()
    for path in ROOT.rglob("*.py"):
        layer = path.relative_to(ROOT).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and "builtin" in (node.module or "").split("."):
                knowing.add(layer)
    assert knowing <= MAY_KNOW_BUILT_INS


def test_a_hook_that_filters_would_not_see_who_asks():
    # Pages are shared by all readers of an index.
    for name, hook in vars(ServerHooks).items():
        if name.startswith("stillroom_") and "(filter)" in (hook.__doc__ or ""):
            assert "identity" not in hook.__code__.co_varnames
