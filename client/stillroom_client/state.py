"""What the client remembers between two commands: `client.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

from . import files
from .addresses import IndexName
from .errors import LocalTrouble, WrongUsage

FILE_NAME = "client.json"


@dataclass(frozen=True, slots=True)
class State:
    """The server, user and index in use. It holds no secret.

    `url` is the root URL of the server, without a last slash.
    """

    url: str | None = None
    user: str | None = None
    index: IndexName | None = None

    def at(self, url: str) -> "State":
        """This state moved to a server: user and index belong to the one they were chosen at."""
        return self if url == self.url else State(url=url)


def load(folder: Path) -> State:
    """Read the state; an empty one if nothing was ever chosen. Raises LocalTrouble."""
    path = folder / FILE_NAME
    content = files.read(path)
    if content is None:
        return State()
    try:
        stored = json.loads(content)
        url, user, index = stored["url"], stored["user"], stored["index"]
        return State(url, user, IndexName.parse(index) if index else None)
    except (ValueError, KeyError, TypeError, AttributeError, WrongUsage):
        raise LocalTrouble(f"{path} is damaged: delete it and run `stillroom use URL`") from None


def save(folder: Path, state: State) -> None:
    """Write the state; raises LocalTrouble."""
    stored = {
        "url": state.url,
        "user": state.user,
        "index": str(state.index) if state.index else None,
    }
    files.write(folder / FILE_NAME, json.dumps(stored, indent=2).encode() + b"\n", private=True)
