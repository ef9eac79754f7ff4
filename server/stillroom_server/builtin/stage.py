"""The index type `stage`: holds uploads and inherits from its bases."""

from collections.abc import Sequence

from stillroom_server.plugin.api import (
    FirstUpload,
    IndexType,
    Option,
    check_base,
    check_first_upload,
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
ACL_ADMIN = Option(
    "acl_admin",
    "list",
    (),
    "Who administers it, beside its owner and root: its options, these lists among them, the "
    "owners and the status of its projects, its audit.",
    check_principal,
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
        "Who may upload to it, beside its owner and root.",
        check_principal,
    ),
    Option(
        "acl_delete",
        "list",
        (),
        "Who may delete, yank and unyank what it holds, beside its owner and root.",
        check_principal,
    ),
    ACL_ADMIN,
    Option(
        "owned_projects",
        "boolean",
        False,
        "Whether only a project's owners upload to it; who brings a project becomes its owner.",
    ),
    Option(
        "first_upload",
        "text",
        FirstUpload.OPEN.value,
        "Who may bring a new project, of those who may upload: `open` (all of them), "
        "`restricted` (who administers the index, and who was made an owner of the project "
        "beforehand) or `approval` (the same, and what others try is a request that "
        "administrators see).",
        check_first_upload,
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
