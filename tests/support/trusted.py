"""Trusted publishing as the web suite asks for it, in few words."""

from typing import Any

import httpx

from .issuer import SUBJECT, Issuer
from .site import Site, basic

AUDIENCE, MINT, BURN = "/_/oidc/audience", "/_/oidc/mint-token", "/_/oidc/burn-token"


def add_issuer(site: Site, issuer: Issuer) -> dict[str, Any]:
    answer = site.root.post("/+issuers", json={"url": issuer.url})
    assert answer.status_code == 201, answer.text
    return answer.json()["result"]


def add_publisher(
    client: httpx.Client, issuer: Issuer, index: str = "dev/stage", **body: Any
) -> dict[str, Any]:
    given = {"issuer": issuer.url, "claims": {"sub": SUBJECT}, **body}
    answer = client.post(f"/{index}/+publishers", json=given)
    assert answer.status_code == 201, answer.text
    return answer.json()["result"]


def audience_of(site: Site) -> str:
    answer = site.anonymous.get(AUDIENCE)
    assert answer.status_code == 200, answer.text
    return answer.json()["audience"]


def try_mint(site: Site, issuer: Issuer, **changes: Any) -> httpx.Response:
    """Exchange a token for this server, with changes to its claims."""
    token = issuer.token(**{"aud": audience_of(site), **changes})
    return site.anonymous.post(MINT, json={"token": token})


def mint(site: Site, issuer: Issuer, **changes: Any) -> str:
    answer = try_mint(site, issuer, **changes)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


def job(site: Site, secret: str) -> httpx.Client:
    """A client that logs in as publishing tools do."""
    return site.client(**basic("__token__", secret))


def refusal(answer: httpx.Response) -> str:
    """The code with which no token is given."""
    assert answer.status_code == 422, answer.text
    body = answer.json()
    [error] = body["errors"]
    assert error["description"] == body["message"]
    return error["code"]
