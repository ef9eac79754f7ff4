"""Users."""

from collections.abc import Collection, Mapping
from typing import Any

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.identity import Identity, User, proof_of
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.names import IndexName, UserName
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import read_object
from stillroom_server.web.rendering import timestamp
from stillroom_server.web.security import identity_of, services_of

from .indexes import shown_options
from .tokens import shown_login


def show(request: Request) -> Response:
    """One user with their indexes."""
    services, identity = services_of(request), identity_of(request)
    user, indexes = services.users.get(UserName(request.matchdict["user"]))
    readable = {index.name for index in indexes if services.access.may_read(identity, index.name)}
    shown = dict(shown_user(identity, user, indexes, readable))
    if _may_see_personal(identity, user):
        had = services.users.belongings(user)
        shown |= {
            "groups": list(had.groups),
            "has_password": had.has_password,
            "tokens": had.tokens,
        }
    return result("userconfig", shown)


def create(request: Request) -> Response:
    """Create a user."""
    user = services_of(request).users.create(
        identity_of(request), UserName(request.matchdict["user"]), read_object(request)
    )
    return result("userconfig", shown_user(identity_of(request), user, [], ()), status=201)


def change(request: Request) -> Response:
    """Change a user; who sets their own password gets a new token, as all others ended."""
    services, identity = services_of(request), identity_of(request)
    name = UserName(request.matchdict["user"])
    body = read_object(request)
    user = services.users.change(identity, name, body)
    if body.get("password") is None or identity.user != name:
        return message("user updated")
    # What the request was sent with has ended with the old password.
    renewed = Identity(name, groups=identity.groups, proof=proof_of(user)).from_where(identity)
    issued = services.tokens.issue_login(renewed)
    return result("userpassword", shown_login(issued), message="user updated, new proxy auth")


def delete(request: Request) -> Response:
    """Delete a user with their indexes."""
    name = UserName(request.matchdict["user"])
    services_of(request).users.delete(identity_of(request), name)
    return message(f"user '{name}' deleted")


def shown_user(
    identity: Identity, user: User, indexes: list[Index], readable: Collection[IndexName]
) -> Mapping[str, Any]:
    """A user as JSON, with what is personal for those who may see it."""
    shown: dict[str, Any] = {"username": user.name, "created": timestamp(user.created)}
    if user.modified is not None:
        shown["modified"] = timestamp(user.modified)
    if _may_see_personal(identity, user):
        shown |= {"email": user.email, "custom_data": user.custom_data}
    shown |= {"title": user.title, "description": user.description}
    shown = {key: value for key, value in shown.items() if value is not None}
    shown["indexes"] = {
        index.name.index: shown_options(
            index, readable=index.name in readable, lists=not identity.is_anonymous
        )
        for index in indexes
    }
    return shown


def _may_see_personal(identity: Identity, user: User) -> bool:
    """Themselves and root, but not a CI token."""
    return identity.limits is None and (identity.is_root or identity.user == user.name)
