"""What mirrors know, in SQL: a row per project that was asked for, not per file upstream."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select, update

from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import ProjectName
from stillroom_server.domain.upstream import CachedPage, KeptFile, Validators

from . import schema
from .blobs import SqlBlobs
from .documents import read_files, read_seen
from .statements import put_row

_pages = schema.mirror_pages
_kept = schema.mirror_files
_names = schema.mirror_names


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
        }
        put_row(self._connection, _pages, row)

    def touch(self, index: Index, project: ProjectName, checked: datetime) -> None:
        """Note that the upstream confirmed what is kept."""
        statement = update(_pages).where(
            _pages.c.index_id == index.id, _pages.c.project == project
        )
        self._connection.execute(statement.values(checked=checked))

    def expire(self, index: Index) -> None:
        """Make all pages of a mirror, and its list of names, as if they had to be asked anew."""
        statement = update(_pages).where(_pages.c.index_id == index.id)
        long_ago = datetime.fromtimestamp(0, UTC)
        self._connection.execute(statement.values(checked=long_ago, etag=None, last_modified=None))
        self._connection.execute(delete(_names).where(_names.c.index_id == index.id))

    def names(self, indexes: Sequence[Index]) -> list[ProjectName]:
        """The projects that exist by the cached pages of these mirrors, sorted, each once."""
        query = (
            select(_pages.c.project)
            .where(_pages.c.index_id.in_([index.id for index in indexes]), _pages.c.is_project)
            .distinct()
            .order_by(_pages.c.project)
        )
        return [ProjectName(name) for name in self._connection.scalars(query)]

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
        return [KeptFile(row.filename, row.sha256, row.size, row.fetched) for row in rows]

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
        }
        put_row(self._connection, _kept, row)

    def forget_kept(self, index: Index, project: ProjectName, filename: str) -> bool:
        """Forget that a file's content is here; False if it was not."""
        statement = delete(_kept).where(
            _kept.c.index_id == index.id,
            _kept.c.project == project,
            _kept.c.filename == filename,
        )
        return self._connection.execute(statement).rowcount > 0

    def get_names(self, index: Index) -> tuple[list[ProjectName], datetime] | None:
        """The upstream's list of all names as last fetched, and when; None if it never was."""
        query = select(_names).where(_names.c.index_id == index.id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.names, row.fetched)

    def put_names(self, index: Index, names: Sequence[ProjectName], fetched: datetime) -> None:
        """Keep the upstream's list of all names."""
        row = {"index_id": index.id, "names": list(names), "fetched": fetched}
        put_row(self._connection, _names, row)
