"""Projects and releases as JSON; yank, delete, push."""

from collections.abc import Mapping
from typing import Any

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.errors import Fault, InvalidRequest
from stillroom_server.domain.names import IndexName, ProjectName, project_name
from stillroom_server.domain.status import ProjectStatus, Status
from stillroom_server.services.catalog import ReleaseFile, ReleaseView
from stillroom_server.services.releases import Pushed
from stillroom_server.web.answers import message, result
from stillroom_server.web.bodies import has_flag, read_object
from stillroom_server.web.matched import project_of
from stillroom_server.web.negotiation import wants_page
from stillroom_server.web.rendering import file_path, status_json, timestamp
from stillroom_server.web.security import identity_of, lineage_of, services_of

from .indexes import redirect

MAX_REASON = 1_000
"""Characters of the reason for a yank or a status."""


def show_project(request: Request) -> Response:
    """All releases of a project; installers are sent to its page."""
    project, lineage = project_of(request), lineage_of(request)
    if wants_page(request):
        return redirect(request, f"{_root(request)}/{lineage.name}/simple/{project}/")
    views = services_of(request).catalog.project(
        lineage, project, ignore_bases=has_flag(request, "ignore_bases")
    )
    return result("projectconfig", {v.version: _release_json(request, project, v) for v in views})


def show_release(request: Request) -> Response:
    """One release of a project."""
    project = project_of(request)
    view = services_of(request).catalog.release(
        lineage_of(request), project, request.matchdict["version"]
    )
    return result("versiondata", _release_json(request, project, view))


def delete_project(request: Request) -> Response:
    """Delete a project with all that it has."""
    project, name = project_of(request), lineage_of(request).name
    services_of(request).releases.remove_project(
        identity_of(request), name, project, force=has_flag(request, "force")
    )
    return message(f"project {project} deleted from {name}")


def delete_release(request: Request) -> Response:
    """Delete a release with its files."""
    project, name, version = (
        project_of(request),
        lineage_of(request).name,
        request.matchdict["version"],
    )
    services_of(request).releases.remove_release(
        identity_of(request), name, project, version, force=has_flag(request, "force")
    )
    return message(f"project {project} version {version} deleted from {name}")


def yank(request: Request) -> Response:
    """Yank or unyank a release, or one file of it."""
    body = read_object(request)
    faults = [
        Fault(key, "unknown field; a yank has yanked and filename")
        for key in body
        if key not in {"yanked", "filename"}
    ]
    yanked, filename = body.get("yanked"), body.get("filename")
    if not isinstance(yanked, bool | str) or (
        isinstance(yanked, str) and len(yanked) > MAX_REASON
    ):
        faults.append(Fault("yanked", "use true, false, or the reason in up to 1,000 characters"))
    if filename is not None and not isinstance(filename, str):
        faults.append(Fault("filename", "it must be the name of one file of the release"))
    if faults:
        raise InvalidRequest(faults)
    assert isinstance(yanked, bool | str)
    changed = services_of(request).releases.yank(
        identity_of(request),
        lineage_of(request).name,
        project_of(request),
        request.matchdict["version"],
        yanked=yanked if yanked != "" else True,
        filename=filename,
    )
    done = "unyanked" if yanked is False else "yanked"
    return message(f"{done} {len(changed)} files: {', '.join(changed) or 'nothing changed'}")


def set_status(request: Request) -> Response:
    """Set a project's status (PEP 792), with a reason or without."""
    status = _wanted_status(read_object(request))
    project, name = project_of(request), lineage_of(request).name
    changed = services_of(request).statuses.set(identity_of(request), name, project, status)
    done = "is now" if changed else "was already"
    text = f"project {project} {done} {status.status} in {name}"
    return result("projectstatus", status_json(status), message=text)


def _wanted_status(body: Mapping[str, Any]) -> ProjectStatus:
    faults = [
        Fault(key, "unknown field; a status has status and reason")
        for key in body
        if key not in {"status", "reason"}
    ]
    status, reason = str(body.get("status")), body.get("reason")
    if status not in set(Status):
        faults.append(Fault("status", f"use one of {', '.join(Status)}"))
    elif status == Status.ACTIVE and reason is not None:
        faults.append(Fault("reason", "an active project has none; leave it out"))
    if reason is not None and not _is_reason(reason):
        faults.append(Fault("reason", "use one line of up to 1,000 characters, or leave it out"))
    if faults:
        raise InvalidRequest(faults)
    return ProjectStatus(Status(status), reason)


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_REASON and value.isprintable()


def push(request: Request) -> Response:
    """Push a release of this index to another one."""
    body = read_object(request)
    wanted = {key: body.get(key) for key in ("name", "version", "targetindex")}
    if "posturl" in body:
        raise InvalidRequest.one(
            "posturl", "pushing to another server is not possible here; upload to it with twine"
        )
    faults = [
        Fault(key, "it is missing, or is not text")
        for key, value in wanted.items()
        if not isinstance(value, str) or not value
    ]
    known = {*wanted, "no_docs", "only_docs"}
    faults += [Fault(key, "unknown field of a push") for key in body if key not in known]
    if faults:
        raise InvalidRequest(faults)
    pushed = services_of(request).releases.push(
        identity_of(request),
        lineage_of(request).name,
        project_name(str(wanted["name"])),
        str(wanted["version"]),
        IndexName.parse(str(wanted["targetindex"])),
    )
    return result("actionlog", _push_rows(wanted, pushed))


def _push_rows(wanted: Mapping[str, object], pushed: list[Pushed]) -> list[list[object]]:
    name, version, target = wanted["name"], wanted["version"], wanted["targetindex"]
    rows: list[list[object]] = [[200, "register", name, version, "->", target]]
    project = project_name(str(name))
    for file in pushed:
        if file.skipped is not None:
            rows.append([410, "skipped", file.filename, file.skipped])
        else:
            path = file_path(project, file.sha256 or "", file.filename)
            rows.append([200, "store_releasefile", f"{target}/+f/{path}"])
    return rows


def _release_json(request: Request, project: ProjectName, view: ReleaseView) -> Mapping[str, Any]:
    shown: dict[str, Any] = {**view.metadata, "version": view.version}
    shown["+links"] = [_link(request, project, file) for file in view.files]
    if view.shadows:
        shown["+shadowing"] = [_release_json(request, project, other) for other in view.shadows]
    return shown


def _link(request: Request, project: ProjectName, entry: ReleaseFile) -> Mapping[str, Any]:
    file, held = entry.file, entry.held
    path = file_path(project, file.url_digest, file.filename)
    link: dict[str, Any] = {
        "rel": "releasefile",
        "href": f"{_root(request)}/{file.index}/+f/{path}",
        "hashes": dict(file.hashes),
        "index": str(file.index),
        "yanked": file.yanked,
    }
    if "sha256" in file.hashes:
        link["hash_spec"] = f"sha256={file.hashes['sha256']}"
    if file.size is not None:
        link["size"] = file.size
    if file.uploaded is not None:
        link["upload_time"] = timestamp(file.uploaded)
    if held is not None:
        when = list(held.uploaded.timetuple()[:6])
        what = "upload" if held.pushed_from is None else "push"
        log: dict[str, Any] = {"what": what, "who": held.uploader, "when": when}
        if held.pushed_from is not None:
            log |= {"src": str(held.pushed_from), "dst": str(held.index)}
        link["log"] = [log]
    return link


def _root(request: Request) -> str:
    return str(request.application_url)
