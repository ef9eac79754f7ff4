"""One session for all threads, opened at first use."""

import threading
from typing import TYPE_CHECKING

from stillroom_server.domain.addresses import PrivateUpstreams

from .limits import Limits

if TYPE_CHECKING:
    from .session import Session


class SharedSession:
    """Holds the session of whoever asks upstreams. Safe to share by threads.

    The HTTP library is imported and the session opened by the first `get`.
    """

    def __init__(self, *, user_agent: str, limits: Limits, private: PrivateUpstreams) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._private = private
        self._lock = threading.Lock()
        self._opened: Session | None = None

    def get(self) -> "Session":
        """The session."""
        with self._lock:
            if self._opened is None:
                from .session import Session  # httpx costs start-up time

                self._opened = Session(
                    user_agent=self._user_agent,
                    connect=self._limits.connect,
                    read=self._limits.read,
                    private=self._private,
                )
            return self._opened

    def close(self) -> None:
        """Close all connections; another use opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
