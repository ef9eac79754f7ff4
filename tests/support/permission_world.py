"""A small world in which every role of the permission table has somebody to play it."""

from dataclasses import dataclass
from typing import Any

import httpx

from .permission_table import (
    ADMIN,
    ANONYMOUS,
    ASKED_WHEEL,
    ELSEWHERE_TOKEN,
    HERE_TOKEN,
    OTHER,
    OWNER,
    PUBLISHER,
    READ_TOKEN,
    READER,
    REMOVER,
    ROOT,
    UPLOADER,
    WHEEL,
    Row,
)
from .site import Site, basic, new_index, new_token, send, upload


@dataclass(frozen=True)
class World:
    """A site with a client for each role, and the id of a token of the owner."""

    site: Site
    clients: dict[str, httpx.Client]
    token: str

    def ask(self, role: str, row: Row, **changes: Any) -> httpx.Response:
        """Send the request of a row, or a change of it, in a role."""
        method = changes.pop("method", row.method)
        path = self.place(changes.pop("path", row.path))
        return self.clients[role].request(method, path, **row.kwargs, **changes)

    def place(self, path: str) -> str:
        """The path with the ids of this world in it."""
        if "{publisher}" in path:
            [publisher] = self._listed("/owner/private/+publishers")
            path = path.replace("{publisher}", publisher["id"])
        if "{idle_issuer}" in path:
            idle = next(each for each in self._listed("/+issuers") if "idle" in each["url"])
            path = path.replace("{idle_issuer}", str(idle["id"]))
        return path.replace("{token}", self.token)

    def _listed(self, path: str) -> list[dict[str, Any]]:
        return self.clients[ROOT].get(path).json()["result"]


def populate(site: Site) -> tuple[dict[str, str], str]:
    """Fill a fresh site; the secrets of the tokens by role, and the id of a further one."""
    owner = site.new_user("owner")
    for name in ("other", "reader", "uploader", "remover", "admin"):
        site.new_user(name)
    # Each of these stands in one list only: none of the lists implies another.
    acl = {
        "acl_read": ["reader"],
        "acl_upload": ["owner", "uploader"],
        "acl_delete": ["remover"],
        "acl_admin": ["admin"],
    }
    answer = site.root.put("/+groups/team", json={"members": ["other"]})
    assert answer.status_code == 201, answer.text
    new_index(owner, "owner/private", **acl)
    new_index(owner, "owner/open", acl_read=[":ANONYMOUS:"])
    new_index(owner, "owner/target", acl_upload=["owner", "reader"])
    for index in ("owner/private", "owner/open"):
        upload(owner, index, WHEEL)
    owner.patch("/owner/private", json=["first_upload=approval"])
    assert send(site.user("uploader"), "owner/private", ASKED_WHEEL).status_code == 403
    for url in (PUBLISHER["json"]["issuer"], "https://idle.example"):
        assert site.root.post("/+issuers", json={"url": url}).status_code == 201
    assert site.root.post("/owner/private/+publishers", **PUBLISHER).status_code == 201
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
        REMOVER: site.user("remover"),
        ADMIN: site.user("admin"),
        OWNER: site.user("owner"),
        ROOT: site.root,
        READ_TOKEN: site.bearer(secrets[READ_TOKEN]),
        ELSEWHERE_TOKEN: site.client(**basic("owner", secrets[ELSEWHERE_TOKEN])),
        HERE_TOKEN: site.client(**basic("__token__", secrets[HERE_TOKEN])),
    }
