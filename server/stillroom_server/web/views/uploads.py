"""What is posted to an index: the upload form, or a push."""

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import Gone, InvalidRequest
from stillroom_server.services.linking import Outcome
from stillroom_server.web.answers import message
from stillroom_server.web.forms import ACTION, CONTENT, ReceivedForm, received_form
from stillroom_server.web.negotiation import accepts_json
from stillroom_server.web.security import identity_of, lineage_of, services_of

_SAID = {
    Outcome.ADDED: "added to {}",
    Outcome.REPLACED: "replaced in {}",
    Outcome.UNCHANGED: "already in {}, with the same content",
}


def upload(request: Request) -> Response:
    """Take one file by the legacy upload form, which every publishing tool sends.

    Always 200 for success, never a redirect: several tools would drop the file on one.
    """
    services, name = services_of(request), lineage_of(request).name
    with received_form(request, services.uploads) as form:
        _check_action(form)
        assert form.incoming is not None
        outcome = services.uploads.add(
            identity_of(request), name, form.upload_form(), form.incoming
        )
    text = _SAID[outcome].format(name)
    if accepts_json(request):
        return message(text)
    return Response(text=text + "\n", content_type="text/plain", charset="utf-8")


def _check_action(form: ReceivedForm) -> None:
    action = form.fields.get(ACTION, "")
    if action == "submit":
        raise Gone(":action: registering a release is not needed; upload its files.")
    if action != "file_upload":
        raise InvalidRequest.one(ACTION, f"{action[:40]!r} is not possible here; use file_upload")
    version = form.fields.get("protocol_version", "1")
    if version != "1":
        raise InvalidRequest.one("protocol_version", f"{version[:40]!r} is not known; use 1")
    if form.incoming is None:
        raise InvalidRequest.one(CONTENT, "the file is missing")
