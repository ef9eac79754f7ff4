"""Indexes: create, change, delete."""

from collections.abc import Container, Iterator, Mapping, Sequence

from stillroom_server.domain.access import Permission
from stillroom_server.domain.addresses import PrivateUpstreams
from stillroom_server.domain.differences import beyond, differences
from stillroom_server.domain.errors import (
    Conflict,
    Fault,
    Forbidden,
    InvalidRequest,
    PreconditionFailed,
)
from stillroom_server.domain.events import Event, EventKind
from stillroom_server.domain.identity import Identity
from stillroom_server.domain.indexes import Index, IndexType
from stillroom_server.domain.lineage import inherits_from
from stillroom_server.domain.names import IndexName, shown
from stillroom_server.domain.options import Options, OptionValue, apply_operations, read_options

from .access import Access, lineage_in
from .changes import changing
from .ports import Clock, Database, Unit
from .tokens import forget_index

OWNER = ":OWNER:"
"""In the default of an access list: the user whose index it is."""

UPSTREAM_OPTIONS = frozenset({"mirror_url", "mirror_fallback_urls"})
"""What decides from where a mirror fetches."""

Patch = Mapping[str, object] | Sequence[object]
"""A dict of new values, or a list of `key=value`, `key+=value`, `key-=value`, `key-=`."""


class IndexService:
    """Namespaces and their options, for owners and administrators."""

    def __init__(
        self,
        database: Database,
        access: Access,
        types: Mapping[str, IndexType],
        clock: Clock,
        *,
        default_acl_read: tuple[str, ...],
        user_mirrors: bool,
        private_upstreams: PrivateUpstreams,
    ) -> None:
        self._database = database
        self._access = access
        self._types = types
        self._clock = clock
        self._default_acl_read = default_acl_read
        self._user_mirrors = user_mirrors
        self._private_upstreams = private_upstreams

    def create(self, identity: Identity, name: IndexName, body: Mapping[str, object]) -> Index:
        """Create an index from a dict of options, `type` among them.

        Raises InvalidRequest naming all faults, Forbidden for a mirror that is not root's or a
        base that may not be read, NotFound for a missing user, Conflict if it exists.
        """
        index_type = self._type(body.get("type", "stage"))
        given = {key: value for key, value in body.items() if key != "type"}
        options = self._defaults(index_type, name) | read_options(index_type.options, given)
        self._check_upstream(identity, index_type, None, options)
        with changing(self._database, identity) as unit:
            self._check_bases(unit, identity, name, options)
            index = unit.indexes.add(
                name,
                index_type.name,
                options,
                self._clock(),
                has_upstream=index_type.has_upstream,
            )
            kind, details = EventKind.INDEX_CREATED, created_details(index_type, index)
            unit.journal.record(Event.by(identity, kind, index=name, details=details))
        return index

    def change(
        self,
        identity: Identity,
        name: IndexName,
        patch: Patch,
        *,
        refuse_noop: bool = False,
        expected: Container[str] | None = None,
    ) -> Index:
        """Change options; what is not named stays as it is.

        Raises as `create` does; with `refuse_noop` also InvalidRequest if nothing would change,
        and PreconditionFailed if the `options_tag` is none of the `expected`.
        """
        with changing(self._database, identity) as unit:
            index = lineage_in(unit, name).asked
            if expected is not None and index.options_tag not in expected:
                raise PreconditionFailed(
                    f"If-Match: the options of {name} were changed meanwhile; read them again."
                )
            index_type = self._type(index.type)
            options = _patched(index_type, index, patch)
            if options == index.options:
                if refuse_noop:
                    raise InvalidRequest.one("options", f"they are so already on {name}")
                return index
            self._check_upstream(identity, index_type, index, options)
            changes = differences(index.options, options)
            if "bases" in changes:
                self._check_bases(unit, identity, name, options)
            if not UPSTREAM_OPTIONS.isdisjoint(changes):
                unit.mirror_pages.expire(index)
                unit.mirror_names.expire(index)
            changed = unit.indexes.change(index, options)
            kind, details = EventKind.INDEX_CHANGED, {"options": changes}
            unit.journal.record(Event.by(identity, kind, index=name, details=details))
        return changed

    def delete(self, identity: Identity, name: IndexName) -> None:
        """Delete an index with all that it holds.

        Raises Forbidden if it is not volatile, Conflict if another inherits from it: were its
        base to vanish, a public project could take the place of a private one.
        """
        with changing(self._database, identity) as unit:
            index = lineage_in(unit, name).asked
            if not index.volatile:
                raise Forbidden(f"Index {name} is non-volatile; set volatile=true on it first.")
            heirs = unit.indexes.heirs(name)
            if heirs:
                listed = ", ".join(map(str, heirs))
                raise Conflict(f"Index {name} cannot be deleted: {listed} inherits from it.")
            unit.indexes.delete(index)
            unit.journal.record(Event.by(identity, EventKind.INDEX_DELETED, index=name))
            forget_index(unit, identity, name)

    def _type(self, name: object) -> IndexType:
        index_type = self._types.get(name) if isinstance(name, str) else None
        if index_type is None:
            known = ", ".join(sorted(self._types))
            raise InvalidRequest.one("type", f"{name!r} is not an index type; there are {known}")
        return index_type

    def _defaults(self, index_type: IndexType, name: IndexName) -> dict[str, OptionValue]:
        options = index_type.defaults()
        if index_type.takes_uploads and "acl_read" in options:
            options["acl_read"] = self._default_acl_read
        return _for_owner(options, name)

    def _check_upstream(
        self, identity: Identity, index_type: IndexType, before: Index | None, options: Options
    ) -> None:
        if not index_type.has_upstream:
            return
        if not options.get("mirror_url"):
            raise InvalidRequest.one("mirror_url", "a mirror needs the URL of its upstream")
        is_same = before is not None and UPSTREAM_OPTIONS.isdisjoint(
            differences(before.options, options)
        )
        if not (is_same or identity.is_root or self._user_mirrors):
            raise Forbidden(
                "Not allowed: only root makes mirrors and changes their URLs here, because the "
                "server fetches from there (setting user_mirrors)."
            )
        self._check_addresses(before.options if before is not None else {}, options)

    def _check_addresses(self, before: Options, options: Options) -> None:
        """Refuse new upstreams whose URL names an address that mirrors may not use."""
        known = {url for _, url in _upstream_urls(before)}
        faults = [
            Fault(key, f"{shown(url)}: {refusal}")
            for key, url in _upstream_urls(options)
            if url not in known
            and (refusal := self._private_upstreams.refusal_of_url(url)) is not None
        ]
        if faults:
            raise InvalidRequest(faults)

    def _check_bases(
        self, unit: Unit, identity: Identity, name: IndexName, options: Options
    ) -> None:
        listed = options.get("bases", ())
        bases = [IndexName.parse(base) for base in listed] if isinstance(listed, tuple) else []
        faults = [
            Fault("bases", f"index {base} does not exist")
            for base in bases
            if base != name and unit.indexes.get(base) is None
        ]
        if inherits_from(name, bases, unit.indexes.get):
            faults.append(Fault("bases", f"{name} would inherit from itself"))
        if faults:
            raise InvalidRequest(faults)
        for base in bases:
            verdict = self._access.verdict(identity, Permission.READ, lineage_in(unit, base))
            if not verdict:
                raise Forbidden(f"Not allowed as a base: {verdict.reason}.")


def created_details(index_type: IndexType, index: Index) -> dict[str, object]:
    """What the audit tells of a new index: its type, and which options are not as declared.

    What stands in `acl_read` by a setting is told as well: settings change.
    """
    declared = _for_owner(index_type.defaults(), index.name)
    return {"type": index.type, "options": beyond(declared, index.options)}


def _for_owner(options: Options, name: IndexName) -> dict[str, OptionValue]:
    """The options with the owner of an index where a list says OWNER."""
    return {
        key: tuple(str(name.user) if item == OWNER else item for item in value)
        if isinstance(value, tuple)
        else value
        for key, value in options.items()
    }


def _upstream_urls(options: Options) -> Iterator[tuple[str, str]]:
    """The URLs from which a mirror with these options fetches, each with the option's name."""
    for key in sorted(UPSTREAM_OPTIONS):
        value = options.get(key, ())
        urls = (value,) if isinstance(value, str) else value
        if isinstance(urls, tuple):
            yield from ((key, url) for url in urls)


def _patched(index_type: IndexType, index: Index, patch: Patch) -> dict[str, OptionValue]:
    if isinstance(patch, Mapping):
        kind = patch.get("type", index.type)
        if kind != index.type:
            raise InvalidRequest.one("type", "the type of an index cannot be changed")
        given = {k: v for k, v in patch.items() if not _is_echo(index, k, v)}
        return {**index.options, **read_options(index_type.options, given)}
    return apply_operations(index_type.options, index.options, patch)


def _is_echo(index: Index, key: str, value: object) -> bool:
    """Whether it is no option, but stands in the answer of a GET, which clients send back."""
    if key == "volatile" and key not in index.options:
        return value == index.volatile
    return key in {"type", "projects"}
