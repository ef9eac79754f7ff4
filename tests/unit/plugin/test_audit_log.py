"""The audit log: one line of JSON for each committed change."""

import json
import logging

import pytest

from stillroom_server.builtin import audit_log
from stillroom_server.domain.events import Event, EventKind, JournalEntry
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from support.rows import NOW


def _line(caplog, event):
    with caplog.at_level(logging.INFO, logger="stillroom.audit"):
        audit_log.stillroom_event(JournalEntry(7, 0, NOW, event))
    [record] = caplog.records
    assert "\n" not in record.getMessage()
    return json.loads(record.getMessage())


def test_a_line_says_who_did_what_to_what(caplog):
    event = Event(
        EventKind.FILE_ADDED,
        UserName("dev"),
        index=IndexName.parse("dev/base"),
        project=ProjectName("demo"),
        details={"filename": "demo-1.0.tar.gz"},
        token="0a1b2c",
        address="192.0.2.7",
        request="r1",
    )
    assert _line(caplog, event) == {
        "serial": 7,
        "at": NOW.isoformat(),
        "event": "file-added",
        "actor": "dev",
        "index": "dev/base",
        "project": "demo",
        "token": "0a1b2c",
        "address": "192.0.2.7",
        "request": "r1",
        "filename": "demo-1.0.tar.gz",
    }


@pytest.mark.parametrize("reason", ["two\nlines", 'a "quote"', "\x1b[31mred", "\N{SNOWMAN}"])
def test_whatever_a_detail_holds_it_stays_one_line(caplog, reason):
    event = Event(EventKind.FILE_YANKED, details={"reason": reason})
    assert _line(caplog, event)["reason"] == reason
