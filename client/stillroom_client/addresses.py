"""Addresses of servers, indexes, projects and releases, as people type them."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from packaging.utils import InvalidName, NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import WrongUsage
from .secret import MASK, Secret


@dataclass(frozen=True, order=True, slots=True)
class IndexName:
    """The full name of an index, `user/index`."""

    user: str
    index: str

    def __str__(self) -> str:
        return f"{self.user}/{self.index}"

    @classmethod
    def parse(cls, text: str, *, owner: str | None = None) -> "IndexName":
        """Read `user/index`, or `index` alone where the owner is known.

        Raises WrongUsage. Which characters a name may have is for the server to say.
        """
        parts = text.strip("/").split("/")
        if len(parts) == 1 and owner is not None:
            parts.insert(0, owner)
        if len(parts) != 2 or not all(parts):
            raise WrongUsage(f"{text!r} is not of the form user/index")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Release:
    """A project, or one version of it: `six` or `six==1.17.0`."""

    project: NormalizedName
    version: Version | None

    def __str__(self) -> str:
        return self.project if self.version is None else f"{self.project}=={self.version}"

    @classmethod
    def parse(cls, text: str, *, needs_version: bool = False) -> "Release":
        """Read `PROJECT` or `PROJECT==VERSION`; raises WrongUsage."""
        name, separator, version = text.partition("==")
        try:
            project = canonicalize_name(name.strip(), validate=True)
            parsed = Version(version.strip()) if separator else None
        except InvalidName:
            raise WrongUsage(f"{name!r} is not the name of a project") from None
        except InvalidVersion:
            raise WrongUsage(f"{version!r} is not a version, as in six==1.17.0") from None
        if needs_version and parsed is None:
            raise WrongUsage(f"name one release, as in {project}==1.0")
        return cls(project, parsed)


def server_url(text: str) -> str:
    """Check the URL of a server or index and drop its last slash; raises WrongUsage.

    The message never repeats a URL that holds a password.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise WrongUsage("that is not a URL: write http://HOST:PORT") from None
    if "@" in parts.netloc:
        raise WrongUsage("leave user and password out of the URL, and use `stillroom login USER`")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongUsage(f"{text!r} is not a URL: write http://HOST:PORT or https://HOST")
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", text):
        raise WrongUsage(f"{text!r} holds a query, a fragment or white space: leave it out")
    return text.rstrip("/")


def origin(url: str) -> str:
    """Scheme, host and port of a URL, without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def is_below(root: str, url: str) -> bool:
    """Whether a URL is the root or something under it."""
    return f"{url}/".startswith(f"{root}/")


def path_of(*segments: str) -> str:
    """A URL's path of these segments, each escaped, with a slash in front.

    Raises WrongUsage for `..` and the like, which would make it the path of something else.
    """
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise WrongUsage(f"{segment!r} is not a name")
    return "".join(f"/{quote(segment, safe='@+')}" for segment in segments)


def with_login(url: str, user: str, secret: Secret | None = None) -> str:
    """The URL with a user, and with a secret if it is to hold one."""
    parts = urlsplit(without_login(url))
    login = quote(user, safe="")
    if secret is not None:
        login += f":{quote(secret.reveal(), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def login_in(url: str) -> tuple[str | None, Secret | None]:
    """The user and the password that a URL holds."""
    parts = urlsplit(url)
    user, password = parts.username, parts.password
    return (
        None if user is None else unquote(user),
        None if password is None else Secret(unquote(password)),
    )


def without_login(url: str) -> str:
    """The URL without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def masked(url: str) -> str:
    """The URL as it may be shown: a password in it is hidden."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    if ":" in login:
        login = f"{login.partition(':')[0]}:{MASK}"
    return urlunsplit(parts._replace(netloc=f"{login}{at}{host}"))
