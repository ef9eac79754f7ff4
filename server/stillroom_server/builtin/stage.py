"""The index type `stage`: holds uploads and inherits from its bases."""

from collections.abc import Sequence

from stillroom_server.plugin.api import (
    IndexType,
    Option,
    check_base,
    check_pattern,
    check_principal,
    check_project_or_all,
    hookimpl,
)

RESERVED = Option(
    "reserved",
    "list",
    (),
    "Patterns of project names (`acme-*`) that are never asked upstream.",
    check_pattern,
)
TITLE = Option("title", "text", None, "One line for people.")

OPTIONS = (
    Option(
        "bases", "list", (), "The indexes it inherits from, in order: `user/index`.", check_base
    ),
    Option(
        "volatile",
        "boolean",
        True,
        "Whether files may be replaced, and removed without force.",
    ),
    Option(
        "acl_read",
        "list",
        (":AUTHENTICATED:",),
        "Who may read it beside its owner and root: users, `:group`, `:AUTHENTICATED:`, "
        "`:ANONYMOUS:`. The setting `default_acl_read` says what a new stage gets.",
        check_principal,
    ),
    Option(
        "acl_upload",
        "list",
        (":OWNER:",),
        "Who may upload to it, and remove and yank what it holds. A new stage gets its owner.",
        check_principal,
    ),
    Option(
        "mirror_whitelist",
        "list",
        (),
        "Projects to which mirrors may add files although they live here; `*` for all.",
        check_project_or_all,
    ),
    Option(
        "shadow_mirrors",
        "boolean",
        True,
        "Whether a first upload may take a name that a mirror of the lineage is known to have, "
        "and so hide the mirror's project; else that is refused.",
    ),
    RESERVED,
    TITLE,
    Option("description", "text", None, "What it is for, for people."),
)


@hookimpl
def stillroom_index_types() -> Sequence[IndexType]:
    """Offer the type `stage`."""
    return [IndexType(name="stage", options=OPTIONS, takes_uploads=True)]
