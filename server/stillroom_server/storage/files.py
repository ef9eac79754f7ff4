"""Files of stages in SQL."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from stillroom_server.domain.distributions import FileType
from stillroom_server.domain.errors import Conflict
from stillroom_server.domain.files import File, NewFile, Project, Yanked
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, ProjectName

from . import schema
from .blobs import SqlBlobs
from .statements import insert_new, put_row

_files = schema.files
_projects = schema.projects
_deleted = schema.deleted_files


class SqlFiles:
    """The port `Files`."""

    def __init__(self, connection: Connection, blobs: SqlBlobs) -> None:
        self._connection = connection
        self._blobs = blobs

    def of_project(self, index: Index, name: ProjectName) -> list[File]:
        """All files of a project in one stage, oldest first."""
        # Not by the index of the file: that could lead through all files of the index.
        return self._select(index, _projects.c.index_id == index.id, _projects.c.name == name)

    def get(self, index: Index, filename: str) -> File | None:
        """The file of exactly that name."""
        found = self._select(index, _files.c.index_id == index.id, _files.c.filename == filename)
        return found[0] if found else None

    def by_key(self, index: Index, key: str) -> File | None:
        """The file that is the same artefact under any spelling."""
        found = self._select(index, _files.c.index_id == index.id, _files.c.key == key)
        return found[0] if found else None

    def add(self, project: Project, file: NewFile) -> File:
        """Add a file and link its blobs; Conflict if its key is taken or the project is gone."""
        self._blobs.link(file.sha256, file.size)
        if file.metadata_sha256 is not None and file.metadata_size is not None:
            self._blobs.link(file.metadata_sha256, file.metadata_size)
        index_id = select(_projects.c.index_id).where(_projects.c.id == project.id)
        row = {
            "project_id": project.id,
            "index_id": index_id.scalar_subquery(),
            **_values(file),
        }
        new_id = insert_new(self._connection, _files, row)
        if new_id is None:
            raise Conflict(f"File already exists: {file.filename} in {project.index}")
        own = {field.name: getattr(file, field.name) for field in dataclasses.fields(file)}
        return File(id=new_id, index=project.index, project=project.name, **own)

    def delete(self, file: File, deleted: datetime) -> None:
        """Delete it and remember that its name was used. Its release and project stay."""
        gone = delete(_files).where(_files.c.id == file.id).returning(_files.c.index_id)
        index_id = self._connection.execute(gone).scalar_one_or_none()
        if index_id is not None:
            row = {"index_id": index_id, "key": file.key, "deleted": deleted}
            put_row(self._connection, _deleted, row)

    def was_deleted(self, index: Index, key: str) -> bool:
        """Whether a file of that key was in the index once and was deleted."""
        query = select(_deleted.c.key).where(
            _deleted.c.index_id == index.id, _deleted.c.key == key
        )
        return self._connection.scalar(query) is not None

    def set_yanked(self, files: Sequence[File], yanked: Yanked) -> None:
        """Yank or unyank."""
        ids = [file.id for file in files]
        statement = update(_files).where(_files.c.id.in_(ids))
        self._connection.execute(statement.values(yanked=_yanked_column(yanked)))

    def _select(self, index: Index, *conditions: ColumnElement[bool]) -> list[File]:
        query = (
            select(_files, _projects.c.name.label("project_name"))
            .join(_projects, _projects.c.id == _files.c.project_id)
            .where(*conditions)
            .order_by(_files.c.id)
        )
        return [_file(index.name, row) for row in self._connection.execute(query)]


def _yanked_column(yanked: Yanked) -> str | None:
    if yanked is False:
        return None
    return "" if yanked is True else yanked


def _values(file: NewFile) -> dict[str, Any]:
    return {
        "version": file.version,
        "filename": file.filename,
        "key": file.key,
        "filetype": file.filetype.value,
        "python_tag": file.python_tag,
        "sha256": file.sha256,
        "size": file.size,
        "requires_python": file.requires_python,
        "metadata_sha256": file.metadata_sha256,
        "metadata_size": file.metadata_size,
        "uploaded": file.uploaded,
        "uploader": file.uploader,
        "yanked": _yanked_column(file.yanked),
        "pushed_from": None if file.pushed_from is None else str(file.pushed_from),
    }


def _file(index: IndexName, row: Row[Any]) -> File:
    return File(
        id=row.id,
        index=index,
        project=ProjectName(row.project_name),
        version=row.version,
        filename=row.filename,
        key=row.key,
        filetype=FileType(row.filetype),
        python_tag=row.python_tag,
        sha256=row.sha256,
        size=row.size,
        requires_python=row.requires_python,
        metadata_sha256=row.metadata_sha256,
        metadata_size=row.metadata_size,
        uploaded=row.uploaded,
        uploader=row.uploader,
        yanked=False if row.yanked is None else row.yanked or True,
        pushed_from=None if row.pushed_from is None else IndexName.parse(row.pushed_from),
    )
