"""The blob store on disk, in the data folder."""

from collections.abc import Sequence
from pathlib import Path

from stillroom_server.plugin.api import BlobStore, BlobStoreKind, hookimpl
from stillroom_server.storage.disk import DiskBlobStore

FOLDER = "files"


@hookimpl
def stillroom_blob_stores() -> Sequence[BlobStoreKind]:
    """Offer the store `disk`."""
    return [BlobStoreKind(name="disk", create=_create, open=_open)]


def _create(data: Path) -> BlobStore:
    return DiskBlobStore.create(data / FOLDER)


def _open(data: Path) -> BlobStore:
    return DiskBlobStore(data / FOLDER)
