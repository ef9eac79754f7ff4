"""The vocabulary spoken over HTTP, as a program would that knows the API alone."""

from email.parser import BytesHeaderParser
from typing import Any

import httpx
from packaging.version import Version

from functional.vocabulary import Outcome, ReleasedFile
from support.distributions import Distribution

SIMPLE = "application/vnd.pypi.simple.v1+json"
TOKEN_SECONDS = 3600


class HttpDriver:
    """A person with an HTTP client of their own."""

    def __init__(self, url: str) -> None:
        self.name = ""
        self._client = httpx.Client(
            base_url=url, timeout=60, headers={"Accept": "application/json"}
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def authorization(self) -> str:
        """The header with which this person logs in, for clients of a test's own."""
        return self._client.headers["Authorization"]

    # Who asks

    def login(self, user: str, password: str) -> Outcome:
        self._client.headers.pop("Authorization", None)
        outcome = self._send("POST", "/+login", json={"user": user, "password": password})
        if outcome.done:
            self._carry(outcome.data["password"])
            self.name = user
        return outcome

    def logout(self) -> Outcome:
        outcome = self._send("DELETE", f"/{self.name}/+tokens/current")
        self._client.headers.pop("Authorization", None)
        return outcome

    def whoami(self) -> Outcome:
        outcome = self._send("GET", "/+api")
        status, user, _groups = outcome.data["authstatus"]
        return Outcome(status == "ok", user, outcome.message)

    def installer_login(self, index: str) -> Outcome:
        outcome = self.token(index, "read")
        if not outcome.done:
            return outcome
        return Outcome(done=True, data=(self.name, outcome.data["token"]))

    def token(self, index: str, *allow: str) -> Outcome:
        """Make a token for one index and some actions, or all of them."""
        limits = {"allow": allow or None, "indexes": [index], "expires_in": TOKEN_SECONDS}
        return self._send("POST", f"/{self.name}/+tokens", json=limits)

    def revoke_token(self, token_id: str) -> Outcome:
        """End a token by its id."""
        return self._send("DELETE", f"/{self.name}/+tokens/{token_id}")

    # Users

    def create_user(self, name: str, password: str, **fields: str) -> Outcome:
        return self._send("PUT", f"/{name}", json={**fields, "password": password})

    def change_user(self, name: str, password: str | None = None, **fields: str) -> Outcome:
        changes = fields if password is None else {**fields, "password": password}
        outcome = self._send("PATCH", f"/{name}", json=changes)
        if outcome.done and password is not None and name == self.name:
            self._carry(outcome.data["password"])
        return outcome

    def delete_user(self, name: str) -> Outcome:
        return self._send("DELETE", f"/{name}")

    def user(self, name: str) -> Outcome:
        outcome = self._send("GET", f"/{name}")
        if not outcome.done:
            return outcome
        return Outcome(
            done=True, data={**outcome.data, "indexes": sorted(outcome.data["indexes"])}
        )

    def users(self) -> Outcome:
        outcome = self._send("GET", "/")
        return Outcome(outcome.done, sorted(outcome.data or ()), outcome.message)

    # Indexes

    def create_index(self, name: str, **options: str) -> Outcome:
        return self._send("PUT", f"/{name}", json=options)

    def change_index(self, name: str, *operations: str) -> Outcome:
        return self._send("PATCH", f"/{name}", json=list(operations))

    def index(self, name: str) -> Outcome:
        return self._send("GET", f"/{name}?no_projects")

    def indexes(self) -> Outcome:
        outcome = self._send("GET", "/")
        names = [
            f"{user}/{index}"
            for user, fields in (outcome.data or {}).items()
            for index in fields["indexes"]
        ]
        return Outcome(outcome.done, sorted(names), outcome.message)

    def delete_index(self, name: str) -> Outcome:
        return self._send("DELETE", f"/{name}")

    # What an index holds

    def upload(self, index: str, *distributions: Distribution) -> Outcome:
        outcomes = [self._upload(index, distribution) for distribution in distributions]
        return Outcome(
            all(outcome.done for outcome in outcomes),
            message="\n".join(outcome.message for outcome in outcomes),
        )

    def projects(self, index: str) -> Outcome:
        outcome = self._send("GET", f"/{index}")
        return Outcome(outcome.done, (outcome.data or {}).get("projects"), outcome.message)

    def files(self, index: str, project: str) -> Outcome:
        outcome = self._send("GET", f"/{index}/{project}")
        if not outcome.done:
            return outcome
        files = [
            _released(version, link)
            for version in sorted(outcome.data, key=Version, reverse=True)
            for link in outcome.data[version]["+links"]
        ]
        return Outcome(done=True, data=files)

    def yank(
        self, index: str, project: str, version: str, *, reason: str = "", filename: str = ""
    ) -> Outcome:
        return self._set_yanked(f"/{index}/{project}/{version}", reason or True, filename)

    def unyank(self, index: str, project: str, version: str, *, filename: str = "") -> Outcome:
        return self._set_yanked(f"/{index}/{project}/{version}", False, filename)

    def status(self, index: str, project: str) -> Outcome:
        answer = self._client.get(f"/{index}/simple/{project}/", params={"format": SIMPLE})
        page = answer.json()
        data = page.get("project-status", {"status": "active"})
        return Outcome(answer.is_success, data, page.get("message", ""))

    def set_status(self, index: str, project: str, status: str, *, reason: str = "") -> Outcome:
        body = {"status": status, "reason": reason} if reason else {"status": status}
        return self._send("PATCH", f"/{index}/{project}", json=body)

    def remove(
        self, index: str, project: str, version: str | None = None, *, force: bool = False
    ) -> Outcome:
        path = f"/{index}/{project}" if version is None else f"/{index}/{project}/{version}"
        return self._send("DELETE", f"{path}?force" if force else path)

    def push(self, source: str, project: str, version: str, target: str) -> Outcome:
        body = {"name": project, "version": version, "targetindex": target}
        return self._send("POST", f"/{source}", json=body)

    # Who owns projects

    def owners(self, index: str, project: str) -> Outcome:
        return _owners(self._send("GET", f"/{index}/+owners/{project}"))

    def change_owners(self, index: str, project: str, operation: str) -> Outcome:
        return _owners(self._send("PATCH", f"/{index}/+owners/{project}", json=[operation]))

    def requests(self, index: str) -> Outcome:
        outcome = self._send("GET", f"/{index}/+requests")
        pairs = [(one["project"], one["user"]) for one in outcome.data or ()]
        return Outcome(outcome.done, pairs, outcome.message)

    def approve(self, index: str, project: str, user: str) -> Outcome:
        return self.change_owners(index, project, f"owners+={user}")

    def decline(self, index: str, project: str) -> Outcome:
        return self._send("DELETE", f"/{index}/+requests/{project}")

    def _carry(self, token: str) -> None:
        self._client.headers["Authorization"] = f"Bearer {token}"

    def _set_yanked(self, path: str, value: bool | str, filename: str) -> Outcome:
        body = {"yanked": value, "filename": filename} if filename else {"yanked": value}
        return self._send("PATCH", path, json=body)

    def _upload(self, index: str, distribution: Distribution) -> Outcome:
        content = {"content": (distribution.filename, distribution.content)}
        return self._send("POST", f"/{index}/", data=form_fields(distribution), files=content)

    def _send(self, method: str, path: str, **body: Any) -> Outcome:
        answer = self._client.request(method, path, **body)
        envelope = answer.json()
        return Outcome(
            answer.is_success, envelope.get("result"), envelope.get("message", answer.text)
        )


def form_fields(distribution: Distribution) -> dict[str, str]:
    """The upload form beside the file itself."""
    metadata = BytesHeaderParser().parsebytes(distribution.metadata)
    is_wheel = distribution.filename.endswith(".whl")
    return {
        ":action": "file_upload",
        "name": metadata["Name"],
        "version": metadata["Version"],
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "sha256_digest": distribution.sha256,
    }


def _owners(outcome: Outcome) -> Outcome:
    owners = outcome.data["owners"] if outcome.done else None
    return Outcome(outcome.done, owners, outcome.message)


def _released(version: str, link: Any) -> ReleasedFile:
    return ReleasedFile(
        version=version,
        filename=link["href"].rpartition("/")[2],
        index=link["index"],
        yanked=link["yanked"],
        sha256=link["hashes"]["sha256"],
    )
