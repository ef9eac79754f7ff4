"""Tells a URL of each new file: a Stillroom plugin, and a template for yours."""

import os
from collections.abc import Mapping

import httpx

from stillroom_server.plugin.api import EventKind, JournalEntry, hookimpl

URL_VARIABLE = "STILLROOM_TEMPLATE_URL"

NEW_FILES = frozenset({EventKind.FILE_ADDED, EventKind.FILE_REPLACED, EventKind.FILE_PUSHED})

# Listeners are told one after the other: whoever is slow holds up the others.
SECONDS = 5


@hookimpl
def stillroom_event(entry: JournalEntry) -> None:
    """Post the news; nothing is done without a URL. What goes wrong is raised, for another try."""
    url = os.environ.get(URL_VARIABLE)
    if url and entry.event.kind in NEW_FILES:
        httpx.post(url, json=news(entry), timeout=SECONDS).raise_for_status()


def news(entry: JournalEntry) -> Mapping[str, object]:
    """What is told of an entry; `serial` and `position` are its own, should it come twice."""
    event = entry.event
    return {
        "serial": entry.serial,
        "position": entry.position,
        "event": event.kind,
        "by": event.actor,
        "index": str(event.index),
        "project": event.project,
        **event.details,
    }
