"""Trusted publishing as publishing tools speak it, at the root of the host (`/_/oidc/…`).

They look there whatever the path of the index is, so what is minted here is for the indexes
whose publishers match.
"""

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import InvalidRequest, MintRefused, TooLarge
from stillroom_server.web.answers import json_response, message
from stillroom_server.web.bodies import read_object
from stillroom_server.web.security import identity_of, services_of


def audience(request: Request) -> Response:
    """For whom an identity token must be made out."""
    return json_response({"audience": services_of(request).minting.audience()})


def mint(request: Request) -> Response:
    """Exchange an identity token for one of ours; `expires` is in seconds since 1970."""
    token = _token(request)
    issued = services_of(request).minting.mint(identity_of(request), token)
    expires = int(issued.token.expires.timestamp())
    return json_response({"success": True, "token": issued.secret, "expires": expires})


def burn(request: Request) -> Response:
    """End a minted token; the answer is the same for whatever else was sent."""
    services_of(request).minting.burn(identity_of(request), _token(request))
    return message("burnt, if it was a minted token", status=202)


def _token(request: Request) -> str:
    try:
        token = read_object(request).get("token")
    except (InvalidRequest, TooLarge) as error:
        raise MintRefused("invalid-payload", error.message) from None
    if not isinstance(token, str):
        raise MintRefused("invalid-payload", "The body must be an object with the text `token`.")
    return token
