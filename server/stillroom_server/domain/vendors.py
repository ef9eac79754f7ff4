"""Short forms for the URLs of well-known indexes, by the shapes that their vendors document.

`gitlab:gitlab.example.com/42` is `https://gitlab.example.com/api/v4/projects/42/packages/pypi/
simple/`. The host is always the user's own to say.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendor:
    """What stands after the host in a short form, and which path it means.

    `paths` has the path for each form of the parts, which are in braces and named by the vendor's
    own words; the forms differ in the number of parts. `user` is the user name that goes with a
    token, in words.
    """

    title: str
    paths: Mapping[str, str]
    user: str


VENDORS: Mapping[str, Vendor] = {
    "artifactory": Vendor(
        "JFrog Artifactory",
        {"{repository}": "artifactory/api/pypi/{repository}/simple/"},
        "your user name",
    ),
    "nexus": Vendor(
        "Sonatype Nexus Repository",
        {"{repository}": "repository/{repository}/simple/"},
        "your user name, or the name of a user token",
    ),
    "gitlab": Vendor(
        "GitLab",
        {"{project_id}": "api/v4/projects/{project_id}/packages/pypi/simple/"},
        "the name of the personal access token or deploy token",
    ),
    "azure": Vendor(
        "Azure Artifacts",
        {
            "{organization}/{feed}": "{organization}/_packaging/{feed}/pypi/simple/",
            "{organization}/{project}/{feed}": (
                "{organization}/{project}/_packaging/{feed}/pypi/simple/"
            ),
        },
        "anything",
    ),
    "codeartifact": Vendor(
        "AWS CodeArtifact", {"{repository}": "pypi/{repository}/simple/"}, "`aws`"
    ),
    "google": Vendor(
        "Google Artifact Registry",
        {"{project}/{repository}": "{project}/{repository}/simple/"},
        "`oauth2accesstoken`",
    ),
    "cloudsmith": Vendor(
        "Cloudsmith",
        {"{owner}/{repository}": "basic/{owner}/{repository}/python/simple/"},
        "`token`",
    ),
    "gitea": Vendor(
        "Gitea, Forgejo", {"{owner}": "api/packages/{owner}/pypi/simple/"}, "your user name"
    ),
    "devpi": Vendor("devpi", {"{user}/{index}": "{user}/{index}/+simple/"}, "your user name"),
    "pulp": Vendor("Pulp", {"{base_path}": "pypi/{base_path}/simple/"}, "your user name"),
}
"""The short forms by the word before their colon."""

_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_~%+-][A-Za-z0-9._~%+-]*", re.ASCII)


def expand(text: str) -> str:
    """The URL that a short form means; any other text as it is.

    Raises ValueError if the word is a vendor's and what follows is not of one of its forms.
    """
    word, colon, rest = text.strip().partition(":")
    vendor = VENDORS.get(word.lower())
    if not colon or vendor is None:
        return text
    host, *parts = rest.rstrip("/").split("/")
    for form, path in vendor.paths.items():
        names = form.split("/")
        if len(names) == len(parts) and _HOST.fullmatch(host) and all(map(_PART.fullmatch, parts)):
            for name, part in zip(names, parts, strict=True):
                path = path.replace(name, part)  # noqa: PLW2901 - the braces are filled one by one
            return f"https://{host}/{path}"
    # The text is not repeated: somebody may have put a password into it.
    raise ValueError(f"it is not of the form {' or '.join(short_forms(word.lower()))}")


def short_forms(word: str) -> list[str]:
    """The short forms of a vendor, for people: `gitlab:HOST/PROJECT_ID`."""
    return [
        f"{word}:HOST/{form.translate({ord('{'): None, ord('}'): None}).upper()}"
        for form in VENDORS[word].paths
    ]
