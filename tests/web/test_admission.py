"""What is answered to the question whether a body may come; an engine asks it.

How engines ask, and what they then read, is in tests/ingress/test_bodies.py.
"""

import shutil
from collections import namedtuple

import pytest
from webob import Request

from stillroom_server.web.admission import Admission
from stillroom_server.web.environ import ADMISSION
from support.site import Site, basic, password_of

Usage = namedtuple("Usage", "total used free")
MEBIBYTE = 1024 * 1024


def ask(
    site: Site, method: str, path: str, user: str | None, length: int
) -> tuple[int, Admission]:
    """Ask whether a body of that length may come; the status, and the answer."""
    headers = {} if user is None else basic(user, password_of(user))
    request = Request.blank(path, method=method, headers=headers)
    request.environ["CONTENT_TYPE"] = "multipart/form-data; boundary=x"
    admission = request.environ[ADMISSION] = Admission(length)
    return request.get_response(site.application).status_code, admission


@pytest.mark.parametrize("user", [None, "root", "dev"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/+login"), ("GET", "/+live"), ("PATCH", "/dev/stage")]
)
def test_only_files_need_room_and_keep_some(
    shared_site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str, user: str | None
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, 0))
    status, admission = ask(shared_site, method, path, user, 20_000)
    assert status in {204, 401, 413}
    assert (status == 204) == (admission.bound is not None)
    assert not admission.has_room
    status, admission = ask(shared_site, "POST", "/dev/stage/", "dev", 20_000)
    assert (status, admission.bound, admission.has_room) == (507, None, False)


def test_a_file_that_may_come_has_room_and_a_sender(shared_site: Site) -> None:
    status, admission = ask(shared_site, "POST", "/dev/stage/", "dev", MEBIBYTE)
    assert (status, admission.has_room, admission.is_known) == (204, True, True)
    status, admission = ask(shared_site, "POST", "/+login", None, 20_000)
    assert (status, admission.has_room, admission.is_known) == (204, False, False)
    assert admission.bound == 32 * 1024
