"""A small world in which every role of the permission table has somebody to play it."""

from dataclasses import dataclass
from typing import Any

import httpx

from .permission_table import (
    ANONYMOUS,
    ELSEWHERE_TOKEN,
    HERE_TOKEN,
    OTHER,
    OWNER,
    READ_TOKEN,
    READER,
    ROOT,
    UPLOADER,
    WHEEL,
    Row,
)
from .site import Site, basic, new_index, new_token, upload


@dataclass(frozen=True)
class World:
    """A site with a client for each role, and the id of a token of the owner."""

    site: Site
    clients: dict[str, httpx.Client]
    token: str

    def ask(self, role: str, row: Row, **changes: Any) -> httpx.Response:
        """Send the request of a row, or a change of it, in a role."""
        method = changes.pop("method", row.method)
        path = changes.pop("path", row.path).replace("{token}", self.token)
        return self.clients[role].request(method, path, **row.kwargs, **changes)


def populate(site: Site) -> tuple[dict[str, str], str]:
    """Fill a fresh site; the secrets of the tokens by role, and the id of a further one."""
    owner = site.new_user("owner")
    for name in ("other", "reader", "uploader"):
        site.new_user(name)
    acl = {"acl_read": ["reader"], "acl_upload": ["owner", "uploader"]}
    new_index(owner, "owner/private", **acl)
    new_index(owner, "owner/open", acl_read=[":ANONYMOUS:"])
    new_index(owner, "owner/target", acl_upload=["owner", "reader", "root"])
    for index in ("owner/private", "owner/open"):
        upload(owner, index, WHEEL)
    wanted = {
        READ_TOKEN: {"allow": ["read"]},
        ELSEWHERE_TOKEN: {"indexes": ["owner/target"]},
        HERE_TOKEN: {"indexes": ["owner/private"]},
    }
    secrets = {role: new_token(owner, "owner", **body)["token"] for role, body in wanted.items()}
    return secrets, new_token(owner, "owner")["id"]


def clients_of(site: Site, secrets: dict[str, str]) -> dict[str, httpx.Client]:
    """A client for each role on a populated site."""
    return {
        ANONYMOUS: site.anonymous,
        OTHER: site.user("other"),
        READER: site.user("reader"),
        UPLOADER: site.user("uploader"),
        OWNER: site.user("owner"),
        ROOT: site.root,
        READ_TOKEN: site.bearer(secrets[READ_TOKEN]),
        ELSEWHERE_TOKEN: site.client(**basic("owner", secrets[ELSEWHERE_TOKEN])),
        HERE_TOKEN: site.client(**basic("__token__", secrets[HERE_TOKEN])),
    }
