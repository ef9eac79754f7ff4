"""Lengths of time, as people type them: `90m`, `12h`, `30d`, `2w`."""

import re
from datetime import UTC, datetime

from .errors import WrongUsage

_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d{1,9})([mhdw])", re.ASCII)


def seconds_in(text: str) -> int:
    """The seconds in a duration; raises WrongUsage. How long is too long is for the server."""
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds == 0:
        raise WrongUsage(f"{text!r} is not a duration: write 90m, 12h, 30d or 2w")
    return seconds


def shown_moment(text: object) -> str:
    """A time of the server (RFC 3339), in UTC and to the minute; as it is if it is none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
