"""A file that an upstream can list."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Distribution:
    """A wheel or sdist in memory. `metadata` are the bytes of its METADATA or PKG-INFO."""

    filename: str
    content: bytes
    metadata: bytes

    @classmethod
    def from_wheel(cls, path: Path) -> Self:
        """Read a wheel. Raises ValueError unless it holds exactly one `.dist-info/METADATA`."""
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
            if len(found) != 1:
                raise ValueError(f"{path.name} holds {len(found)} METADATA files, not one")
            return cls(path.name, path.read_bytes(), archive.read(found[0]))

    @property
    def sha256(self) -> str:
        """The digest of the file, in hex."""
        return hashlib.sha256(self.content).hexdigest()

    def write_to(self, folder: Path) -> Path:
        """Write the file into a folder; where it is."""
        path = folder / self.filename
        path.write_bytes(self.content)
        return path
