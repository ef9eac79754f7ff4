"""Stillroom: what the suite does with its management API."""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from email.parser import BytesHeaderParser
from typing import Any

import httpx
from packaging.utils import canonicalize_name

from conformance.adapter import Adapter, Login, Token
from support.distributions import Distribution

SECONDS = 60


class StillroomAdapter(Adapter):
    """A Stillroom whose user `login` owns the index; to make mirrors needs `user_mirrors`."""

    def __init__(self, url: str, login: Login) -> None:
        super().__init__(url, login)
        self._names = (f"c{secrets.token_hex(4)}-{number}" for number in itertools.count(1))
        self._client = httpx.Client(
            base_url=self.url, auth=login, timeout=SECONDS, headers={"Accept": "application/json"}
        )

    def close(self) -> None:
        self._client.close()

    def simple_path(self, index: str) -> str:
        return f"/{index}/simple/"

    def upload_path(self, index: str) -> str:
        return f"/{index}/"

    def legacy_json_path(self, index: str, project: str, version: str = "") -> str:
        release = f"{version}/" if version else ""
        return f"/{index}/pypi/{project}/{release}json"

    def new_index(
        self, *, public: bool = False, final: bool = False, bases: Sequence[str] = ()
    ) -> str:
        reads = ":ANONYMOUS:" if public else ":AUTHENTICATED:"
        return self._create(volatile=not final, acl_read=[reads], bases=list(bases))

    def new_mirror(self, upstream: str, *, redirects: bool = False) -> str:
        more = {"mirror_use_external_urls": True} if redirects else {}
        return self._create(type="mirror", mirror_url=upstream, **more)

    def yank(
        self, index: str, project: str, version: str, reason: str | bool, filename: str = ""
    ) -> None:
        body = {"yanked": reason} | ({"filename": filename} if filename else {})
        self._ask("PATCH", f"/{index}/{project}/{version}", json=body)

    def set_status(self, index: str, project: str, status: str, reason: str = "") -> None:
        body = {"status": status} | ({"reason": reason} if reason else {})
        self._ask("PATCH", f"/{index}/{project}", json=body)

    def delete_file(self, index: str, distribution: Distribution) -> None:
        name = BytesHeaderParser().parsebytes(distribution.metadata)["Name"]
        path = f"{canonicalize_name(name)}/{distribution.sha256}/{distribution.filename}"
        self._ask("DELETE", f"/{index}/+f/{path}?force")

    def new_token(self, index: str, *, may_upload: bool = True, seconds: int = 600) -> Token:
        allow = ["read", "upload"] if may_upload else ["read"]
        body = {"allow": allow, "indexes": [index], "expires_in": seconds}
        made = self._ask("POST", f"/{self.login.user}/+tokens", json=body)
        return Token(made["token"], made["id"])

    def revoke(self, token: Token) -> None:
        self._ask("DELETE", f"/{self.login.user}/+tokens/{token.id}")

    def token_logins(self, token: Token) -> Sequence[Login]:
        return [
            Login("__token__", token.secret),
            Login(self.login.user, token.secret),
            Login(token.secret, ""),
        ]

    def trust(
        self,
        administrator: Login,
        index: str,
        issuer: str,
        claims: Mapping[str, str],
        project: str,
    ) -> None:
        root = httpx.post(f"{self.url}/+issuers", auth=administrator, json={"url": issuer})
        assert root.status_code in {201, 409}, root.text
        body = {"issuer": issuer, "claims": claims, "projects": [project], "allow": ["upload"]}
        body["user"] = self.login.user
        added = httpx.post(f"{self.url}/{index}/+publishers", auth=administrator, json=body)
        assert added.status_code == 201, added.text

    def _create(self, **options: Any) -> str:
        name = f"{self.login.user}/{next(self._names)}"
        self._ask("PUT", f"/{name}", json=options)
        return name

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        answer = self._client.request(method, path, **how)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json().get("result")
