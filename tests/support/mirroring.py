"""A project of root/pypi on an upstream: what tests of mirrors over HTTP ask, in few words."""

import threading
import time

import httpx
import pytest

from .distributions import make_wheel
from .site import JSON, Site

WHEEL = make_wheel("example", "1.0", requires_python=">=3.8")
NEWER = make_wheel("example", "2.0")
PATH = "/root/pypi/simple/example/"
ASKED = "/simple/example/"


def expire(site: Site, seconds: int) -> None:
    """Let pages be fresh for so long."""
    site.root.patch("/root/pypi", json=[f"mirror_cache_expiry={seconds}"])


def ask(site: Site, path: str = PATH, accept: str = JSON) -> httpx.Response:
    """Ask for a page, as a stranger."""
    return site.anonymous.get(path, headers={"Accept": accept})


def short_memories(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Once the event is set, all short-lived memories have run out."""
    passed = threading.Event()
    real = time.monotonic

    def monotonic() -> float:
        return real() + (120 if passed.is_set() else 0)

    for module in ("services.mirrors", "web.simple"):
        monkeypatch.setattr(f"stillroom_server.{module}.time.monotonic", monotonic)
    return passed
