"""The rows of blobs in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, select, update

from stillroom_server.domain.files import Blob

from . import schema
from .statements import insert_into, insert_new

_blobs = schema.blobs

_REFERENCES = (
    schema.files.c.sha256,
    schema.files.c.metadata_sha256,
    schema.mirror_files.c.sha256,
)


class SqlBlobs:
    """The port `Blobs`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def link(self, sha256: str, size: int) -> None:
        """Make sure the row is there and not doomed."""
        statement = insert_into(self._connection, _blobs).values(sha256=sha256, size=size)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["sha256"],
                set_={"doomed": None},
                where=_blobs.c.doomed.is_not(None),
            )
        )

    def get(self, sha256: str) -> Blob | None:
        """The row."""
        query = select(_blobs).where(_blobs.c.sha256 == sha256)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _blob(row)

    def unreferenced(self) -> list[Blob]:
        """The blobs that nothing refers to and that are not marked yet."""
        query = select(_blobs).where(_blobs.c.doomed.is_(None), _unreferenced())
        return [_blob(row) for row in self._connection.execute(query.order_by("sha256"))]

    def doom_unreferenced(self, now: datetime) -> int:
        """Mark every blob that nothing refers to and that is not marked yet; how many."""
        statement = update(_blobs).where(_blobs.c.doomed.is_(None), _unreferenced())
        return self._connection.execute(statement.values(doomed=now)).rowcount

    def doom_unknown(self, sha256: str, size: int, now: datetime) -> bool:
        """Give content without a row a doomed one; False if there is a row already."""
        row = {"sha256": sha256, "size": size, "doomed": now}
        return insert_new(self._connection, _blobs, row) is not None

    def doomed(self, before: datetime) -> list[Blob]:
        """The blobs marked before that time and still referred to by nothing."""
        query = select(_blobs).where(_blobs.c.doomed < before, _unreferenced())
        return [_blob(row) for row in self._connection.execute(query.order_by("doomed"))]

    def delete(self, sha256: str) -> bool:
        """Delete the row if it is doomed and nothing refers to it; whether it was."""
        statement = delete(_blobs).where(
            _blobs.c.sha256 == sha256, _blobs.c.doomed.is_not(None), _unreferenced()
        )
        return self._connection.execute(statement).rowcount > 0


def _unreferenced() -> ColumnElement[bool]:
    return and_(*(~exists().where(column == _blobs.c.sha256) for column in _REFERENCES))


def _blob(row: Row[Any]) -> Blob:
    return Blob(sha256=row.sha256, size=row.size, doomed=row.doomed)
