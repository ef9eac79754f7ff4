"""The credentials for upstreams, from the settings and from the file that they name."""

import logging
import os
import stat
from pathlib import Path

from stillroom_server.domain.upstream_credentials import UpstreamCredentials

from .settings import Settings, SettingsError

log = logging.getLogger(__name__)


def upstream_credentials(settings: Settings) -> UpstreamCredentials:
    """All that the administrator gave; of two for the same URL, that of the setting counts.

    Raises SettingsError if the file cannot be read, naming the line and never what is in it.
    """
    given = UpstreamCredentials.parse(settings.upstream_credentials)
    if not settings.upstream_credentials_file:
        return given
    in_file = _read(Path(settings.upstream_credentials_file).expanduser())
    return UpstreamCredentials((*given.entries, *in_file.entries))


def _read(path: Path) -> UpstreamCredentials:
    where = f"upstream_credentials_file: {path}"
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise SettingsError(f"{where}: {reason}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{where}: it is not in UTF-8") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("%s can be read by others on this machine: chmod 600 helps", path)
    try:
        return UpstreamCredentials.read(content)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
