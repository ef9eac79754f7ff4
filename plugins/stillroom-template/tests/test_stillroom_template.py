"""The plugin alone: entries of the journal go in, requests come out."""

from datetime import UTC, datetime

import httpx
import pytest

import stillroom_template
from stillroom_server.plugin.api import Event, EventKind, IndexName, JournalEntry, user_name

URL = "http://chat.test/hook"


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """What was posted: URL and JSON. It is answered with 204."""
    requests: list[tuple[str, object]] = []

    def post(url: str, *, json: object, timeout: float) -> httpx.Response:
        assert timeout <= 5
        requests.append((url, json))
        return httpx.Response(204, request=httpx.Request("POST", url))

    monkeypatch.setattr(httpx, "post", post)
    monkeypatch.setenv(stillroom_template.URL_VARIABLE, URL)
    return requests


def entry(kind: EventKind) -> JournalEntry:
    """An entry of the journal about a file."""
    event = Event(
        kind,
        actor=user_name("dev"),
        index=IndexName.parse("dev/release"),
        details={"filename": "example-1.0.tar.gz", "version": "1.0"},
    )
    return JournalEntry(serial=8, position=0, at=datetime.now(UTC), event=event)


def test_a_new_file_is_posted(posted: list[tuple[str, object]]) -> None:
    """With all that the entry says of it."""
    stillroom_template.stillroom_event(entry(EventKind.FILE_ADDED))

    assert posted == [
        (
            URL,
            {
                "serial": 8,
                "position": 0,
                "event": "file-added",
                "by": "dev",
                "index": "dev/release",
                "project": None,
                "filename": "example-1.0.tar.gz",
                "version": "1.0",
            },
        )
    ]


def test_other_events_are_passed_over(posted: list[tuple[str, object]]) -> None:
    """A yank is no news."""
    stillroom_template.stillroom_event(entry(EventKind.FILE_YANKED))

    assert posted == []


def test_nothing_is_posted_without_a_url(
    posted: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed plugin that is not configured does nothing."""
    monkeypatch.delenv(stillroom_template.URL_VARIABLE)

    stillroom_template.stillroom_event(entry(EventKind.FILE_ADDED))

    assert posted == []


def test_a_refusal_is_raised_so_that_the_server_asks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the hook swallows is lost."""

    def refuse(url: str, **_rest: object) -> httpx.Response:
        return httpx.Response(503, request=httpx.Request("POST", url))

    monkeypatch.setattr(httpx, "post", refuse)
    monkeypatch.setenv(stillroom_template.URL_VARIABLE, URL)

    with pytest.raises(httpx.HTTPStatusError):
        stillroom_template.stillroom_event(entry(EventKind.FILE_ADDED))
