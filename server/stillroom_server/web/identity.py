"""Who sends a request."""

from collections.abc import Iterator, Mapping
from typing import Any

from stillroom_server.domain.identity import Identity

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


def identify(services: Services, environ: Mapping[str, Any]) -> Identity:
    """The identity of a request; raises NotAuthenticated if its credentials are wrong."""
    return services.authenticator.identify(services.credentials(EnvironHeaders(environ)))
