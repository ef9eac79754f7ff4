"""The index type `mirror`: looks in an upstream and keeps what that said."""

from collections.abc import Sequence

from stillroom_server.builtin.stage import RESERVED, TITLE
from stillroom_server.plugin.api import IndexType, Option, check_upstream_url, hookimpl

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
    RESERVED,
    TITLE,
)


@hookimpl
def stillroom_index_types() -> Sequence[IndexType]:
    """Offer the type `mirror`."""
    return [IndexType(name="mirror", options=OPTIONS, has_upstream=True)]
