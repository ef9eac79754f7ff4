"""The world of the permission table with words in owner/private that only its readers may see."""

import time
from collections.abc import Mapping

import httpx

from .distributions import make_wheel
from .permission_table import OWNER
from .permission_world import World
from .site import basic, new_token, upload

MARK = "hushed"
"""In all of those words; no address of the table has it."""
WORDS = ("hushed-title", "hushed-summary", "hushed-reader", ":hushed-group", "hushed-1.0")

MURMUR = make_wheel("murmur", "4.2", summary=f"the {MARK}-summary")
"""Strangers may guess its name; what it says they may not know."""
NAMES_OF_MURMUR = {
    "project": "murmur",
    "version": "4.2",
    "digest": MURMUR.sha256,
    "filename": MURMUR.filename,
}
"""Its names, by the placeholders of routes."""

WRONG_TOKEN = f"stillroom_{'x' * 43}"
STRANGERS = (
    "nothing",
    "a wrong password",
    "an unknown user",
    "a wrong token",
    "a wrong token as a password",
    "an expired token",
)
"""What people bring who are not logged in."""


def hush(world: World) -> None:
    """Put the words into owner/private."""
    owner = world.clients[OWNER]
    changes = {
        "title": f"{MARK}-title",
        "acl_read": ["reader", f"{MARK}-reader"],
        "acl_upload": ["owner", "uploader", f":{MARK}-group"],
    }
    answer = owner.patch("/owner/private", json=changes)
    assert answer.status_code == 200, answer.text
    upload(owner, "owner/private", MURMUR, make_wheel(MARK, "1.0"))


def strangers_of(world: World) -> Mapping[str, httpx.Client]:
    """A client for each of `STRANGERS`."""
    expired = new_token(world.clients[OWNER], "owner", expires_in=1)["token"]
    time.sleep(1.1)
    brought = (
        {},
        basic("owner", "wrong-password"),
        basic("nobody", "wrong-password"),
        {"Authorization": f"Bearer {WRONG_TOKEN}"},
        basic("owner", WRONG_TOKEN),
        {"Authorization": f"Bearer {expired}"},
    )
    clients = (world.site.client(**headers) for headers in brought)
    return dict(zip(STRANGERS, clients, strict=True))
