"""What mirrors know, in SQL: a row per project that was asked for, not per file upstream."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.domain.upstream import CachedPage, KeptFile, Validators
from stillroom_server.services.ports import FileKey

from . import schema
from .blobs import SqlBlobs
from .documents import read_files, read_seen
from .statements import begins_with, put_row

_pages = schema.mirror_pages
_kept = schema.mirror_files


class SqlMirrorPages:
    """The port `MirrorPages`."""

    def __init__(self, connection: Connection, blobs: SqlBlobs) -> None:
        self._connection = connection
        self._blobs = blobs

    def get(self, index: Index, project: ProjectName) -> CachedPage | None:
        """What the upstream last said of the project."""
        query = select(_pages).where(_pages.c.index_id == index.id, _pages.c.project == project)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return CachedPage(
            project=project,
            files=read_files(row.files),
            exists=row.is_project,
            validators=Validators(row.etag, row.last_modified),
            checked=row.checked,
            seen=read_seen(row.seen),
            status=ProjectStatus(Status(row.status), row.status_reason),
            delisted=read_files(row.delisted),
            source=row.source,
            ranges=row.ranges,
        )

    def put(self, index: Index, page: CachedPage) -> None:
        """Keep what it says now."""
        row = {
            "index_id": index.id,
            "project": page.project,
            "is_project": page.exists,
            "etag": page.validators.etag,
            "last_modified": page.validators.last_modified,
            "checked": page.checked,
            "files": page.files,
            "seen": dict(page.seen),
            "status": page.status.status.value,
            "status_reason": page.status.reason,
            "delisted": page.delisted,
            "source": page.source,
            "ranges": page.ranges,
        }
        put_row(self._connection, _pages, row)

    def touch(self, index: Index, project: ProjectName, checked: datetime) -> None:
        """Note that the upstream confirmed what is kept."""
        statement = update(_pages).where(
            _pages.c.index_id == index.id, _pages.c.project == project
        )
        self._connection.execute(statement.values(checked=checked))

    def expire(self, index: Index) -> None:
        """Make all pages of a mirror as if they had to be asked anew."""
        statement = update(_pages).where(_pages.c.index_id == index.id)
        long_ago = datetime.fromtimestamp(0, UTC)
        self._connection.execute(statement.values(checked=long_ago, etag=None, last_modified=None))

    def names(self, indexes: Sequence[Index], prefix: str = "") -> list[ProjectName]:
        """The projects that exist by the cached pages of these mirrors, sorted, each once.

        With a prefix, those that begin so.
        """
        query = select(_pages.c.project).where(
            _pages.c.index_id.in_([index.id for index in indexes]),
            begins_with(_pages.c.project, prefix),
            _pages.c.is_project,
        )
        in_order = query.distinct().order_by(_pages.c.project)
        return [ProjectName(name) for name in self._connection.scalars(in_order)]

    def delete(self, index: Index, project: ProjectName) -> bool:
        """Forget a project's page and kept files; False if it was not known."""
        forgotten = 0
        for table in (_kept, _pages):
            statement = delete(table).where(
                table.c.index_id == index.id, table.c.project == project
            )
            forgotten += self._connection.execute(statement).rowcount
        return forgotten > 0

    def kept(self, index: Index, project: ProjectName) -> list[KeptFile]:
        """The files of the project whose content is here, by name."""
        query = select(_kept).where(_kept.c.index_id == index.id, _kept.c.project == project)
        rows = self._connection.execute(query.order_by(_kept.c.filename))
        return [_kept_file(row) for row in rows]

    def keep(self, index: Index, project: ProjectName, file: KeptFile) -> None:
        """Note that a file's content is here, and link its blob."""
        self._blobs.link(file.sha256, file.size)
        row = {
            "index_id": index.id,
            "project": project,
            "filename": file.filename,
            "sha256": file.sha256,
            "size": file.size,
            "fetched": file.fetched,
            "used": file.used,
        }
        put_row(self._connection, _kept, row)

    def note_uses(self, uses: Mapping[FileKey, datetime]) -> None:
        """Note when kept files were last used; what is not kept any more is passed over."""
        if not uses:
            return
        moment = bindparam("moment", type_=_kept.c.used.type)
        statement = update(_kept).where(
            _kept.c.index_id == bindparam("of_index"),
            _kept.c.project == bindparam("of_project"),
            _kept.c.filename == bindparam("of_name"),
            # Another process may have noted a later use by now.
            _kept.c.used < moment,
        )
        rows = [
            {
                "of_index": key.index_id,
                "of_project": key.project,
                "of_name": key.filename,
                "moment": used,
            }
            for key, used in uses.items()
        ]
        self._connection.execute(statement.values(used=moment), rows)

    def kept_bytes(self, index: Index) -> int:
        """How many bytes all that is kept of a mirror takes."""
        query = select(func.sum(_kept.c.size)).where(_kept.c.index_id == index.id)
        return int(self._connection.scalar(query) or 0)

    def least_used(self, index: Index, limit: int) -> list[tuple[ProjectName, KeptFile]]:
        """Kept files with their projects, those first that were not used for longest."""
        query = select(_kept).where(_kept.c.index_id == index.id)
        in_order = query.order_by(_kept.c.used, _kept.c.project, _kept.c.filename)
        rows = self._connection.execute(in_order.limit(limit))
        return [(ProjectName(row.project), _kept_file(row)) for row in rows]

    def forget_kept(self, index: Index, project: ProjectName, filename: str) -> bool:
        """Forget that a file's content is here; False if it was not."""
        statement = delete(_kept).where(
            _kept.c.index_id == index.id,
            _kept.c.project == project,
            _kept.c.filename == filename,
        )
        return self._connection.execute(statement).rowcount > 0


def _kept_file(row: Row[Any]) -> KeptFile:
    return KeptFile(row.filename, row.sha256, row.size, row.fetched, row.used)
