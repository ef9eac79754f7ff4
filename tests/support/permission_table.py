"""Who may do what, view by view: reviewed by people, tested by the permission matrix."""

from dataclasses import dataclass, field
from typing import Any

from .canary import MARK
from .distributions import make_wheel
from .forms import encode, form_of
from .servers import ROOT_PASSWORD
from .site import HTML, file_url

WHEEL = make_wheel("example", "1.0")
NEW_WHEEL = make_wheel("example", "2.0")
ASKED_WHEEL = make_wheel("asked", "1.0")
FORM, FORM_HEADERS = encode(form_of(NEW_WHEEL))
FILE = file_url("owner/private", "example", WHEEL)

ANONYMOUS = "anonymous"
OTHER = "another user"
READER = "a user in acl_read"
UPLOADER = "a user in acl_upload"
REMOVER = "a user in acl_delete"
ADMIN = "a user in acl_admin"
OWNER = "the owner"
ROOT = "root"
READ_TOKEN = "the owner's token that may only read"
ELSEWHERE_TOKEN = "the owner's token for another index"
HERE_TOKEN = "the owner's token for this index"

ALL = {
    ANONYMOUS,
    OTHER,
    READER,
    UPLOADER,
    REMOVER,
    ADMIN,
    OWNER,
    ROOT,
    READ_TOKEN,
    ELSEWHERE_TOKEN,
    HERE_TOKEN,
}
KNOWN = ALL - {ANONYMOUS}
ACCOUNT = {OWNER, ROOT}
READERS = {READER, OWNER, ROOT, READ_TOKEN, HERE_TOKEN}
MANAGERS = {ADMIN, OWNER, ROOT, HERE_TOKEN}
REMOVERS = {REMOVER, OWNER, ROOT, HERE_TOKEN}
OWN_TOKENS = {READ_TOKEN, ELSEWHERE_TOKEN, HERE_TOKEN}
UPLOADERS = {UPLOADER, OWNER, ROOT, HERE_TOKEN}

SEND_FORM = {"content": FORM, "headers": FORM_HEADERS}
PAGE = {"headers": {"Accept": HTML}}
LOGIN = {"json": {"user": "root", "password": ROOT_PASSWORD}}
PUBLISHER = {
    "json": {"issuer": "https://issuer.example", "claims": {"sub": "a job"}, "user": "owner"}
}
YANK = {"json": {"yanked": "broken"}}
PUSH = {
    "json": {"name": "example", "version": "1.0", "targetindex": "owner/target"},
    "headers": {"Content-Type": "application/json"},
}


@dataclass(frozen=True)
class Row:
    """A view: its route and method, a request that works, and who may make it.

    Everybody else is refused. `status` is what those get who may.
    """

    route: str
    method: str
    path: str
    allowed: set[str]
    status: int = 200
    kwargs: dict[str, Any] = field(default_factory=dict)
    sends: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.route}" + (f" {self.sends}" if self.sends else "")


OPEN_ROWS = (
    Row("start", "GET", "/", ALL),
    Row("api", "GET", "/+api", ALL),
    Row("login", "POST", "/+login", ALL, 200, LOGIN),
    Row("status", "GET", "/+status", ALL),
    Row("live", "GET", "/+live", ALL),
    Row("ready", "GET", "/+ready", ALL),
    Row("user_api", "GET", "/owner/+api", ALL),
    Row("index_api", "GET", "/owner/private/+api", ALL),
    Row("audience", "GET", "/_/oidc/audience", ALL),
    # Who asks is said by the identity token, whatever else the request carries.
    Row("mint_token", "POST", "/_/oidc/mint-token", ALL, 422, {"json": {"token": "none"}}),
    Row("burn_token", "POST", "/_/oidc/burn-token", ALL, 202, {"json": {"token": "none"}}),
)

GUARDED_ROWS = (
    Row("groups", "GET", "/+groups", KNOWN),
    Row("group", "GET", "/+groups/team", KNOWN),
    Row("group", "PUT", "/+groups/newcomer", {ROOT}, 201, {"json": {"members": ["owner"]}}),
    Row("group", "PATCH", "/+groups/team", {ROOT}, 200, {"json": ["members+=reader"]}),
    Row("group", "DELETE", "/+groups/team", {ROOT}),
    Row("issuers", "GET", "/+issuers", {ROOT}),
    Row("issuers", "POST", "/+issuers", {ROOT}, 201, {"json": {"url": "https://new.example"}}),
    Row("issuer", "DELETE", "/+issuers/{idle_issuer}", {ROOT}),
    Row("all_publishers", "GET", "/+publishers", {ROOT}),
    Row("audit", "GET", "/+audit", {ROOT}),
    Row("fetches", "GET", "/+fetches", {ROOT}),
    Row("tokens", "GET", "/owner/+tokens", ACCOUNT),
    # Root may see and revoke, but makes nobody a token that acts in their name.
    Row("tokens", "POST", "/owner/+tokens", {OWNER}, 201, {"json": {}}),
    # With a password there is no token in use; another user's cannot be seen or ended so.
    Row(
        "token_in_use",
        "GET",
        "/owner/+tokens/current",
        {READ_TOKEN, ELSEWHERE_TOKEN, HERE_TOKEN},
    ),
    Row(
        "token_in_use",
        "DELETE",
        "/owner/+tokens/current",
        {READ_TOKEN, ELSEWHERE_TOKEN, HERE_TOKEN},
    ),
    Row("token", "DELETE", "/owner/+tokens/{token}", ACCOUNT),
    Row("user", "GET", "/owner", KNOWN),
    Row("user", "PUT", "/newcomer", {ROOT}, 201, {"json": {"password": f"newcomer{MARK}"}}),
    Row("user", "PATCH", "/owner", ACCOUNT, 200, {"json": {"title": "new"}}),
    Row("user", "DELETE", "/owner", ACCOUNT),
    Row("simple_list", "GET", "/owner/private/simple/", READERS, 200, PAGE),
    Row("simple_list", "POST", "/owner/private/simple/", UPLOADERS, 200, SEND_FORM),
    Row("simple_project", "GET", "/owner/private/simple/example/", READERS, 200, PAGE),
    Row("refresh", "POST", "/owner/private/simple/example/refresh", READERS, 302),
    Row("file", "GET", FILE, READERS),
    Row("file", "DELETE", FILE, REMOVERS),
    Row("index", "GET", "/owner/private", READERS),
    Row("index", "PUT", "/owner/newcomer", ACCOUNT, 200, {"json": {}}),
    Row("index", "PATCH", "/owner/private", MANAGERS, 200, {"json": {"title": "new"}}),
    Row("index", "DELETE", "/owner/private", MANAGERS, 201),
    Row("index", "POST", "/owner/private", UPLOADERS, 200, SEND_FORM),
    # owner/target takes uploads from the owner, root and the reader; tokens do not reach it.
    Row("index", "POST", "/owner/private", {OWNER, ROOT, READER}, 200, PUSH, "application/json"),
    Row("index", "PUSH", "/owner/private", {OWNER, ROOT, READER}, 200, PUSH, "application/json"),
    Row("index_audit", "GET", "/owner/private/+audit", MANAGERS),
    Row("index_fetches", "GET", "/owner/private/+fetches", MANAGERS),
    # About themselves, all readers may ask.
    Row("access", "GET", "/owner/private/+access", {OWNER, ROOT, HERE_TOKEN}),
    Row("search", "GET", "/owner/private/+projects", READERS),
    Row("owners", "GET", "/owner/private/+owners", READERS),
    Row("project_owners", "GET", "/owner/private/+owners/example", READERS),
    Row(
        "project_owners",
        "PATCH",
        "/owner/private/+owners/example",
        MANAGERS,
        200,
        {"json": {"owners": ["uploader"]}},
    ),
    Row("publishers", "GET", "/owner/private/+publishers", MANAGERS),
    # The setting `user_publishers` lets others add some.
    Row("publishers", "POST", "/owner/private/+publishers", {ROOT}, 201, PUBLISHER),
    Row("publisher", "DELETE", "/owner/private/+publishers/{publisher}", MANAGERS),
    Row("requests", "GET", "/owner/private/+requests", MANAGERS),
    Row("project_requests", "DELETE", "/owner/private/+requests/asked", MANAGERS),
    Row("legacy_project", "GET", "/owner/private/pypi/example/json", READERS),
    Row("legacy_release", "GET", "/owner/private/pypi/example/1.0/json", READERS),
    Row("project", "GET", "/owner/private/example", READERS),
    Row(
        "project",
        "PATCH",
        "/owner/private/example",
        MANAGERS,
        200,
        {"json": {"status": "archived"}},
    ),
    Row("project", "DELETE", "/owner/private/example", REMOVERS),
    Row("release", "GET", "/owner/private/example/1.0", READERS),
    Row(
        "release", "PATCH", "/owner/private/example/1.0", REMOVERS, 200, {"json": {"yanked": True}}
    ),
    Row("release", "DELETE", "/owner/private/example/1.0", REMOVERS),
)
ROWS = OPEN_ROWS + GUARDED_ROWS
