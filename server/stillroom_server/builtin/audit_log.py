"""Writes every committed change as one line of JSON to the logger `stillroom.audit`."""

import json
import logging

from stillroom_server.plugin.api import JournalEntry, hookimpl

log = logging.getLogger("stillroom.audit")


@hookimpl
def stillroom_event(entry: JournalEntry) -> None:
    """Write one line; JSON escapes whatever a name may hold."""
    event = entry.event
    line = {
        "serial": entry.serial,
        "at": entry.at.isoformat(),
        "event": event.kind,
        "actor": event.actor,
        "user": event.user,
        "index": str(event.index) if event.index else None,
        "project": event.project,
        "token": event.token,
        "address": event.address,
        "request": event.request,
        **event.details,
    }
    log.info("%s", json.dumps({key: value for key, value in line.items() if value is not None}))
