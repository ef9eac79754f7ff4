"""The side of pip and uv: pages and files, by plain HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

from functional.http_driver import form_fields
from functional.vocabulary import Login
from support.distributions import Distribution

SIMPLE = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Page:
    """What an installer gets for a project: the status, and the rows of files by their names.

    `said` is the body as it came, for what a refusal says; `status_said` is the project's status
    if the page says one.
    """

    status: int
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: str = ""
    status_said: Mapping[str, str] | None = None

    @property
    def names(self) -> set[str]:
        """The names of the files."""
        return set(self.files)


class Installer:
    """Reads as installers do, without a login unless one is given."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(timeout=60, follow_redirects=True, headers={"Accept": SIMPLE})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def page(self, index: str, project: str, login: Login | None = None) -> Page:
        """The page of a project."""
        answer = self._client.get(f"{self._url}/{index}/simple/{project}/", auth=login)
        if answer.status_code != 200:
            return Page(answer.status_code, said=answer.text)
        shown = answer.json()
        files = {row["filename"]: row for row in shown["files"]}
        return Page(200, files, answer.text, shown.get("project-status"))

    def download(
        self, index: str, project: str, filename: str, login: Login | None = None
    ) -> bytes:
        """The content of a file, by its link on the page."""
        page = f"{self._url}/{index}/simple/{project}/"
        row = self.page(index, project, login).files[filename]
        answer = self._client.get(urljoin(page, row["url"]), auth=login)
        answer.raise_for_status()
        return answer.content

    def upload(self, index: str, distribution: Distribution, login: Login) -> int:
        """Try to upload with the login of an installer; the status of the answer."""
        answer = self._client.post(
            f"{self._url}/{index}/",
            data=form_fields(distribution),
            files={"content": (distribution.filename, distribution.content)},
            auth=login,
        )
        return answer.status_code
