"""The index type `mirror`: looks in an upstream and keeps what that said."""

from collections.abc import Sequence

from stillroom_server.builtin.stage import ACL_ADMIN, RESERVED, TITLE
from stillroom_server.plugin.api import (
    ANONYMOUS,
    IndexType,
    Option,
    check_principal,
    check_upstream_url,
    hookimpl,
)

OPTIONS = (
    Option(
        "mirror_url",
        "url",
        None,
        "The base URL of the upstream's Simple API. Only root sets it, unless `user_mirrors` is "
        "on.",
        check_upstream_url,
    ),
    Option(
        "mirror_fallback_urls",
        "list",
        (),
        "The base URLs of equivalent upstreams, asked in order when the one before fails. Only "
        "root sets them, unless `user_mirrors` is on.",
        check_upstream_url,
    ),
    Option(
        "mirror_cache_expiry",
        "seconds",
        600,
        "For how many seconds a project's page counts as fresh.",
    ),
    Option(
        "mirror_no_project_list",
        "boolean",
        False,
        "Never fetch the upstream's list of all names; list the projects known here instead.",
    ),
    Option(
        "mirror_keep_delisted",
        "boolean",
        False,
        "Go on listing the files that are kept here after the upstream has deleted them.",
    ),
    Option(
        "mirror_use_external_urls",
        "boolean",
        False,
        "Send clients to the upstream for files (302) and keep none; metadata comes from here.",
    ),
    Option(
        "mirror_metadata_only",
        "boolean",
        False,
        "Keep pages and metadata only: files pass through, checked, and are not kept.",
    ),
    Option(
        "mirror_size_budget",
        "bytes",
        0,
        "How many bytes of files it keeps; above that those used least recently go, but never "
        "what the upstream no longer has. 0: no bound.",
    ),
    Option(
        "acl_read",
        "list",
        (ANONYMOUS,),
        "Who may read it beside its owner and root: users, `:group`, `:AUTHENTICATED:`, "
        "`:ANONYMOUS:`. Close it where the upstream asks for a login.",
        check_principal,
    ),
    Option(
        "acl_delete",
        "list",
        (),
        "Who may delete what it keeps, beside its owner and root.",
        check_principal,
    ),
    ACL_ADMIN,
    RESERVED,
    TITLE,
)


@hookimpl
def stillroom_index_types() -> Sequence[IndexType]:
    """Offer the type `mirror`."""
    return [IndexType(name="mirror", options=OPTIONS, has_upstream=True)]
