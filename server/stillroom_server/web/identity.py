"""Who sends a request."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from stillroom_server.domain.errors import StillroomError
from stillroom_server.domain.identity import NOBODY, Identity

from .environ import IDENTITY
from .services import Services


class EnvironHeaders(Mapping[str, str]):
    """The headers of a WSGI request by lower-case name, looked up only when asked for."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value = self._environ["HTTP_" + name.upper().replace("-", "_")]
        assert isinstance(value, str)
        return value

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _name in self)


def identify(services: Services, environ: dict[str, Any], serial: int | None = None) -> Identity:
    """The identity of a request; raises NotAuthenticated if its credentials are wrong.

    `serial` is the one that the request began with, None where it needed none so far. Raises
    TooManyAttempts where credentials are not looked at. They are looked at once: whoever asks
    again for the same request is told the same.
    """
    if IDENTITY not in environ:
        try:
            environ[IDENTITY] = _identified(services, environ, serial)
        except StillroomError as error:
            environ[IDENTITY] = error
    found = environ[IDENTITY]
    if isinstance(found, StillroomError):
        raise found
    assert isinstance(found, Identity)
    return found


def _identified(services: Services, environ: Mapping[str, Any], serial: int | None) -> Identity:
    credentials = services.credentials(EnvironHeaders(environ))
    if credentials is None:
        return NOBODY
    credentials = replace(credentials, address=environ.get("REMOTE_ADDR"))
    return services.authenticator.identify(credentials, serial)
