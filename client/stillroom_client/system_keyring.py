"""The keyring of the system, guarded: it may be missing, locked, broken or waiting for a person.

The library `keyring` is optional and imported late.
"""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from .errors import LocalTrouble
from .secret import Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

# Long enough for a person to type the password of a locked keyring.
PATIENCE_SECONDS = 60.0

Result = TypeVar("Result")


class SystemKeyring:
    """The keyring that the library `keyring` chooses on this machine."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience

    def is_usable(self) -> bool:
        """Whether there is a keyring that keeps what it is given.

        `keyring` answers with a backend of priority 0 or less where there is none (`fail`), or
        where somebody switched it off (`null`).
        """
        try:
            return self._guarded(lambda: _backend().priority >= 1)
        except (ImportError, LocalTrouble):
            return False

    def get(self, service: str, user: str) -> Secret | None:
        """The secret; None if there is none. Raises LocalTrouble."""
        value = self._guarded(lambda: _backend().get_password(service, user))
        return None if value is None else Secret(value)

    def set(self, service: str, user: str, secret: Secret) -> None:
        """Keep a secret. Raises LocalTrouble."""
        self._guarded(lambda: _backend().set_password(service, user, secret.reveal()))

    def delete(self, service: str, user: str) -> None:
        """Forget a secret, if there is one. Raises LocalTrouble."""
        if self.get(service, user) is not None:
            self._guarded(lambda: _backend().delete_password(service, user))

    def _guarded(self, call: Callable[[], Result]) -> Result:
        # A thread, because a locked keyring without a screen to ask on never answers; a daemon,
        # so that it cannot keep the process alive.
        answers: SimpleQueue[Result | Exception] = SimpleQueue()

        def work() -> None:
            try:
                answers.put(call())
            except Exception as error:  # noqa: BLE001 - backends raise what their system raises
                answers.put(error)

        Thread(target=work, daemon=True).start()
        try:
            answer = answers.get(timeout=self._patience)
        except Empty:
            raise LocalTrouble(
                "the system's keyring does not answer; to do without it, set "
                "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring"
            ) from None
        if isinstance(answer, ImportError):
            raise answer
        if isinstance(answer, Exception):
            raise LocalTrouble(f"the system's keyring fails: {answer}") from answer
        return answer


def _backend() -> "KeyringBackend":
    import keyring

    return keyring.get_keyring()
