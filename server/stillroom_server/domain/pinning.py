"""What becomes of a kept page when its upstream says something new.

The first digest that was seen of a file name is pinned: whatever an upstream says later, a name
stands for the same bytes. Nothing that was ever seen is forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from .names import ProjectName
from .status import ACTIVE, ProjectStatus
from .upstream import CachedPage, Seen, TimeSource, UpstreamFile, Validators


@dataclass(frozen=True, slots=True)
class PageSaid:
    """A page as an upstream just said it. `source` is the upstream's base URL.

    `upstreams` are the base URLs of all that are equivalent to it, in the order in which they are
    asked: those before it could not answer.
    """

    files: tuple[UpstreamFile, ...]
    validators: Validators
    status: ProjectStatus = ACTIVE
    source: str | None = None
    upstreams: tuple[str, ...] = ()

    def is_instead_of(self, other: str | None) -> bool:
        """Whether this one was asked because that one failed."""
        before = takewhile(lambda url: url != self.source, self.upstreams)
        return any(url == other for url in before)


def page_after(
    kept: CachedPage | None, project: ProjectName, said: PageSaid, now: datetime
) -> CachedPage:
    """The page to keep once the upstream has said this.

    A quarantine stays while the upstream that said so fails: others may not know of it.
    """
    if kept is not None and not kept.status.offers_files and said.is_instead_of(kept.source):
        return replace(kept, checked=now)
    seen = dict(kept.seen) if kept is not None else {}
    known = {file.filename: file for file in (*kept.delisted, *kept.files)} if kept else {}
    files = _pinned(_comparable(said, seen), seen, known)
    listed = {file.filename for file in files}
    return CachedPage(
        project=project,
        files=files,
        exists=True,
        validators=said.validators,
        checked=now,
        seen=_remembered(files, seen, now),
        status=said.status,
        delisted=tuple(file for name, file in known.items() if name not in listed),
        source=said.source,
        ranges=kept.ranges if kept is not None and kept.source == said.source else None,
    )


def page_after_absence(kept: CachedPage, now: datetime) -> CachedPage:
    """The page to keep once the upstream has said that there is no such project.

    The last status stays, and who said it: what was quarantined before it was deleted must not
    come back.
    """
    return CachedPage(
        project=kept.project,
        files=(),
        exists=False,
        validators=Validators(),
        checked=now,
        seen=kept.seen,
        status=kept.status,
        delisted=(*kept.delisted, *kept.files),
        source=kept.source,
        ranges=kept.ranges,
    )


def _comparable(said: PageSaid, seen: Mapping[str, Seen]) -> tuple[UpstreamFile, ...]:
    """The files, without digests that might be those of other bytes than the ones seen first.

    Of several upstreams each may have a build of its own under one name. Digests of two builds
    together would fit neither, so a name gets more of them only beside one that is known.
    """
    if len(said.upstreams) < 2:
        return said.files
    return tuple(
        file
        if (first := seen.get(file.filename)) is None or first.hashes.keys() & file.hashes.keys()
        else replace(file, hashes={})
        for file in said.files
    )


def _pinned(
    files: tuple[UpstreamFile, ...],
    seen: Mapping[str, Seen],
    known: Mapping[str, UpstreamFile],
) -> tuple[UpstreamFile, ...]:
    """The files whose digests are those first seen; in place of others, what they were before."""
    result = []
    for file in files:
        first = seen.get(file.filename)
        other = None if first is None else contradiction(first.hashes, file.hashes)
        if other is None:
            result.append(file)
        elif file.filename in known:
            result.append(replace(known[file.filename], refused=other))
    return tuple(result)


def contradiction(first: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    """The digest, `algorithm=hex`, in which the second ones contradict the first; else None."""
    for algorithm in first:
        if now.get(algorithm, first[algorithm]) != first[algorithm]:
            return f"{algorithm}={now[algorithm]}"
    return None


def _remembered(
    files: tuple[UpstreamFile, ...], seen: dict[str, Seen], now: datetime
) -> dict[str, Seen]:
    """Add names and digests that were not seen before; what was seen first stays as it was."""
    for file in files:
        known = seen.get(file.filename)
        if known is None:
            seen[file.filename] = Seen(now, dict(file.hashes))
        elif not file.hashes.keys() <= known.hashes.keys():
            seen[file.filename] = replace(known, hashes={**file.hashes, **known.hashes})
    return seen


def learned(
    page: CachedPage,
    filename: str,
    *,
    now: datetime,
    sha256: str | None = None,
    size: int | None = None,
    modified: datetime | None = None,
    metadata_sha256: str | None = None,
) -> CachedPage:
    """The page with what fetching a file told of it. What was known before stays."""
    known = page.seen.get(filename) or Seen(now)
    hashes = known.hashes if sha256 is None else {"sha256": sha256, **known.hashes}
    facts = replace(
        known,
        hashes=hashes,
        size=known.size if known.size is not None else size,
        modified=known.modified or modified,
        metadata_sha256=known.metadata_sha256 or metadata_sha256,
    )
    return replace(page, seen={**page.seen, filename: facts})


def completed(file: UpstreamFile, page: CachedPage) -> UpstreamFile:
    """A file of a page with everything that we know of it, for installers and for fetching it.

    Where the upstream gives no upload time it is that of the last change of the file, if that is
    known and earlier, or else the moment at which the name was first seen (PEP 700).
    """
    seen = page.seen.get(file.filename)
    if seen is None or _is_complete(file, seen, page):
        return file
    uploaded, source = file.uploaded, file.time_source
    if uploaded is None:
        uploaded, source = seen.first_seen, TimeSource.FIRST_SEEN
        if seen.modified is not None and seen.modified < seen.first_seen:
            uploaded, source = seen.modified, TimeSource.LAST_MODIFIED
    return replace(
        file,
        hashes={**seen.hashes, **file.hashes},
        size=file.size if file.size is not None else seen.size,
        uploaded=uploaded,
        time_source=source,
        core_metadata=_core_metadata(file, seen, page),
    )


def _is_complete(file: UpstreamFile, seen: Seen, page: CachedPage) -> bool:
    """Whether there is nothing to add; of most files it is so, and pages have thousands."""
    return (
        file.uploaded is not None
        and (file.size is not None or seen.size is None)
        and seen.hashes.keys() <= file.hashes.keys()
        and _core_metadata(file, seen, page) == file.core_metadata
    )


def shows_the_same(page: CachedPage, other: CachedPage) -> bool:
    """Whether an installer would see no difference between two pages."""
    return (
        (page.exists, page.status) == (other.exists, other.status)
        and _show_the_same(page.files, page, other.files, other)
        and _show_the_same(page.delisted, page, other.delisted, other)
    )


def _show_the_same(
    files: Sequence[UpstreamFile],
    page: CachedPage,
    other_files: Sequence[UpstreamFile],
    other: CachedPage,
) -> bool:
    return len(files) == len(other_files) and all(
        completed(file, page) == completed(other_file, other)
        for file, other_file in zip(files, other_files, strict=True)
    )


def _core_metadata(file: UpstreamFile, seen: Seen, page: CachedPage) -> Mapping[str, str] | None:
    """The digests of the metadata that we can serve; None where there is none."""
    if file.core_metadata is not None or not file.is_wheel:
        return file.core_metadata
    if seen.metadata_sha256 is not None:
        return {"sha256": seen.metadata_sha256}
    return {} if page.ranges else None
