"""Values of the domain: what a test does not care about has a value already."""

import itertools
from typing import Any

from stillroom_server.builtin import mirror, stage
from stillroom_server.domain.indexes import Index, IndexType
from stillroom_server.domain.lineage import Lineage, lineage_of
from stillroom_server.domain.names import IndexName
from stillroom_server.domain.upstream import UpstreamFile

from .rows import NOW, sha256_of

[STAGE] = stage.stillroom_index_types()
[MIRROR] = mirror.stillroom_index_types()
INDEX_TYPES: dict[str, IndexType] = {"stage": STAGE, "mirror": MIRROR}

_ids = itertools.count(1)


def a_stage(name: str = "dev/base", *bases: str, **options: Any) -> Index:
    """A stage with these bases; no access list names anybody unless it is given."""
    given = {"bases": bases, "volatile": True, **options}
    return Index(next(_ids), IndexName.parse(name), "stage", given, NOW)


def a_mirror(name: str = "root/mirror", **options: Any) -> Index:
    """A mirror that everyone may read unless another access list is given."""
    given = {
        "mirror_url": "http://127.0.0.1:9/simple/",
        "mirror_cache_expiry": 600,
        "acl_read": (":ANONYMOUS:",),
        **options,
    }
    return Index(next(_ids), IndexName.parse(name), "mirror", given, NOW, has_upstream=True)


def a_lineage(*indexes: Index) -> Lineage:
    """The lineage of the first index, whose bases are among the others."""
    by_name = {index.name: index for index in indexes}
    return lineage_of(indexes[0], by_name.get)


def an_upstream_file(filename: str = "demo-1.0.tar.gz", **values: Any) -> UpstreamFile:
    """A file on an upstream's page. Its digest is that of its name, not of any content."""
    given = {
        "url": f"http://127.0.0.1:9/files/{filename}",
        "hashes": {"sha256": sha256_of(filename)},
        "size": 100,
    }
    return UpstreamFile(filename, **{**given, **values})
