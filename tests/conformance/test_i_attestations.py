"""I. Attestations: items 91 to 93."""

import base64
import json

import pytest

from conformance.index import Index, OpenIndex
from conformance.tools import Tools
from stillroom_server.testing import Distribution, LocalUpstream
from support.distributions import make_wheel
from support.forms import form_of, text
from support.front import Front

INTEGRITY = "application/vnd.pypi.integrity.v1+json"


def attestation(wheel: Distribution, **changes: object) -> dict[str, object]:
    """An attestation of the shape of PEP 740, about a file, which nobody has signed."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": wheel.filename, "digest": {"sha256": wheel.sha256}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": None,
    }
    packed = base64.b64encode(json.dumps(statement).encode()).decode()
    return {
        "version": 1,
        "verification_material": {"certificate": "AAAA", "transparency_entries": []},
        "envelope": {"statement": packed, "signature": "AAAA"},
        **changes,
    }


@pytest.mark.parametrize("what", ["not signed", "of another file", "of version 2", "no JSON"])
def test_091_attestations_are_ignored(index: Index, project: str, what: str) -> None:
    """[S] Bad attestations: 400, nothing stored; or, without PEP 740, the field is ignored."""
    wheel = make_wheel(project, "1.0")
    said = {
        "not signed": json.dumps([attestation(wheel)]),
        "of another file": json.dumps([attestation(make_wheel(project, "2.0"))]),
        "of version 2": json.dumps([attestation(wheel, version=2)]),
        "no JSON": "{",
    }[what]
    answer = index.send_parts([text("attestations", said), *form_of(wheel)])
    if answer.status_code == 400:
        assert index.get(f"{project}/").status_code == 404
        return
    assert answer.status_code == 200
    assert index.rows(project)[wheel.filename].get("provenance") is None
    url = index.file_url(project, wheel.filename)
    assert index.get(f"{url}.provenance", INTEGRITY).status_code == 404


def test_092_provenance_by_accept(
    upstream: LocalUpstream,
    mirror: Index,
    open_index: OpenIndex,
    project: str,
    secure_front: Front,
) -> None:
    """[S] `application/vnd.pypi.integrity.v1+json`, `application/json`, else 406; none: 404."""
    wheel, bare = make_wheel(project, "1.0"), make_wheel(project, "2.0")
    document = {
        "version": 1,
        "attestation_bundles": [
            {"publisher": {"kind": "GitHub", "claims": {}}, "attestations": [attestation(wheel)]}
        ],
    }
    upstream.add(wheel, provenance=document)
    upstream.add(bare)
    outside = open_index(mirror.name, front=secure_front)
    rows = outside.rows(project)
    url = rows[wheel.filename]["provenance"]
    for accept in (INTEGRITY, "application/json"):
        answer = outside.get(url, accept)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].partition(";")[0] == accept
        assert answer.json() == document
        assert "accept" in answer.headers["Vary"].lower()
    for accept in ("text/html", "application/xml"):
        assert outside.get(url, accept).status_code == 406
    assert rows[bare.filename].get("provenance") is None
    elsewhere = url.replace(wheel.sha256, bare.sha256).replace(wheel.filename, bare.filename)
    assert elsewhere != url
    assert outside.get(elsewhere, INTEGRITY).status_code == 404


def test_093_uv_publishes_beside_an_attestation(index: Index, project: str, tools: Tools) -> None:
    """[C] `uv publish` with `<dist>.publish.attestation` beside the file succeeds."""
    wheel = make_wheel(project, "1.0")
    folder = tools.folder_with((wheel,))
    beside = folder / f"{wheel.filename}.publish.attestation"
    beside.write_text(json.dumps(attestation(wheel)))
    assert index.login is not None
    login = ("--username", index.login.user, "--password", index.login.password)
    where = ("--publish-url", index.upload_url, "--trusted-publishing", "never")
    tools.run("uv", "publish", *where, *login, folder / wheel.filename)
    assert set(index.rows(project)) == {wheel.filename}
