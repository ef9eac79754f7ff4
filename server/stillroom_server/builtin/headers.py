"""Credentials from the headers that installers, uploaders and devpi's clients send."""

import base64
import binascii
from collections.abc import Mapping

from stillroom_server.plugin.api import Credentials, NotAuthenticated, hookimpl

TOKEN_USER = "__token__"  # noqa: S105 - the user name that stands for "the password is a token"
DEVPI_HEADER = "x-devpi-auth"


@hookimpl
def stillroom_credentials(headers: Mapping[str, str]) -> Credentials | None:
    """Read `X-Devpi-Auth`, then `Authorization` with Basic (RFC 7617) or Bearer (RFC 6750)."""
    devpi = headers.get(DEVPI_HEADER)
    if devpi:
        return _pair(devpi)
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _pair(value)
    if scheme.lower() in {"bearer", "token"} and value.strip():
        return Credentials(user=None, secret=value.strip())
    return None


def _pair(encoded: str) -> Credentials | None:
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise NotAuthenticated("The credentials are not base64, as Basic needs them.") from None
    text = _text(decoded)
    user, colon, secret = text.partition(":")
    if not colon:
        raise NotAuthenticated("The credentials have no colon between user and password.")
    if not user and not secret:
        return None
    if user == TOKEN_USER:
        return Credentials(user=None, secret=secret)
    if not secret or not user:
        # `https://TOKEN@host/` in a URL: the token stands where the name does.
        return Credentials(user=None, secret=user or secret)
    return Credentials(user=user, secret=secret)


def _text(decoded: bytes) -> str:
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        return decoded.decode("latin-1")
