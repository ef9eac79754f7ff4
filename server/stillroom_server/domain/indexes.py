"""Indexes and their types."""

import enum
import fnmatch
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .names import IndexName, ProjectName
from .options import Option, OptionValue


@dataclass(frozen=True, slots=True)
class IndexType:
    """A type of index: what it is called, which options it takes, and what it does.

    Exactly one of the two is true: `takes_uploads` (it holds uploads and may have bases) or
    `has_upstream` (it looks in an upstream and keeps what that said).
    """

    name: str
    options: tuple[Option, ...]
    takes_uploads: bool = False
    has_upstream: bool = False

    def defaults(self) -> dict[str, OptionValue]:
        """The value of each option that has a default."""
        return {o.name: o.default for o in self.options if o.default is not None}


class FirstUpload(enum.StrEnum):
    """Who may bring a new project into a stage, of those who may upload to it."""

    OPEN = "open"
    """All of them."""
    RESTRICTED = "restricted"
    """Who administers the index, and who was made an owner of the project beforehand."""
    APPROVAL = "approval"
    """As with `restricted`; the refusal of others is a request that administrators see."""


@dataclass(frozen=True, slots=True)
class Index:
    """A namespace `user/index` with its options; `options` is complete, defaults included."""

    id: int
    name: IndexName
    type: str
    options: Mapping[str, OptionValue]
    created: datetime
    has_upstream: bool = False

    def _list(self, key: str) -> tuple[str, ...]:
        value = self.options.get(key, ())
        return value if isinstance(value, tuple) else ()

    @property
    def bases(self) -> tuple[IndexName, ...]:
        """What it inherits from, in order."""
        return tuple(IndexName.parse(base) for base in self._list("bases"))

    @property
    def volatile(self) -> bool:
        """Whether files may be replaced and removed without force."""
        return self.options.get("volatile") is not False

    @property
    def options_tag(self) -> str:
        """Names the state of the options: another one after each change, 32 hex digits."""
        said = json.dumps([self.id, self.options], sort_keys=True, default=list)
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def acl(self, option: str) -> frozenset[str]:
        """The entries of an access list, such as `acl_read`."""
        return frozenset(self._list(option))

    @property
    def owned_projects(self) -> bool:
        """Whether only a project's owners upload to it."""
        return self.options.get("owned_projects") is True

    @property
    def first_upload(self) -> "FirstUpload":
        """Who may bring a new project into a stage."""
        return FirstUpload(str(self.options.get("first_upload", FirstUpload.OPEN.value)))

    @property
    def upstream_url(self) -> str | None:
        """Where a mirror looks: the base URL of a Simple API, ending in a slash."""
        value = self.options.get("mirror_url")
        return value if isinstance(value, str) else None

    @property
    def upstream_urls(self) -> tuple[str, ...]:
        """The base URLs of equivalent upstreams, in the order in which a mirror asks them."""
        first = () if self.upstream_url is None else (self.upstream_url,)
        return tuple(dict.fromkeys((*first, *self._list("mirror_fallback_urls"))))

    @property
    def keeps_delisted(self) -> bool:
        """Whether a mirror goes on listing what it holds and the upstream has deleted."""
        return self.options.get("mirror_keep_delisted") is True

    @property
    def sends_clients_upstream(self) -> bool:
        """Whether clients of a mirror fetch files from the upstream themselves."""
        return self.options.get("mirror_use_external_urls") is True

    @property
    def keeps_files(self) -> bool:
        """Whether a mirror keeps the files that it fetched, and not only their metadata."""
        return self.options.get("mirror_metadata_only") is not True

    @property
    def size_budget(self) -> int:
        """How many bytes a mirror may keep, 0 for any number."""
        value = self.options.get("mirror_size_budget", 0)
        return value if isinstance(value, int) else 0

    @property
    def shadows_mirrors(self) -> bool:
        """Whether a first upload may take a name that a mirror of the lineage has."""
        return self.options.get("shadow_mirrors") is not False

    @property
    def cache_expiry(self) -> int:
        """For how many seconds a mirror's page counts as fresh."""
        value = self.options.get("mirror_cache_expiry", 0)
        return value if isinstance(value, int) else 0

    @property
    def lists_upstream_projects(self) -> bool:
        """Whether a mirror's project list is the upstream's whole list of names."""
        return self.options.get("mirror_no_project_list") is False

    def allows_mirrors(self, project: ProjectName) -> bool:
        """Whether `mirror_whitelist` lets mirrors add to a project that lives here."""
        allowed = self._list("mirror_whitelist")
        return "*" in allowed or project in allowed

    def reserves(self, project: ProjectName) -> bool:
        """Whether a name pattern of `reserved` covers the project."""
        return any(fnmatch.fnmatchcase(project, pattern) for pattern in self._list("reserved"))
