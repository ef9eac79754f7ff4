"""Rows to put into a database: what a test does not care about has a value already."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from stillroom_server.domain.distributions import FileType
from stillroom_server.domain.files import NewFile, Project
from stillroom_server.domain.identity import Token, TokenKind, User
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName, UserName
from stillroom_server.services.ports import Unit

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
DEV = UserName("dev")


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def a_user(name: str = "dev", **values: Any) -> User:
    return User(id=0, name=UserName(name), **{"password_hash": None, "created": NOW, **values})


def a_token(token_id: str = "t1", **values: Any) -> Token:
    given = {
        "user": DEV,
        "digest": hashlib.sha256(token_id.encode()).digest(),
        "kind": TokenKind.MADE,
        "limits": None,
        "created": NOW,
        "expires": NOW + DAY,
    }
    return Token(id=token_id, **{**given, **values})


def a_new_file(filename: str = "demo-1.0.tar.gz", **values: Any) -> NewFile:
    given = {
        "version": "1.0",
        "filename": filename,
        "key": filename.lower(),
        "filetype": FileType.SDIST,
        "python_tag": "source",
        "sha256": sha256_of(filename),
        "size": 100,
        "requires_python": None,
        "metadata_sha256": None,
        "metadata_size": None,
        "uploaded": NOW,
        "uploader": DEV,
    }
    return NewFile(**{**given, **values})


def ensure_user(unit: Unit, name: str) -> None:
    if unit.users.get(UserName(name)) is None:
        unit.users.add(a_user(name))


def add_stage(unit: Unit, name: str = "dev/base", *bases: str, **options: Any) -> Index:
    """Add a stage, and its user where needed."""
    full = IndexName.parse(name)
    ensure_user(unit, full.user)
    given = {"bases": bases, "volatile": True, **options}
    return unit.indexes.add(full, "stage", given, NOW, has_upstream=False)


def add_mirror(unit: Unit, name: str = "root/mirror") -> Index:
    """Add a mirror, and its user where needed."""
    full = IndexName.parse(name)
    ensure_user(unit, full.user)
    options = {"mirror_url": "http://127.0.0.1/simple/", "mirror_cache_expiry": 600}
    return unit.indexes.add(full, "mirror", options, NOW, has_upstream=True)


def add_project(unit: Unit, index: Index, name: str = "demo") -> Project:
    return unit.projects.ensure(index, ProjectName(name), name.title(), NOW)
