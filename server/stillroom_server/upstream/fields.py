"""Single fields of an upstream's page. What has the wrong type or form counts as not said."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from stillroom_server.domain.files import Yanked
from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status

_HEX_DIGITS: Mapping[str, int] = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3_224": 56,
    "sha3_256": 64,
    "sha3_384": 96,
    "sha3_512": 128,
    "blake2b": 128,
    "blake2s": 64,
}
"""How long a digest is in hex, for the algorithms that every Python knows."""

_MAX_SIZE = (1 << 63) - 1


def hashes(raw: object) -> dict[str, str]:
    """Digests by algorithm, in lower case; what is unknown or malformed is dropped."""
    if not isinstance(raw, dict):
        return {}
    return {
        algorithm.lower(): digest.lower()
        for algorithm, digest in raw.items()
        if isinstance(digest, str)
        and len(digest) == _HEX_DIGITS.get(algorithm.lower())
        and re.fullmatch(r"[0-9A-Fa-f]+", digest)
    }


def hashes_in(text: str) -> dict[str, str]:
    """The digests in `sha256=…`, as fragments of links and attributes in HTML give them."""
    pairs = (part.partition("=") for part in text.split("&"))
    return hashes({algorithm: digest for algorithm, _, digest in pairs})


def core_metadata(raw: object) -> dict[str, str] | None:
    """The digests of the `.metadata` file: empty where unknown, None where there is none."""
    if raw is True:
        return {}
    return hashes(raw) if isinstance(raw, dict) else None


def size(raw: object) -> int | None:
    """A size in bytes."""
    if isinstance(raw, bool) or not isinstance(raw, int):
        return None
    return raw if 0 <= raw <= _MAX_SIZE else None


def upload_time(raw: object) -> datetime | None:
    """A time (PEP 700), aware, in UTC, which is also meant where no zone is said."""
    if not isinstance(raw, str):
        return None
    try:
        time = datetime.fromisoformat(raw)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def requires_python(raw: object) -> str | None:
    """A version specifier, not judged."""
    return raw.strip() or None if isinstance(raw, str) and raw.isprintable() else None


def yanked(raw: object) -> Yanked:
    """Whether a file is yanked, or why; an empty reason still says that it is."""
    if isinstance(raw, str):
        return raw or True
    return raw is True


def project_status(status: object, reason: object) -> ProjectStatus:
    """A project's status (PEP 792); active where it is none that we know."""
    if not isinstance(status, str) or status not in set(Status):
        return ACTIVE
    text = " ".join(reason.split()) if isinstance(reason, str) else ""
    return ProjectStatus(Status(status), text if text and text.isprintable() else None)
