"""No line of the log can be forged by what a client sends."""

import logging

import pytest

from stillroom_server.app.log_lines import LineFormatter
from stillroom_server.app.settings import LoadedSettings, Settings
from stillroom_server.cli import serving

FORGED = "x\n2026-01-31 10:39:12,000 INFO root: all is well\r\x1b[2K\x9b\u2028\u202e\ud800"


def _formatted(*, error: Exception | None = None, stack: str | None = None) -> str:
    info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "stillroom", logging.WARNING, __file__, 1, "%s", (FORGED,), info, sinfo=stack
    )
    return LineFormatter().format(record)


def test_a_message_is_one_line_that_can_be_read() -> None:
    line = _formatted()
    assert line.isprintable()
    assert line.endswith(
        r" WARNING stillroom: x\n2026-01-31 10:39:12,000 INFO root: all is well"
        r"\r\x1b[2K\x9b\u2028\u202e\ud800"
    )


@pytest.mark.parametrize("text", ["plain", "Zoë — ☃ 名前"])
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    record = logging.LogRecord("stillroom", logging.INFO, __file__, 1, text, (), None)
    assert LineFormatter().format(record).endswith(f"INFO stillroom: {text}")


def test_what_follows_a_line_is_indented() -> None:
    for text in (_formatted(error=ValueError(FORGED)), _formatted(stack=FORGED)):
        first, *rest = text.split("\n")
        assert "WARNING stillroom:" in first
        assert rest
        for line in rest:
            assert line.startswith("    ")
            assert line.isprintable()


def test_a_server_writes_its_log_so(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[logging.Handler] = []
    monkeypatch.setattr(logging, "basicConfig", lambda **given: handlers.extend(given["handlers"]))
    serving._configure_logging(LoadedSettings(Settings(), {}))
    assert [type(handler.formatter) for handler in handlers] == [LineFormatter]
