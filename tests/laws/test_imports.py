"""Law 12: no work at import time, and nothing that the first page does not need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

WATCHED_IMPORT = """
import importlib, json, os, pkgutil, sys, threading

WORK = ("socket.bind", "socket.connect", "subprocess.Popen", "os.system", "os.mkdir", "os.rename",
        "os.remove", "sqlite3.connect", "_thread.start_new_thread")
done = []

def watch(event, arguments):
    if event == "open":
        path, _mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            done.append(f"open {path}")
    elif event in WORK:
        done.append(f"{event} {arguments}")

sys.addaudithook(watch)
imported = []
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        # Alembic runs these two; nobody imports them.
        if module.name.startswith(("stillroom_migrations.env", "stillroom_migrations.versions")):
            continue
        importlib.import_module(module.name)
        imported.append(module.name)
print(json.dumps({"done": done, "imported": imported, "threads": threading.active_count()}))
"""

BUDGET = """
import sys
import {module}
unwanted = {unwanted!r}
print(*sorted(name for name in unwanted if name in sys.modules))
"""


def _python(code: str, *arguments: str, cwd: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        cwd=cwd,
        env={"HOME": str(cwd), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    "package", ["stillroom_server", "stillroom_client", "stillroom_migrations"]
)
def test_importing_a_module_does_nothing(tmp_path, package):
    seen = json.loads(_python(WATCHED_IMPORT, package, cwd=tmp_path))
    assert seen["done"] == []
    assert seen["threads"] == 1
    assert list(tmp_path.iterdir()) == []
    assert package == "stillroom_migrations" or len(seen["imported"]) > 10


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("stillroom_server.app.start", ["httpx", "alembic", "pypi_simple", "argon2", "bs4"]),
        ("stillroom_server.cli.main", ["pyramid", "sqlalchemy", "waitress", "httpx", "alembic"]),
        ("stillroom_client.main", ["keyring", "build", "rich", "stillroom_server"]),
    ],
)
def test_starting_does_not_wait_for_what_comes_later(tmp_path, module, unwanted):
    code = BUDGET.format(module=module, unwanted=unwanted)
    assert _python(code, cwd=tmp_path).split() == []
